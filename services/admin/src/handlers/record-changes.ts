import type { Repositories } from '@authserver/store';
import type { Caller, Change } from './handler.ts';

/**
 * Writes who changed what, and tells the token plane, in the transaction of the changes themselves. Comes last in it: the
 * feed's lock is held from here to the commit.
 */
export const recordChanges = async (
  tx: Repositories,
  { caller, now }: { caller: Omit<Caller, 'role'>; now: Date },
  changes: readonly Change[],
): Promise<void> => {
  if (changes.length === 0) return;
  const { actorId, key, ip, userAgent, requestId } = caller;
  const label = key && { actor_label: key.label }; // labels change; this is what it was
  await tx.auditEvents.insertMany(
    changes.map(({ action, clientId, details }) => ({
      ...{ actorId, ip, userAgent, requestId },
      ...{ action, clientId, details: { ...details, ...label }, at: now },
    })),
  );
  await tx.changes.recordMany(changes.flatMap(({ feed }) => feed ?? []));
};
