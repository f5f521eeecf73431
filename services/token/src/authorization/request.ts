import type { FormParams } from '@authserver/http';
import {
  asksOfflineAccess,
  type ErrorCode,
  isCodeChallenge,
  isThumbprint,
  OAuthError,
  repeatedParameters,
} from '@authserver/oauth';
import { type Params, splitParams } from '../params.ts';
import { type Prompts, readPrompts } from './prompts.ts';
import { requireResponseMode } from './response-mode.ts';
import { RefusedRequest, type ResponseTarget, readTarget, type TargetDeps } from './target.ts';
import { readWishes, type Wishes, type WishesDeps } from './wishes.ts';

/** A request as a client made it, and when: it may have waited for a person since. */
export type Asked = {
  params: FormParams;
  /** Hash of the `request_uri`, for a request that was pushed (RFC 9126). */
  pushed: Buffer | undefined;
  askedAt: Date;
};

/** An authorization request (RFC 6749 §4.1.1) in which everything has been checked but the user's will. */
export type AuthorizationRequest = ResponseTarget &
  Wishes &
  Prompts & {
    codeChallenge: string;
    /** `offline_access` was among the scopes asked for (OpenID Connect Core §11). */
    offlineAccess: boolean;
    /** The key the code must be redeemed with (RFC 9449 §10). */
    dpopJkt: string | undefined;
    pushed: Buffer | undefined;
    askedAt: Date;
  };

export type RequestDeps = TargetDeps &
  WishesDeps & {
    /** Every request must be pushed (RFC 9126 §5). */
    requirePushed: boolean;
    /** `dpop_jkt` means something (RFC 9449). */
    dpopEnabled: boolean;
  };

/**
 * Checks an authorization request, redirect URI first: no error may be sent to an address that is not the client's.
 * The endpoint and the pushed request endpoint share it, so that what could be pushed can be answered (RFC 9126 §2.1).
 *
 * @throws {UntrustedRequest} when only a page of ours may tell
 * @throws {RefusedRequest} when the client may be told
 */
export const readAuthorizationRequest = async (asked: Asked, deps: RequestDeps): Promise<AuthorizationRequest> => {
  const { params, repeated } = splitParams(asked.params);
  const target = await readTarget(params, repeated, deps);
  try {
    if (repeated.length > 0) refuse('invalid_request', repeatedParameters(repeated), 'duplicate_parameter');
    requirePushed(asked, target, deps);
    const codeChallenge = readProtocol(params, target);
    const wishes = await readWishes(params, target.client, deps);
    return {
      ...target,
      ...wishes,
      ...readPrompts(params),
      codeChallenge,
      offlineAccess: asksOfflineAccess(params.scope),
      dpopJkt: deps.dpopEnabled ? readThumbprint(params) : undefined,
      pushed: asked.pushed,
      askedAt: asked.askedAt,
    };
  } catch (error) {
    throw error instanceof OAuthError ? new RefusedRequest(target, error, asked.pushed) : error;
  }
};

const requirePushed = (asked: Asked, { client }: ResponseTarget, deps: RequestDeps): void => {
  if (asked.pushed === undefined && (deps.requirePushed || client.requirePushedAuthorizationRequests))
    refuse('invalid_request', 'The request must be pushed first (RFC 9126).', 'pushed_request_required');
};

/** Checks what makes it an authorization request at all, and returns its `code_challenge` (RFC 7636 §4.3). */
const readProtocol = (params: Params, { client, redirectUri }: ResponseTarget): string => {
  if (params.request !== undefined) refuse('request_not_supported', 'request is not supported.', 'request_object');
  if (params.request_uri !== undefined)
    refuse('request_uri_not_supported', 'Only a request_uri of ours is supported.', 'request_object');
  if (params.response_type === undefined)
    refuse('invalid_request', 'response_type is missing.', 'unsupported_response_type');
  if (params.response_type !== 'code')
    refuse('unsupported_response_type', 'Only response_type code is supported.', 'unsupported_response_type');
  requireResponseMode(params, redirectUri);
  if (!client.grantTypes.includes('authorization_code'))
    refuse('unauthorized_client', 'The client is not registered for authorization_code.', 'grant_not_registered');
  const codeChallenge = params.code_challenge ?? '';
  if (params.code_challenge_method !== 'S256' || !isCodeChallenge(codeChallenge))
    refuse('invalid_request', 'PKCE with code_challenge_method S256 is required.', 'pkce_missing');
  return codeChallenge;
};

/** @throws {OAuthError} `invalid_request` */
export const readThumbprint = ({ dpop_jkt: jkt }: Params): string | undefined => {
  if (jkt !== undefined && !isThumbprint(jkt))
    refuse('invalid_request', 'dpop_jkt is not a SHA-256 thumbprint in base64url.', 'dpop_invalid');
  return jkt;
};

const refuse = (code: ErrorCode, text: string, reason: ConstructorParameters<typeof OAuthError>[2]): never => {
  throw new OAuthError(code, text, reason);
};
