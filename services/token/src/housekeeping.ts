import type { Lease, Leases } from '@authserver/replay';
import type { Logger } from '@authserver/telemetry';
import type { Clock } from './time.ts';

/** Something that is over and may go. */
export type Chore = {
  name: string;
  /** It is about what this pod has in memory, so each does its own. */
  ofThisPod?: true;
  /** Deletes at most `limit` rows that are over at `now` and returns how many went. Skips rows another pod holds. */
  run(now: Date, limit: number): Promise<number>;
};

export type Housekeeping = { start(): void; stop(): Promise<void> };

const batch = 500;
/** A pod that finds a mountain takes it in turns with the others and with the requests. */
const batchesAtOnce = 20;

/** Half a minute after a pod died another goes on. */
const leaseMs = 30_000;

/**
 * Deletes expired rows about once a minute, in small statements, beside the requests. One pod does it for all, for as long
 * as it holds the lease; the others ask about once a minute whether it still does. While nobody can say who holds it
 * every pod does it, as two may for a moment: they skip each other's rows. A failure is nobody's trouble; the next round
 * tries again.
 */
export const createHousekeeping = (options: {
  chores: readonly Chore[];
  leases: Leases;
  clock: Clock;
  logger: Logger;
  intervalMs?: number;
}): Housekeeping => {
  const { chores, leases, clock, logger, intervalMs = 60_000 } = options;
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> | undefined;
  let stopped = false;
  let lease: Lease | undefined;

  const mayBegin = async (): Promise<boolean> => {
    if (lease?.held) return true;
    try {
      lease = await leases.acquire('housekeeping', { ttlMs: leaseMs });
      return lease !== undefined;
    } catch {
      lease = undefined;
      return true;
    }
  };
  const mayGoOn = (): boolean => !stopped && (lease?.held ?? true);

  const sweep = async (chore: Chore): Promise<void> => {
    for (let done = 0; done < batchesAtOnce && (chore.ofThisPod ? !stopped : mayGoOn()); done += 1)
      if ((await chore.run(clock.now(), batch)) < batch) return;
  };
  const sweepAll = async (): Promise<void> => {
    const mine = (await mayBegin()) ? chores : chores.filter(({ ofThisPod }) => ofThisPod);
    for (const chore of mine)
      await sweep(chore).catch((error: unknown) =>
        logger.warn({ err: error, chore: chore.name }, 'expired rows could not be deleted'),
      );
  };
  const schedule = (): void => {
    if (stopped) return;
    timer = setTimeout(
      () => {
        round = sweepAll().finally(schedule);
      },
      intervalMs * (0.5 + Math.random()),
    );
    timer.unref();
  };

  return {
    start: schedule,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await round;
      await lease?.release();
    },
  };
};
