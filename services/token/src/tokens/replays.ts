import type { AuthorizationCode, HeldRefreshToken, Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';

/** What happens when a one-time secret shows up a second time, or in the wrong hands. */
export type Replays = {
  /** RFC 6749 §4.1.2: with the right verifier the code has leaked, and all it produced dies (RFC 9700 §4.5). */
  codeReused(code: AuthorizationCode, verifierMatched: boolean, now: Date): Promise<void>;
  /** RFC 9700 §4.14.2: one of the two holders is a thief; the whole family dies. */
  refreshReused(token: HeldRefreshToken, now: Date): Promise<void>;
  /** The token has leaked, but whoever found it cannot use it: people are told, and the owner goes on. */
  refreshOfAnother(token: HeldRefreshToken, presentedBy: string, now: Date): Promise<void>;
};

/** One line a family is enough for people; this many families are remembered, so that insisting writes no more. */
const toldFamilies = 1000;

/** Commits before the refusal is answered: a rollback would forgive the thief. */
export const createReplays = (store: Store, metrics: Metrics): Replays => {
  const told = new Set<string>();
  return {
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

    async refreshOfAnother(token, presentedBy, now) {
      const about = `${token.familyId} ${presentedBy}`;
      if (told.has(about)) return;
      if (told.size >= toldFamilies) told.clear();
      told.add(about);
      await store.auditEvents.insert({
        action: 'refresh_token.foreign',
        at: now,
        clientId: token.clientId,
        details: { presented_by: presentedBy, family: token.familyId, user: token.userId },
      });
    },
  };
};
