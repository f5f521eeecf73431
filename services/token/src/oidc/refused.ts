import type { DenialReason } from '@authserver/oauth';

/** A sign-in at the OpenID provider that came to nothing. The message is for the log: no code, no token, no stranger's text. */
export class RefusedSignIn extends Error {
  override readonly name = 'RefusedSignIn';
  readonly reason: SignInRefusal;
  /** The account that was found, if one was. */
  readonly userId: string | undefined;
  constructor(reason: SignInRefusal, message: string, more: { userId?: string; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.reason = reason;
    this.userId = more.userId;
  }
}

export type SignInRefusal = Extract<
  DenialReason,
  | 'oidc_state_invalid'
  | 'oidc_issuer_mismatch'
  | 'oidc_provider_error'
  | 'oidc_provider_unavailable'
  | 'oidc_code_refused'
  | 'oidc_token_invalid'
  | 'authentication_unmet'
  | 'email_in_use'
  | 'user_not_active'
>;
