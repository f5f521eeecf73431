import { STATUS_CODES } from 'node:http';
import {
  type ErrorCode,
  errorDocument,
  invalidGrant,
  invalidRequest,
  OAuthError,
  temporarilyUnavailable,
} from '@authserver/oauth';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { referenceOf } from './reference.ts';

/**
 * The body of an OAuth error: the members of RFC 6749 §5.2, and beside them those of RFC 9457 for people and tools.
 * The media type stays `application/json`, as RFC 6749 §5.2 demands and strict clients check.
 */
export const errorBody = (code: ErrorCode, description: string, status: number): Record<string, unknown> => ({
  error: code,
  error_description: description,
  type: errorDocument[code], // absent is `about:blank` (RFC 9457 §3.1.1): no document says more than the code
  title: STATUS_CODES[status] ?? 'Error',
  detail: description,
  status,
});

/** Anything that was thrown, as the error a client may see. The original stays in `cause`, for the log. */
export const toOAuthError = (error: unknown): OAuthError => {
  if (error instanceof OAuthError) return error;
  const { name, code, statusCode } = error as FastifyError;
  if (name === 'StoreUnavailable' || name === 'SigningUnavailable') return temporarilyUnavailable(error);
  if (name === 'ReferenceGone') return invalidGrant('reference_gone');
  if (hasZodFastifySchemaValidationErrors(error))
    return new OAuthError('invalid_request', describeValidation(error.validation[0]), 'invalid_request');
  if (code === 'FST_ERR_CTP_INVALID_JSON_BODY' || code === 'FST_ERR_CTP_EMPTY_JSON_BODY')
    return invalidRequest('The body is not JSON.');
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE' || statusCode === 413)
    return new OAuthError('invalid_request', 'The request body is too large.', 'invalid_request', { status: 413 });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new OAuthError('invalid_request', 'The request could not be read.', 'invalid_request');
  return new OAuthError('server_error', 'Something went wrong on our side.', 'server_error', { cause: error });
};

const describeValidation = (issue: { instancePath: string; message?: string } | undefined): string => {
  const member = issue?.instancePath.replace(/^\//, '').replaceAll('/', '.') ?? '';
  return member ? `${member}: ${issue?.message ?? 'is invalid'}` : 'The request is malformed.';
};

/** Renders an error of a protocol endpoint; the only code that does. */
export const sendOAuthError = (request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply => {
  const error = toOAuthError(thrown);
  logDenial(request, error);
  return reply
    .code(error.status)
    .headers({ ...error.headers, 'cache-control': 'no-store', pragma: 'no-cache' })
    .type('application/json')
    .send(JSON.stringify({ ...errorBody(error.code, error.description, error.status), ...error.members }));
};

/** One line with our private reason. An outage is one sentence, a fault of ours comes with its stack. */
export const logDenial = (request: FastifyRequest, error: OAuthError): void => {
  const fields = {
    request_id: request.id,
    reference: referenceOf(request.id),
    error: error.code,
    reason: error.reason,
  };
  if (error.code === 'temporarily_unavailable')
    request.log.warn({ ...fields, cause: (error.cause as Error | undefined)?.message }, 'request not served');
  else if (error.status >= 500) request.log.error({ ...fields, err: error.cause }, 'request failed');
  else request.log.info(fields, 'request denied');
};
