import { mirrorAudit } from '@authserver/boot';
import { type Config, isLocalhostIssuer } from '@authserver/config';
import type { Keyring, KeyStore } from '@authserver/keys';
import { createStore, keepPartitions, openDatabase, purgeTargets } from '@authserver/store';
import type { Logger, Metrics } from '@authserver/telemetry';
import { startKeyUpkeep } from '../keys/upkeep.ts';
import { exposePurge } from './metrics.ts';
import { startPurgeScheduler } from './scheduler.ts';

export type Upkeep = { stop(): Promise<void> };

const hourSeconds = 3600;

/**
 * What the control plane does while nobody asks: it makes the months to come, says how old the oldest expired row is,
 * deletes it when it is told to, and rotates the signing keys.
 */
export const startUpkeep = (options: {
  config: Config;
  dsn: string;
  keyStore: KeyStore;
  keyring: Keyring;
  logger: Logger;
  metrics: Metrics;
  clock: { now(): Date };
  rotationCheckMs?: number | undefined;
}): Upkeep => {
  const { config, dsn, logger, metrics, clock } = options;
  const now = () => clock.now();
  const targets = purgeTargets(config);
  const database = openDatabase({
    dsn,
    maxConnections: 2,
    applicationName: 'authserver upkeep',
    queryTimeoutMs: 10_000,
    onQuery: (operation, seconds) => metrics.dbDuration.observe({ operation, store: 'postgres' }, seconds),
    onAudited: mirrorAudit(logger),
  });
  exposePurge({ metrics, database, targets, now });
  const partitions = keepPartitions({
    database,
    now,
    onFailed: (error) => logger.error({ err: error }, 'the partitions of the coming months could not be made'),
  });
  const intervalSeconds = config.purge.interval ?? (isLocalhostIssuer(config.server.issuer) ? hourSeconds : 0);
  const scheduler =
    intervalSeconds === 0
      ? undefined
      : startPurgeScheduler({
          dsn,
          targets,
          intervalSeconds,
          now,
          logger: logger.child({ component: 'purge' }),
          metrics,
        });
  const { algorithm, rotation_interval: rotationSeconds } = config.signing;
  const keys = startKeyUpkeep({
    ...{ rotationSeconds, algorithm, checkIntervalMs: options.rotationCheckMs },
    ...{ store: createStore(database), keyStore: options.keyStore, keyring: options.keyring },
    ...{ now, logger: logger.child({ component: 'keys' }), metrics },
  });
  return {
    async stop() {
      await Promise.all([partitions.stop(), scheduler?.stop(), keys.stop()]);
      await database.end();
    },
  };
};
