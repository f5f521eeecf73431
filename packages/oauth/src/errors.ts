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
  invalid_dpop_proof: 400, // RFC 9449 §5
  use_dpop_nonce: 400, // RFC 9449 §8
  invalid_token: 401, // RFC 6750 §3.1, RFC 7592 §2
  login_required: 400, // OpenID Connect Core §3.1.2.6, by redirect
  interaction_required: 400, // OpenID Connect Core §3.1.2.6, by redirect
  consent_required: 400, // OpenID Connect Core §3.1.2.6, by redirect
  unmet_authentication_requirements: 400, // RFC 9470 §5, by redirect
  authorization_pending: 400, // RFC 8628 §3.5
  slow_down: 400, // RFC 8628 §3.5; with status 429 for a limit
  expired_token: 400, // RFC 8628 §3.5
  not_found: 404,
  method_not_allowed: 405, // RFC 9110 §15.5.6
} as const;

export type ErrorCode = keyof typeof errorStatus;

const rfc = (number: number, section: string): string =>
  `https://www.rfc-editor.org/rfc/rfc${number}#section-${section}`;

/** Where each code is defined, for whoever meets it in an answer. */
export const errorDocument: { readonly [code in ErrorCode]?: string } = {
  invalid_request: rfc(6749, '5.2'),
  invalid_client: rfc(6749, '5.2'),
  invalid_grant: rfc(6749, '5.2'),
  unauthorized_client: rfc(6749, '5.2'),
  unsupported_grant_type: rfc(6749, '5.2'),
  invalid_scope: rfc(6749, '5.2'),
  unsupported_response_type: rfc(6749, '4.1.2.1'),
  access_denied: rfc(6749, '4.1.2.1'),
  server_error: rfc(6749, '4.1.2.1'),
  temporarily_unavailable: rfc(6749, '4.1.2.1'),
  invalid_target: rfc(8707, '2'),
  invalid_redirect_uri: rfc(7591, '3.2.2'),
  invalid_client_metadata: rfc(7591, '3.2.2'),
  request_not_supported: rfc(9101, '6.3'),
  request_uri_not_supported: rfc(9101, '6.3'),
  invalid_dpop_proof: rfc(9449, '5'),
  use_dpop_nonce: rfc(9449, '8'),
  invalid_token: rfc(6750, '3.1'),
  login_required: 'https://openid.net/specs/openid-connect-core-1_0.html#AuthError',
  interaction_required: 'https://openid.net/specs/openid-connect-core-1_0.html#AuthError',
  consent_required: 'https://openid.net/specs/openid-connect-core-1_0.html#AuthError',
  unmet_authentication_requirements: rfc(9470, '5'),
  authorization_pending: rfc(8628, '3.5'),
  slow_down: rfc(8628, '3.5'),
  expired_token: rfc(8628, '3.5'),
  method_not_allowed: rfc(9110, '15.5.6'),
};

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
  /** What the answer has beside the members every error has. */
  readonly members: Readonly<Record<string, string>>;

  constructor(
    code: ErrorCode,
    description: string,
    reason?: DenialReason,
    options: {
      status?: number;
      headers?: Record<string, string>;
      members?: Record<string, string>;
      cause?: unknown;
    } = {},
  ) {
    super(`${code}: ${description}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? errorStatus[code];
    this.description = toErrorText(description);
    this.reason = reason;
    this.headers = options.headers ?? {};
    this.members = options.members ?? {};
  }
}

/** Keeps to the characters RFC 6749 §5.2 allows in `error_description`; anything else becomes `?`. */
export const toErrorText = (text: string): string =>
  text.replace(/["\\]/g, "'").replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?');

/** The names of repeated parameters, as far as they are plain words; they come from a stranger and may end up on a page. */
export const repeatedParameters = (names: readonly string[]): string => {
  const plain = names.filter((name) => /^[a-z_]{1,40}$/.test(name)).slice(0, 5);
  return plain.length === 0 ? 'A request parameter is repeated.' : `A parameter is repeated: ${plain.join(', ')}.`;
};

export const invalidRequest = (description: string, reason: DenialReason = 'invalid_request'): OAuthError =>
  new OAuthError('invalid_request', description, reason);

/**
 * One text for an unknown client, a wrong secret and a suspended client, so that ids cannot be probed.
 * The challenge goes with every 401 (RFC 9110 §11.6.1); RFC 6749 §5.2 demands it when Basic was tried. Another text is
 * for what a stranger knows anyway, or for whoever has proven to be the client.
 */
export const invalidClient = (reason: DenialReason, description = 'Client authentication failed.'): OAuthError =>
  new OAuthError('invalid_client', description, reason, {
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
