import type { DenialReason } from './denials.ts';

/** Every error code we return on the wire, with the status it travels under. */
export const errorStatus = {
  invalid_request: 400, // RFC 6749 §5.2, §4.1.2.1
  invalid_client: 401, // RFC 6749 §5.2
  invalid_grant: 400, // RFC 6749 §5.2
  unauthorized_client: 400, // RFC 6749 §5.2
  unsupported_grant_type: 400, // RFC 6749 §5.2
  invalid_scope: 400, // RFC 6749 §5.2
  unsupported_response_type: 400, // RFC 6749 §4.1.2.1
  access_denied: 403, // RFC 6749 §4.1.2.1
  server_error: 500, // RFC 6749 §4.1.2.1
  temporarily_unavailable: 503, // RFC 6749 §4.1.2.1
  invalid_target: 400, // RFC 8707 §2
  invalid_redirect_uri: 400, // RFC 7591 §3.2.2
  invalid_client_metadata: 400, // RFC 7591 §3.2.2
  request_not_supported: 400, // RFC 9101 §6.3
  request_uri_not_supported: 400, // RFC 9101 §6.3
  not_found: 404,
  method_not_allowed: 405, // RFC 9110 §15.5.6
} as const;

export type ErrorCode = keyof typeof errorStatus;

/**
 * An error a client may see.
 *
 * `description` is for the client and must tell an attacker nothing; `reason` is for us: one log field, one metric label.
 */
export class OAuthError extends Error {
  override readonly name = 'OAuthError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly description: string;
  readonly reason: DenialReason | undefined;
  /** Headers that must travel with the answer, in lower case. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ErrorCode,
    description: string,
    reason?: DenialReason,
    options: { headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(`${code}: ${description}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = errorStatus[code];
    this.description = toErrorText(description);
    this.reason = reason;
    this.headers = options.headers ?? {};
  }
}

/** Keeps to the characters RFC 6749 §5.2 allows in `error_description`; anything else becomes `?`. */
export const toErrorText = (text: string): string =>
  text.replace(/["\\]/g, "'").replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?');

export const invalidRequest = (description: string, reason: DenialReason = 'invalid_request'): OAuthError =>
  new OAuthError('invalid_request', description, reason);

/**
 * One text for an unknown client, a wrong secret and a suspended client, so that ids cannot be probed.
 * The challenge goes with every 401 (RFC 9110 §11.6.1); RFC 6749 §5.2 demands it when Basic was tried.
 */
export const invalidClient = (reason: DenialReason): OAuthError =>
  new OAuthError('invalid_client', 'Client authentication failed.', reason, {
    headers: { 'www-authenticate': 'Basic realm="authserver", charset="UTF-8"' },
  });

export const invalidGrant = (reason: DenialReason): OAuthError =>
  new OAuthError('invalid_grant', 'The grant is invalid, expired or revoked.', reason);

export const invalidScope = (description: string, reason: DenialReason = 'invalid_scope'): OAuthError =>
  new OAuthError('invalid_scope', description, reason);

export const invalidTarget = (description: string, reason: DenialReason = 'invalid_resource'): OAuthError =>
  new OAuthError('invalid_target', description, reason);

/** Our own fault, and a passing one: the client should come back, and must not drop what it holds. */
export const temporarilyUnavailable = (cause?: unknown): OAuthError =>
  new OAuthError('temporarily_unavailable', 'The server cannot answer right now; please try again.', 'unavailable', {
    headers: { 'retry-after': '1' },
    cause,
  });
