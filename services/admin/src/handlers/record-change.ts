import type { ChangeKind } from '@authserver/events';
import type { Repositories } from '@authserver/store';
import type { AuditAction } from '@authserver/telemetry';
import type { Caller } from './handler.ts';

export type Change = {
  action: AuditAction;
  kind: ChangeKind;
  /** What the token plane looks up again. */
  key: string;
  clientId?: string;
  /** What was and what is. Never a secret. */
  details: Record<string, unknown>;
};

/**
 * Writes who changed what, and tells the token plane, in the transaction of the change itself. Comes last in it: the
 * feed's lock is held from here to the commit.
 */
export const recordChange = async (
  tx: Repositories,
  { caller, now }: { caller: Caller; now: Date },
  { action, kind, key, clientId, details }: Change,
): Promise<void> => {
  await tx.auditEvents.insert({ ...caller, action, clientId, details, at: now });
  await tx.changes.record(kind, key);
};
