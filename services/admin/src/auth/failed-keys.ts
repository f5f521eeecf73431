import { type AdminKeyFailures, otherAddresses, type Store } from '@authserver/store';
import type { Logger, Metrics } from '@authserver/telemetry';

/** Why a key was refused; `limited` without having been looked at. */
export type FailureReason = 'unknown' | 'expired' | 'revoked' | 'limited';

export type FailedKey = {
  /** What the client address counts as. */
  address: string;
  reason: FailureReason;
  keyId: string | undefined;
  ip: string;
  userAgent: string | undefined;
};

/**
 * Keys that were not good, counted by client address for all admin processes, and in this process alone while the database
 * is away. They are counted after they were looked at: as many as are under way at once, which the limit on requests
 * bounds, may be looked at before the first counts.
 *
 * When a window of an address is over, all that was counted in it becomes one audit event, so that guessing fills neither
 * the audit trail nor the attention of who reads it.
 */
export type FailedKeys = {
  /** Until when no further key from this address is looked at, if there were too many. */
  limitedUntil(address: string): Promise<Date | undefined>;
  count(failure: FailedKey): Promise<void>;
  /** Writes the audit events of windows that are over. */
  report(): Promise<void>;
};

/** Addresses counted one by one; those beyond share one audit event and no limit, so that nobody is shut out for them. */
const mostAddresses = 1000;

export const createFailedKeys = (options: {
  store: Store;
  /** Wrong keys an address may try in one window; 0 is no limit. */
  max: number;
  windowSeconds: number;
  clock: { now(): Date };
  logger: Logger;
  metrics: Metrics;
}): FailedKeys => {
  const { store, max, clock, logger, metrics } = options;
  const here = new Map<string, { attempts: number; endsAt: Date }>();
  const isTooMany = ({ attempts, endsAt }: { attempts: number; endsAt: Date }): boolean =>
    max > 0 && attempts >= max && endsAt > clock.now();
  const endOfWindow = (start: Date): Date => new Date(start.getTime() + options.windowSeconds * 1000);

  const countHere = (address: string): void => {
    const now = clock.now();
    const known = here.get(address);
    const open = known && known.endsAt > now ? known : { attempts: 0, endsAt: endOfWindow(now) };
    if (!known && here.size >= mostAddresses) here.clear();
    here.set(address, { ...open, attempts: open.attempts + 1 });
  };

  const report = async (): Promise<void> =>
    store.transaction(async (tx) => {
      const now = clock.now();
      const ended = await tx.adminKeyFailures.takeEnded(now, mostAddresses);
      if (ended.length > 0) await tx.auditEvents.insertMany(ended.map((failures) => toAuditEvent(failures, now)));
    });

  return {
    report,

    async limitedUntil(address) {
      const failures = await store.adminKeyFailures.find(address, clock.now()).catch(() => here.get(address));
      return failures && isTooMany(failures) ? failures.endsAt : undefined;
    },

    async count({ address, reason, keyId, ip, userAgent }) {
      if (reason === 'limited') metrics.rateLimited.inc({ limit: 'admin_keys' });
      else countHere(address);
      try {
        await report();
        const now = clock.now();
        await store.adminKeyFailures.count({
          ...{ address, reason, keyId, ip, userAgent },
          attempt: reason !== 'limited',
          now,
          endsAt: endOfWindow(now),
          most: mostAddresses,
        });
      } catch (error) {
        logger.warn({ err: error }, 'a wrong admin key was not counted for other processes');
      }
    },
  };
};

const toAuditEvent = (failures: AdminKeyFailures, now: Date) => ({
  action: 'admin.auth_failed' as const,
  ip: failures.address === otherAddresses ? undefined : failures.ip,
  userAgent: failures.userAgent,
  details: {
    address: failures.address,
    count: Object.values(failures.reasons).reduce((sum, count) => sum + count, 0),
    ...failures.reasons,
    ...(failures.keyIds.length > 0 ? { key_ids: failures.keyIds } : {}),
    since: failures.startedAt.toISOString(),
    until: failures.endsAt.toISOString(),
  },
  at: now,
});
