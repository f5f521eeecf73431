/** Asks what this server depends on, each itself and all at once, for the page that tells an operator how it is. */
import type { SystemStatus } from '@authserver/admin-api';
import { probeCipher } from '@authserver/boot';
import type { Config } from '@authserver/config';
import type { DataCipher } from '@authserver/encryption';
import type { FeedStatus } from '@authserver/events';
import { type KeyStore, rotationsUntil } from '@authserver/keys';
import { redisSettings } from '@authserver/replay';
import { type Database, pendingMigrations, type Repositories } from '@authserver/store';
import type { Logger } from '@authserver/telemetry';
import type { z } from 'zod';

type Subsystem = z.output<typeof SystemStatus>['subsystems'][number];

export type ProbeDeps = {
  config: Config;
  database: Database;
  store: Pick<Repositories, 'changes' | 'encryptedValues'>;
  cipher: DataCipher | undefined;
  keyStore: KeyStore;
  ping: () => Promise<unknown>;
  logger: Logger;
  feedStatus?: (() => FeedStatus) | undefined;
};

/** Whoever does not answer in this time is not well. */
const patienceMs = 3_000;

/** What is wrong although it answered; for people, and without anything secret. */
type Finding = { detail?: string; wrong?: boolean };

export const probeSubsystems = async (deps: ProbeDeps): Promise<Subsystem[]> => {
  const { config, database, store, cipher, keyStore, ping, logger } = deps;

  /** Why it does not answer goes to the log, not to the caller. */
  const probe = async (
    name: Subsystem['name'],
    driver: string | undefined,
    ask: () => Promise<Finding>,
  ): Promise<Subsystem> => {
    const about = { name, ...(driver === undefined ? {} : { driver }) };
    try {
      const { wrong = false, detail } = await inTime(ask());
      return { ...about, status: wrong ? 'unhealthy' : 'healthy', ...(detail === undefined ? {} : { detail }) };
    } catch (error) {
      logger.warn({ subsystem: name, err: error }, 'subsystem is not healthy');
      return { ...about, status: 'unhealthy' };
    }
  };

  const answered: Finding = {};
  const redis = redisSettings(config);
  return Promise.all([
    probe('storage', config.storage.driver, async () => {
      await ping();
      return answered;
    }),
    probe('migrations', undefined, async () => {
      const pending = await pendingMigrations(database);
      return pending.length === 0
        ? answered
        : { wrong: true, detail: `not applied: ${pending.join(', ')}; run authserver migrate` };
    }),
    probe('change_feed', 'postgres', async () => {
      const version = await store.changes.latestVersion();
      const down = Object.entries(deps.feedStatus?.().channels ?? {}).filter(([, state]) => state === 'down');
      return { detail: [`at version ${version}`, ...down.map(([name]) => `not connected to ${name}`)].join(', ') };
    }),
    probe('signing', config.signing.key_store, async () => {
      const { signer, records, nextProblem } = await keyStore.load();
      await signer.sign('probe');
      const { algorithm } = config.signing;
      const rotations = rotationsUntil(records, algorithm);
      const said = [
        `signs with ${signer.kid}`,
        ...(rotations > 0
          ? [`${algorithm} after ${rotations} more ${rotations === 1 ? 'rotation' : 'rotations'}`]
          : []),
        ...(nextProblem ? ['the next key cannot be used, see the log; a rotation with force replaces it'] : []),
      ];
      if (nextProblem) logger.warn({ subsystem: 'signing', err: nextProblem }, 'the next signing key cannot be used');
      return { wrong: nextProblem !== undefined, detail: said.join('; ') };
    }),
    cipher === undefined
      ? ({ name: 'encryption', status: 'not_configured' } as const)
      : probe('encryption', cipher.backend, () => probeCipher(cipher, store)),
    ...(redis === undefined
      ? []
      : [
          probe('redis', undefined, async () => {
            const { pingRedis } = await import('@authserver/replay/redis');
            await pingRedis(redis, patienceMs / 2);
            return answered;
          }),
        ]),
  ]);
};

const inTime = <T>(work: Promise<T>): Promise<T> => {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${patienceMs} ms`)), patienceMs);
  return Promise.race([work, promise]).finally(() => clearTimeout(timer));
};
