import type { AuthorizationCode, HeldRefreshToken, Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { AuditRepeats } from '../audit/repeats.ts';

/** What happens when a one-time secret shows up a second time, or in the wrong hands. */
export type Replays = {
  /** RFC 6749 §4.1.2: with the right verifier the code has leaked, and all it produced dies (RFC 9700 §4.5). */
  codeReused(code: AuthorizationCode, verifierMatched: boolean, now: Date): Promise<void>;
  /** RFC 9700 §4.14.2: one of the two holders is a thief; the whole family dies. */
  refreshReused(token: HeldRefreshToken, now: Date): Promise<void>;
  /** The token has leaked, but whoever found it cannot use it: people are told, and the owner goes on. */
  refreshOfAnother(token: HeldRefreshToken, presentedBy: string, now: Date): Promise<void>;
};

/**
 * Commits before the refusal is answered: a rollback would forgive the thief. What ended something is told each time;
 * what ended nothing can be done again for ever, and is counted.
 */
export const createReplays = (store: Store, repeats: AuditRepeats, metrics: Metrics): Replays => {
  /** Whoever holds the token is answered 503 then, and can go on trying: somebody should know. */
  const counted = async <T>(path: 'reuse' | 'code_reuse', revoke: () => Promise<T>): Promise<T> => {
    try {
      return await revoke();
    } catch (error) {
      metrics.revocationFailures.inc({ path, half: 'family' });
      throw error;
    }
  };
  return {
    async codeReused(code, verifierMatched, now) {
      const { familyId } = code;
      const verifier = verifierMatched ? 'valid' : 'invalid';
      const event = (revoked: boolean) =>
        ({
          action: 'auth_code.reused',
          at: now,
          actorId: code.userId,
          clientId: code.clientId,
          details: { verifier, family: familyId, revoked },
        }) as const;
      const revoked =
        verifierMatched &&
        familyId !== undefined &&
        (await counted('code_reuse', () =>
          store.transaction(async (tx) => {
            if (!(await tx.tokenFamilies.revoke(familyId, 'code_reuse', now))) return false;
            await tx.changes.record('revocation', `family:${familyId}`);
            await tx.auditEvents.insert(event(true));
            return true;
          }),
        ));
      if (!revoked)
        await repeats.record(event(false), { group: code.clientId, member: `${code.userId} ${familyId} ${verifier}` });
      metrics.codeReuse.inc({ verifier });
      if (revoked) metrics.tokensRevoked.inc({ reason: 'code_reuse' });
    },

    async refreshReused(token, now) {
      const revoked = await counted('reuse', () =>
        store.transaction(async (tx) => {
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
        }),
      );
      metrics.refreshReuse.inc();
      if (revoked) metrics.tokensRevoked.inc({ reason: 'family_revocation' });
    },

    async refreshOfAnother(token, presentedBy, now) {
      await repeats.record(
        {
          action: 'refresh_token.foreign',
          at: now,
          clientId: token.clientId,
          details: { presented_by: presentedBy, family: token.familyId, user: token.userId },
        },
        { group: token.familyId, member: presentedBy },
      );
    },
  };
};
