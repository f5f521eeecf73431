import { setTimeout as pause } from 'node:timers/promises';
import { exposePool, mirrorAudit, openTokenFeed } from '@authserver/boot';
import { type Config, drainTimes, isLocalhostIssuer, parseAddress } from '@authserver/config';
import type { FeedStatus } from '@authserver/events';
import { type Check, drain, type HttpServer, listen, type Readiness } from '@authserver/http';
import type { Keyring } from '@authserver/keys';
import { type RedisConnection, redisSettings } from '@authserver/replay';
import { type Database, keepPartitions, openDatabase, partitionsUntil } from '@authserver/store';
import { type Logger, type Metrics, type Tracing, version } from '@authserver/telemetry';
import { createTokenApp } from './app.ts';
import { createTokenPlane, type TokenPlaneOptions } from './deps.ts';
import { createInternalServer } from './internal.ts';
import type { Clock } from './time.ts';

export type TokenServiceOptions = {
  config: Config;
  dsn: string;
  /** `session.secret`, configured or generated. */
  sessionSecret: string;
  keyring: Keyring;
  logger: Logger;
  metrics: Metrics;
  tracing?: Tracing | undefined;
  clock: Clock;
  /** Leads requests to the server, and says by which port, 0 if by none of its own; unless given, `server.address` does. */
  open?: (app: HttpServer) => Promise<number>;
  /** Also serve `/metrics` and health on `server.internal_address`: for a process without the admin role. */
  internalListener: boolean;
  /** Takes the place of a process that served: with Redis away it is as ready as that one was. */
  succeeds?: boolean;
  /** Commands for the start page of a localhost issuer. */
  steps?: readonly { title: string; command: string }[];
  /** Mean time between two rounds of deleting what is over; a minute unless a test cannot wait. */
  housekeepingIntervalMs?: number | undefined;
  resolveHost?: TokenPlaneOptions['resolveHost'];
};

export type TokenService = {
  port: number;
  database: Database;
  /** How far this process follows what others change. */
  feedStatus(): FeedStatus;
  /** What it looks at before it calls itself ready, for another plane in the same process to show. */
  checks: readonly Check[];
  readiness: Readiness;
  /** Lets `/ready` say no, so that a balancer looks elsewhere before the port closes. */
  beginDrain(): void;
  /** Closes the port and lets requests finish. `relieved`: others serve it, so kept connections may come once more. */
  close(options?: { relieved: boolean }): Promise<void>;
};

const lastProbeMs = 1_000;
/** Of the time for the last requests: how long one that is relieved waits for kept connections. */
const lingerShare = 0.5;
const longestKeyReloadMs = 30_000;
/** As long as one attempt to connect. */
const longestRedisWaitMs = 1_000;

/** Opens the data plane: database, change feed, routes, port. Everything it opened is closed again if it fails. */
export const startTokenService = async (options: TokenServiceOptions): Promise<TokenService> => {
  const { config, logger, metrics } = options;
  const database = openDatabase({
    dsn: options.dsn,
    maxConnections: config.storage.postgres.max_conns,
    minConnections: config.storage.postgres.min_conns,
    idleTimeoutSeconds: config.storage.postgres.max_conn_idle_time,
    maxLifetimeSeconds: config.storage.postgres.max_conn_lifetime,
    applicationName: 'authserver token',
    byKey: true,
    onQuery: (operation, seconds) => metrics.dbDuration.observe({ operation, store: 'postgres' }, seconds),
    onAudited: mirrorAudit(logger),
  });
  exposePool(metrics, 'token', database);
  const feed = await openTokenFeed({ ...options, database });
  const now = () => options.clock.now();
  const partitions = keepPartitions({
    database,
    now,
    onFailed: (error) => logger.error({ err: error }, 'the partitions of the coming months could not be made'),
  });
  metrics.partitionsUntil.collectWith(async () =>
    (await partitionsUntil(database, now())).map(({ table, until }) => ({
      labels: { table },
      value: until.getTime() / 1000,
    })),
  );

  const redis = await connectRedis(options);

  let keyReload: NodeJS.Timeout | undefined;
  let draining = false;
  let parting = false;
  let closePlane: (() => Promise<void>) | undefined;
  let app: HttpServer | undefined;
  let internal: HttpServer | undefined;
  const close = async ({ relieved } = { relieved: false }): Promise<void> => {
    const { waitMs } = drainTimes(config);
    draining ||= !relieved;
    parting = true;
    if (app) await drain(app, waitMs, relieved ? waitMs * lingerShare : 0);
    if (internal) await drain(internal, lastProbeMs); // who watches sees the last request end
    await partitions.stop();
    clearInterval(keyReload);
    await feed.stop();
    await closePlane?.();
    redis?.close();
    await database.end();
  };

  try {
    const plane = await createTokenPlane({
      ...options,
      database,
      redis,
      feed,
      version,
      draining: () => draining,
      parting: () => parting || draining,
    });
    closePlane = plane.close;
    plane.housekeeping.start();
    await feed.start();
    // Key files are no part of any transaction, so a rotation may go unannounced: keys are read again at the pace at which
    // a lost announcement is made up for. And who has not read them for minutes may not sign.
    await plane.reloadKeys();
    keyReload = setInterval(plane.reloadKeys, Math.min(config.changes.reconcile_interval * 1000, longestKeyReloadMs));
    keyReload.unref();
    app = await createTokenApp(plane);
    // Where nobody asks for readiness, behind a port that is shared, the first request comes as soon as it is open.
    if (redis) await Promise.race([redis.attempted, pause(longestRedisWaitMs, undefined, { ref: false })]);
    const loopbackOnly = isLocalhostIssuer(config.server.issuer);
    const openPort = (server: HttpServer) => listen(server, parseAddress(config.server.address), loopbackOnly);
    const port = await (options.open ?? openPort)(app);
    if (options.internalListener) {
      internal = createInternalServer({ ...options, readiness: plane.readiness, draining: () => draining });
      await listen(internal, parseAddress(config.server.internal_address), loopbackOnly);
    }
    return {
      port,
      database,
      feedStatus: feed.status,
      checks: plane.checks,
      readiness: plane.readiness,
      beginDrain: () => {
        draining = true;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};

/** Redis may be away when we start, and any time after: what needs it is refused, the rest goes on. */
const connectRedis = async ({ config, logger, metrics }: TokenServiceOptions): Promise<RedisConnection | undefined> => {
  const settings = redisSettings(config);
  if (settings === undefined) return undefined;
  const { openRedis } = await import('@authserver/replay/redis');
  return openRedis({
    ...settings,
    issuer: config.server.issuer,
    onLost: (place, reason) => logger.error({ ...place, reason }, 'Redis is not reachable'),
    onBack: (place) => logger.info(place, 'Redis is reachable again'),
    onForgetful: (policy) =>
      logger.error(
        { policy },
        'Redis deletes keys when it is full, so what was used once might be used again: set maxmemory-policy to noeviction',
      ),
    onRun(use, seconds, failed) {
      metrics.dbDuration.observe({ operation: `redis_${use}`, store: 'redis' }, seconds);
      if (failed) metrics.redisErrors.inc({ use });
    },
  });
};
