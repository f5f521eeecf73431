import type { NewAuthorizationCode, Repositories } from '@authserver/store';
import { randomToken, tokenHash } from '../secrets.ts';
import { after } from '../time.ts';
import type { IssuedHere } from '../tokens/issued-here.ts';
import type { SignedIn } from './browser.ts';
import type { Targets } from './consents.ts';
import { requireUnanswered } from './pushed.ts';
import type { AuthorizationRequest } from './request.ts';

export type Codes = {
  /**
   * Stores a code for what was allowed and returns it; only its hash is kept. For a pushed request `store` is a
   * transaction: its one answer and the code stand or fall together.
   *
   * @throws {UntrustedRequest} when the pushed request has been answered meanwhile
   */
  issue(
    store: Pick<Repositories, 'authorizationCodes' | 'pushedRequests'>,
    request: AuthorizationRequest,
    user: SignedIn,
    targets: Targets,
    now: Date,
  ): Promise<string>;
};

/** Authorization codes (RFC 6749 §4.1.2): 256 random bits, gone within a minute. */
export const createCodes = (lifetimeSeconds: number, issuedHere: IssuedHere<NewAuthorizationCode>): Codes => ({
  async issue(store, request, user, targets, now) {
    const code = randomToken();
    const row: NewAuthorizationCode = {
      codeHash: tokenHash(code),
      clientId: request.client.clientId,
      userId: user.userId,
      userEpoch: user.userEpoch,
      redirectUri: request.redirectUri,
      targets,
      codeChallenge: request.codeChallenge,
      authTime: user.authTime,
      acr: user.acr,
      offlineAccess: request.offlineAccess,
      dpopJkt: request.dpopJkt,
      createdAt: now,
      expiresAt: after(now, lifetimeSeconds),
    };
    await store.authorizationCodes.insert(row);
    if (request.pushed) await requireUnanswered(store, request.pushed, now);
    // Where `store` is a transaction that is rolled back, nobody has this code and no statement would spend it.
    issuedHere.note(row.codeHash, row);
    return code;
  },
});
