import type { AuthorizationCode, HeldRefreshToken, Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';

/** What happens when a one-time secret shows up a second time. */
export type Replays = {
  /** RFC 6749 §4.1.2: with the right verifier the code has leaked, and all it produced dies (RFC 9700 §4.5). */
  codeReused(code: AuthorizationCode, verifierMatched: boolean, now: Date): Promise<void>;
  /** RFC 9700 §4.14.2: one of the two holders is a thief; the whole family dies. */
  refreshReused(token: HeldRefreshToken, now: Date): Promise<void>;
};

/** Commits before the refusal is answered: a rollback would forgive the thief. */
export const createReplays = (store: Store, metrics: Metrics): Replays => ({
  async codeReused(code, verifierMatched, now) {
    const { familyId } = code;
    const revoked = await store.transaction(async (tx) => {
      const ended =
        verifierMatched && familyId !== undefined && (await tx.tokenFamilies.revoke(familyId, 'code_reuse', now));
      if (ended) await tx.changes.record('revocation', `family:${familyId}`);
      await tx.auditEvents.insert({
        action: 'auth_code.reused',
        at: now,
        actorId: code.userId,
        clientId: code.clientId,
        details: { verifier: verifierMatched ? 'valid' : 'invalid', family: familyId, revoked: ended },
      });
      return ended;
    });
    metrics.codeReuse.inc({ verifier: verifierMatched ? 'valid' : 'invalid' });
    if (revoked) metrics.tokensRevoked.inc({ reason: 'code_reuse' });
  },

  async refreshReused(token, now) {
    const revoked = await store.transaction(async (tx) => {
      const ended = await tx.tokenFamilies.revoke(token.familyId, 'refresh_reuse', now);
      if (ended) {
        await tx.changes.record('revocation', `family:${token.familyId}`);
        await tx.auditEvents.insert({
          action: 'family.revoked',
          at: now,
          clientId: token.clientId,
          details: { reason: 'refresh_reuse', family: token.familyId, user: token.userId },
        });
      }
      return ended;
    });
    metrics.refreshReuse.inc();
    if (revoked) metrics.tokensRevoked.inc({ reason: 'family_revocation' });
  },
});
