import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, loadConfig } from '@authserver/config';
import { createLogger, createMetrics, type Metrics } from '@authserver/telemetry';
import { startTokenService, type TokenService } from '@authserver/token';
import { startAdminPlane } from './admin-plane.ts';
import type { TestClock } from './clock.ts';
import { openKeys } from './open-keys.ts';
import { freePorts } from './server-process.ts';

export type StartOptions = {
  /** Settings by their environment name without `AUTHPLANE_`. */
  env?: Record<string, string>;
  /** Settings that only a file can have. */
  settings?: Record<string, unknown>;
  /** Variables that settings name, such as that of the master key. */
  secrets?: Record<string, string>;
  /** Other settings of the control plane. */
  adminEnv?: Record<string, string>;
  /** Identical token services over the same database. */
  pods?: number;
  /** Path of the issuer. */
  issuerPath?: string;
  /** Also the control plane; with a number so many of it, all with one key. */
  admin?: boolean | number;
  /** Another way for the data plane to the same database, such as a proxy that can be cut. */
  databaseThrough?: (dsn: string) => Promise<string>;
  /** The same for the first pod alone. */
  firstThrough?: (dsn: string) => Promise<string>;
  /** What the names of other hosts lead to; nothing leads anywhere else. */
  hosts?: (name: string) => readonly string[];
  /** Mean time between two rounds of deleting what is over. */
  housekeepingMs?: number;
  /** Whether token services open their internal port, where Prometheus asks them. */
  scraped?: boolean;
  /** By how many seconds the clock of each pod is wrong. */
  wrongBy?: readonly number[];
  /** Mean time between two looks of the control plane whether a key rotation is due. */
  rotationCheckMs?: number;
  /** The time by which processes judge how long ago they read the signing keys. */
  monotonicMs?: () => number;
};

/** All tests come from one address. Those about limits set their own. */
const roomyLimits = {
  RATE_LIMIT_RPS: '100000',
  RATE_LIMIT_BURST: '100000',
  RATE_LIMIT_AUTH_FAIL_MAX: '10000',
  DCR_RATE_LIMIT: '100000',
  DCR_RATE_LIMIT_BURST: '100000',
  ADMIN_REQUESTS_PER_SECOND: '0',
  ADMIN_AUTH_FAIL_MAX: '10000',
};

const sessionSecret = 'a session secret of the tests, long enough';

export type Pod = { url: string; internalAddress: string; config: Config; metrics: Metrics; service: TokenService };

const configFrom = (settings: Record<string, string>, secrets: Record<string, string> = {}, path?: string): Config =>
  loadConfig({
    path,
    env: {
      ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [`AUTHPLANE_${name}`, value])),
      ...secrets,
    },
  }).config;

/** The clock of the tests as a pod has it whose own is wrong. */
const wrongClock = (clock: TestClock, seconds = 0): Pick<TestClock, 'now'> => ({
  now: () => new Date(clock.now().getTime() + seconds * 1000),
});

/** The control plane as a process of its own would be: with settings and keys of its own reading. */
export const startAdmin = async (
  options: StartOptions,
  issuer: string,
  dsn: string,
  directory: string,
  clock: TestClock,
  key?: string,
) => {
  const settings = {
    SERVER_ISSUER: issuer,
    ADMIN_ADDRESS: `:${(await freePorts(1))[0]}`,
    STORAGE_DRIVER: 'postgres',
    STORAGE_POSTGRES_DSN: dsn,
    SIGNING_KEY_PATH: join(directory, 'keys'),
    LOG_LEVEL: 'error',
    PURGE_INTERVAL: '0', // a test deletes when it means to
    ...roomyLimits,
    ...options.env,
    ...options.adminEnv,
  };
  const config = configFrom(settings, options.secrets);
  const { keyStore, keyring, cipher, closeKeys } = await openKeys(config, dsn, clock, options);
  const plane = await startAdminPlane({
    ...{ config, dsn, keyStore, keyring, cipher, clock, key },
    resolveHost: options.hosts && (async (name) => options.hosts?.(name) ?? []),
    rotationCheckMs: options.rotationCheckMs,
  });
  const { close } = plane.service;
  return { ...plane, service: { ...plane.service, close: () => close().then(closeKeys) } };
};

/** Pods of the data plane as processes of their own would be. */
export const startPods = async (
  options: StartOptions,
  sharedDsn: string,
  directory: string,
  clock: TestClock,
): Promise<Pod[]> => {
  const pods = options.pods ?? 1;
  const free = await freePorts(pods * 2); // all different, so asked for at once
  const [ports, internalPorts] = [free.slice(0, pods), free.slice(pods)];
  const issuer = `http://localhost:${ports[0]}${options.issuerPath ?? ''}`;
  const path = options.settings && join(directory, 'settings.yaml');
  if (path) await writeFile(path, JSON.stringify(options.settings));
  const firstDsn = (await options.firstThrough?.(sharedDsn)) ?? sharedDsn;
  return Promise.all(
    ports.map(async (port, index) => {
      const dsn = index === 0 ? firstDsn : sharedDsn;
      const own = wrongClock(clock, options.wrongBy?.[index]);
      const settings = {
        SERVER_ISSUER: issuer,
        SERVER_ADDRESS: `:${port}`,
        SERVER_INTERNAL_ADDRESS: `:${internalPorts[index]}`,
        STORAGE_DRIVER: 'postgres',
        STORAGE_POSTGRES_DSN: dsn,
        SIGNING_KEY_PATH: join(directory, 'keys'),
        LOG_LEVEL: 'error',
        CHANGES_RECONCILE_INTERVAL: '500ms',
        ...roomyLimits,
        ...options.env,
      };
      const config = configFrom(settings, options.secrets, path);
      const metrics = createMetrics();
      const { keyring, closeKeys } = await openKeys(config, dsn, own, options);
      const logger = createLogger({ level: config.observability.logging.level, stdout: true });
      const service = await startTokenService({
        config,
        dsn,
        sessionSecret,
        keyring,
        logger,
        metrics,
        clock: own,
        internalListener: options.scraped ?? false,
        resolveHost: options.hosts && (async (name) => options.hosts?.(name) ?? []),
        housekeepingIntervalMs: options.housekeepingMs,
      });
      const close = () => service.close().then(closeKeys);
      return {
        url: `http://localhost:${port}${options.issuerPath ?? ''}`,
        internalAddress: `localhost:${internalPorts[index]}`,
        ...{ config, metrics },
        service: { ...service, close },
      };
    }),
  );
};
