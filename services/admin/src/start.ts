import { exposePool, mirrorAudit, openAdminFeed } from '@authserver/boot';
import { type Config, drainTimes, isLocalhostIssuer, parseAddress } from '@authserver/config';
import type { DataCipher } from '@authserver/encryption';
import { type Check, drain, type HttpServer, listen } from '@authserver/http';
import type { Keyring, KeyStore } from '@authserver/keys';
import type { Resolve } from '@authserver/outbound';
import { createStore, openDatabase } from '@authserver/store';
import { type Logger, type Metrics, type Tracing, version } from '@authserver/telemetry';
import { createAdminApp } from './app.ts';
import { createAdminPlane } from './deps.ts';
import { startUpkeep } from './purge/upkeep.ts';
import { seedConfiguration } from './seed.ts';

export type AdminServiceOptions = {
  config: Config;
  dsn: string;
  keyring: Keyring;
  keyStore: KeyStore;
  /** How secrets in the database are encrypted; undefined when nothing is configured. */
  cipher: DataCipher | undefined;
  adminApiKey: string;
  logger: Logger;
  metrics: Metrics;
  tracing?: Tracing | undefined;
  clock: { now(): Date };
  /** Who the audit trail says it was. */
  actor?: string;
  moreChecks?: (() => readonly Check[]) | undefined;
  /** How the hosts of identity providers are found; by the name servers of the system unless said. */
  resolveHost?: Resolve | undefined;
  /** Mean time between two looks whether a rotation is due; a minute unless a test cannot wait. */
  rotationCheckMs?: number | undefined;
};

export type OpenAdmin = { app: HttpServer; beginDrain(): void; close(): Promise<void> };
export type AdminService = { port: number; beginDrain(): void; close(): Promise<void> };

const reportIntervalMs = 5_000;

/** Few, because operators are few; the token plane's pool is its own. */
const connections = 5;

/**
 * The control plane's application without a port: for `startAdminService`, and for the CLI in one process, which is over
 * before anything could change and leaves publishing to those who serve (`follow`).
 */
export const openAdminApp = async (options: AdminServiceOptions & { follow?: boolean }): Promise<OpenAdmin> => {
  const { config, metrics } = options;
  const database = openDatabase({
    dsn: options.dsn,
    maxConnections: connections,
    applicationName: 'authserver admin',
    queryTimeoutMs: 10_000, // an operator's list may take its time
    onQuery: (operation, seconds) => metrics.dbDuration.observe({ operation, store: 'postgres' }, seconds),
    onAudited: mirrorAudit(options.logger),
  });
  exposePool(metrics, 'admin', database);
  let draining = false;
  const feed = options.follow ? await openAdminFeed({ ...options, database }) : undefined;
  try {
    await seedConfiguration(createStore(database), config, options);
    const plane = createAdminPlane({
      ...options,
      database,
      version,
      apiKey: options.adminApiKey,
      draining: () => draining,
      committed: () => feed?.committed(),
      feedStatus: feed?.status,
    });
    const app = await createAdminApp(plane);
    feed?.subscribe('signing_key', () => options.keyring.reload());
    feed?.onReset(() => options.keyring.reload());
    await feed?.start();
    const reporting = setInterval(() => {
      plane.failedKeys
        .report()
        .catch((error: unknown) => options.logger.warn({ err: error }, 'wrong admin keys could not be audited'));
    }, reportIntervalMs);
    reporting.unref();
    return {
      app,
      beginDrain: () => {
        draining = true;
      },
      close: async () => {
        draining = true;
        await drain(app, drainTimes(config).waitMs);
        clearInterval(reporting);
        await feed?.stop();
        await plane.keyUse.close();
        await database.end();
      },
    };
  } catch (error) {
    await feed?.stop();
    await database.end();
    throw error;
  }
};

/** Opens the control plane on `admin.address`. */
export const startAdminService = async (options: AdminServiceOptions): Promise<AdminService> => {
  const admin = await openAdminApp({ ...options, follow: true });
  try {
    const { address } = options.config.admin;
    const port = await listen(admin.app, parseAddress(address), isLocalhostIssuer(options.config.server.issuer));
    const upkeep = startUpkeep(options);
    return {
      port,
      beginDrain: admin.beginDrain,
      close: async () => {
        await Promise.all([upkeep.stop(), admin.close()]);
      },
    };
  } catch (error) {
    await admin.close();
    throw error;
  }
};
