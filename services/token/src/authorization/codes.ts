import type { ConsentGrant, Repositories } from '@authserver/store';
import { randomToken, tokenHash } from '../secrets.ts';
import { after } from '../time.ts';
import type { SignedIn } from './browser.ts';
import type { AuthorizationRequest } from './request.ts';

export type Codes = {
  /** Stores a code for what was allowed and returns it; only its hash is kept. */
  issue(
    store: Pick<Repositories, 'authorizationCodes'>,
    request: AuthorizationRequest,
    user: SignedIn,
    consent: Pick<ConsentGrant, 'id' | 'epoch'>,
    scopes: readonly string[],
    now: Date,
  ): Promise<string>;
};

/** Authorization codes (RFC 6749 §4.1.2): 256 random bits, gone within a minute. */
export const createCodes = (lifetimeSeconds: number): Codes => ({
  async issue(store, request, user, consent, scopes, now) {
    const code = randomToken();
    await store.authorizationCodes.insert({
      codeHash: tokenHash(code),
      clientId: request.client.clientId,
      userId: user.userId,
      consentGrantId: consent.id,
      userEpoch: user.userEpoch,
      consentEpoch: consent.epoch,
      redirectUri: request.redirectUri,
      scopes,
      resourceId: request.resource?.id,
      resource: request.resource?.uri,
      codeChallenge: request.codeChallenge,
      authTime: user.authTime,
      createdAt: now,
      expiresAt: after(now, lifetimeSeconds),
    });
    return code;
  },
});
