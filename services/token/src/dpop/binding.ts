import { invalidGrant, OAuthError } from '@authserver/oauth';
import type { Client } from '@authserver/store';
import type { Proof } from './proof.ts';

/**
 * The key the refresh tokens of a family are bound to: that of a public client (RFC 9449 §5). A confidential client proves
 * itself at every refresh, so it may change keys.
 */
export const refreshKey = (client: Client, proof: Proof | undefined): string | undefined =>
  client.tokenEndpointAuthMethod === 'none' ? proof?.jkt : undefined;

/**
 * Refuses a request that does not prove the key a code or refresh token is bound to; nothing was spent, so the holder of
 * the key may still come. `invalid_grant`, because a client that has lost its key must start anew.
 */
export const requireKey = (jkt: string | undefined, proof: Proof | undefined): void => {
  if (jkt === undefined || jkt === proof?.jkt) return;
  if (proof) throw invalidGrant('dpop_key_mismatch');
  throw new OAuthError('invalid_grant', 'The grant is bound to a key; prove it in the DPoP header.', 'dpop_missing');
};

/**
 * The key a pushed authorization request binds its code to: that of `dpop_jkt`, that of the proof, or both if they agree
 * (RFC 9449 §10.1).
 *
 * @throws {OAuthError} `invalid_dpop_proof` when they differ
 */
export const agreedKey = (dpopJkt: string | undefined, proof: Proof | undefined): string | undefined => {
  if (dpopJkt !== undefined && proof && dpopJkt !== proof.jkt)
    throw new OAuthError('invalid_dpop_proof', 'The proof is by another key than dpop_jkt.', 'dpop_key_mismatch');
  return dpopJkt ?? proof?.jkt;
};
