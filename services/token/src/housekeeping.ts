import type { Logger } from '@authserver/telemetry';
import type { Clock } from './time.ts';

/** Something that is over and may go. */
export type Chore = {
  name: string;
  /** Deletes at most `limit` rows that are over at `now` and returns how many went. Skips rows another pod holds. */
  run(now: Date, limit: number): Promise<number>;
};

export type Housekeeping = { start(): void; stop(): Promise<void> };

const batch = 500;
/** A pod that finds a mountain takes it in turns with the others and with the requests. */
const batchesAtOnce = 20;

/**
 * Deletes expired rows about once a minute, in small statements, beside the requests. Every pod does it: they skip each
 * other's rows, and the jitter keeps them from meeting. A failure is nobody's trouble; the next round tries again.
 */
export const createHousekeeping = (options: {
  chores: readonly Chore[];
  clock: Clock;
  logger: Logger;
  intervalMs?: number;
}): Housekeeping => {
  const { chores, clock, logger, intervalMs = 60_000 } = options;
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> | undefined;
  let stopped = false;

  const sweep = async (chore: Chore): Promise<void> => {
    for (let done = 0; done < batchesAtOnce && !stopped; done += 1)
      if ((await chore.run(clock.now(), batch)) < batch) return;
  };
  const sweepAll = async (): Promise<void> => {
    for (const chore of chores)
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
    },
  };
};
