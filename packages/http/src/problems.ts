import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';

/** Every `code` of the admin API's problem bodies, with its status. */
export const problemStatus = {
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  precondition_failed: 412,
  content_too_large: 413,
  unsupported_media_type: 415,
  unprocessable: 422,
  too_many_requests: 429,
  unavailable: 503,
  internal_error: 500,
  upstream_failed: 502,
} as const;
export type ProblemCode = keyof typeof problemStatus;

/** An answer of the admin API that is not a success (RFC 9457). `extra` members travel in the body. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly status: number;
  readonly extra: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    code: ProblemCode,
    detail: string,
    options: { extra?: Record<string, unknown>; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = problemStatus[code];
    this.extra = options.extra ?? {};
    this.headers = options.headers ?? {};
  }
}

/** Anything that was thrown, as a problem an operator may see. */
export const toProblem = (error: unknown): Problem => {
  if (error instanceof Problem) return error;
  const { name, statusCode, message } = error as FastifyError;
  if (name === 'StoreUnavailable')
    return new Problem('unavailable', 'The database is not available.', {
      headers: { 'retry-after': '1' },
      cause: error,
    });
  if (name === 'SigningUnavailable')
    return new Problem('unavailable', 'The home of the signing keys is not available.', {
      headers: { 'retry-after': '5' },
      cause: error,
    });
  if (name === 'CipherUnavailableError')
    return new Problem('unavailable', 'What encrypts secrets (data_encryption) does not answer.', {
      headers: { 'retry-after': '5' },
      cause: error,
    });
  if (name === 'ReferenceGone')
    return new Problem('conflict', 'Something it refers to was deleted meanwhile.', { cause: error });
  if (name === 'DuplicateRow') return new Problem('conflict', 'It exists already.', { cause: error });
  if (hasZodFastifySchemaValidationErrors(error)) {
    const problems = error.validation.map((issue) => {
      const member = issue.instancePath.replace(/^\//, '').replaceAll('/', '.');
      return member ? `${member}: ${issue.message}` : String(issue.message);
    });
    return new Problem('invalid_request', problems.join('; '));
  }
  if (statusCode === 413) return new Problem('content_too_large', 'The body is too large.');
  if (statusCode === 415) return new Problem('unsupported_media_type', 'The media type must be application/json.');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new Problem('invalid_request', message);
  return new Problem('internal_error', 'Something went wrong on our side.', { cause: error });
};

/** Renders an error of the admin API; the only code that does. */
export const sendProblem = (request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply => {
  const problem = toProblem(thrown);
  if (problem.status >= 500) request.log.error({ request_id: request.id, err: problem.cause }, 'request failed');
  return reply
    .code(problem.status)
    .headers({ ...problem.headers, 'cache-control': 'no-store' })
    .type('application/problem+json')
    .send(JSON.stringify(toProblemBody(problem)));
};

export const toProblemBody = (problem: Problem): Record<string, unknown> => ({
  type: 'about:blank',
  title: STATUS_CODES[problem.status] ?? 'Error',
  status: problem.status,
  code: problem.code,
  detail: problem.message,
  ...problem.extra,
});
