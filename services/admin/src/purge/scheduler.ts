import { mirrorAudit } from '@authserver/boot';
import { type PurgeTarget, purge } from '@authserver/store';
import type { Logger, Metrics } from '@authserver/telemetry';

export type PurgeScheduler = { stop(): Promise<void> };

export type PurgeSchedulerOptions = {
  dsn: string;
  targets: readonly PurgeTarget[];
  intervalSeconds: number;
  now: () => Date;
  logger: Logger;
  metrics: Metrics;
};

/** A process that has just started has other things to do. */
const longestFirstWaitMs = 5 * 60_000;

/**
 * Purges every `intervalSeconds`, with jitter. Of any number of admin processes one works: the others find it at it, or find
 * that all was done lately, by a process or by `authserver purge`.
 */
export const startPurgeScheduler = (options: PurgeSchedulerOptions): PurgeScheduler => {
  const { intervalSeconds, logger, metrics } = options;
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> | undefined;

  const purgeOnce = async (): Promise<void> => {
    const outcome = await purge({
      ...options,
      signal: stopping.signal,
      unlessDoneWithin: intervalSeconds / 2,
      onDeleted: (target, rows) => metrics.purgeDeleted.inc({ target }, rows),
      onQuery: (operation, seconds) => metrics.dbDuration.observe({ operation, store: 'postgres' }, seconds),
      onAudited: mirrorAudit(logger),
      onEnd({ target, outcome, deleted, error }) {
        if (outcome === 'failed') {
          metrics.purgeFailures.inc({ target });
          logger.error({ table: target, deleted, err: error }, 'purge failed');
        } else if (outcome === 'interrupted')
          logger.warn({ table: target, deleted, reason: 'shutdown' }, 'purge interrupted');
        else logger.info({ table: target, deleted }, 'purge completed');
      },
    });
    if (typeof outcome === 'string') logger.debug({ reason: outcome }, 'purge skipped');
  };

  const schedule = (waitMs: number): void => {
    if (stopping.signal.aborted) return;
    timer = setTimeout(() => {
      round = purgeOnce()
        .catch((error: unknown) => logger.error({ err: error }, 'purge failed'))
        .finally(() => schedule(intervalSeconds * 1000 * (0.9 + 0.2 * Math.random())));
    }, waitMs);
    timer.unref();
  };
  schedule(Math.min(intervalSeconds * 1000, longestFirstWaitMs) * (0.2 + 0.8 * Math.random()));

  return {
    /** A batch that is under way is finished: it takes a fraction of a second. */
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await round;
    },
  };
};
