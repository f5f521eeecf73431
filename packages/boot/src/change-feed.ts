/** The change feed as both planes follow it: from which channels, and what is told of it. */
import type { Config } from '@authserver/config';
import {
  type ChangeFeed,
  createChangeFeed,
  type FeedWatcher,
  type NatsTrouble,
  notifyChannel,
  placesOf,
  type Relay,
} from '@authserver/events';
import { changes, type Database } from '@authserver/store';
import type { Logger, Metrics, Tracing } from '@authserver/telemetry';

export type FeedOptions = {
  config: Config;
  /** For LISTEN, which needs a connection of its own. */
  dsn: string;
  database: Database;
  logger: Logger;
  metrics: Metrics;
  tracing?: Tracing | undefined;
};

/** What a pod follows: LISTEN, and NATS if there is one. Not started. */
export const openTokenFeed = async (options: FeedOptions): Promise<ChangeFeed> => {
  const { config, metrics, tracing } = options;
  const nats = natsReporter(options, 'token');
  const channels = isUsed(config) ? [(await natsClient()).natsChannel(config.nats, nats)] : [];
  return createChangeFeed({
    ...feedOf(options, 'token'),
    channels: [notifyChannel(options.dsn, interrupted(options)), ...channels],
    onApplied(kind, seconds) {
      metrics.changePropagation.observe({ kind }, seconds);
      tracing?.note('change_feed apply', seconds, { attributes: { plane: 'token', kind } });
    },
    onChannel(channel, up) {
      metrics.changeChannelUp.set({ plane: 'token', channel }, up ? 1 : 0);
      if (channel === 'nats') nats.onUp(up);
    },
  });
};

/** What a control plane follows: LISTEN. With NATS it publishes there whatever the feed hears of. Not started. */
export const openAdminFeed = async (options: FeedOptions): Promise<ChangeFeed> => {
  const { config, metrics } = options;
  let published: 'up' | 'down' = 'down';
  const onUp = (up: boolean): void => {
    published = up ? 'up' : 'down';
  };
  const relay = isUsed(config) ? await openRelay(options, onUp) : undefined;
  const watcher = feedOf(options, 'admin');
  const feed = createChangeFeed({
    ...watcher,
    channels: [notifyChannel(options.dsn, interrupted(options))],
    onRead(cause, result, version, seconds) {
      watcher.onRead?.(cause, result, version, seconds);
      if (result === 'changes') relay?.nudge();
    },
    onChannel: (channel, up) => metrics.changeChannelUp.set({ plane: 'admin', channel }, up ? 1 : 0),
  });
  return {
    ...feed,
    status() {
      const status = feed.status();
      return relay ? { ...status, channels: { ...status.channels, nats: published } } : status;
    },
    async start() {
      await feed.start();
      relay?.start();
    },
    async stop() {
      await Promise.all([feed.stop(), relay?.stop()]);
    },
  };
};

type Plane = 'token' | 'admin';

const isUsed = ({ nats }: Config): boolean => nats.url.length > 0;

/** Some megabytes that most processes never need. */
const natsClient = () => import('@authserver/events/nats');

const interrupted =
  ({ logger }: FeedOptions) =>
  (error: unknown): void =>
    logger.warn({ err: error }, 'the change feed is interrupted');

const feedOf = (options: FeedOptions, plane: Plane) => {
  const { config, database, logger, metrics, tracing } = options;
  return {
    source: changes(database),
    reconcileIntervalMs: config.changes.reconcile_interval * 1000,
    onError: interrupted(options),
    onHint: (channel, outcome) => metrics.changeHints.inc({ channel, outcome }),
    onRead(cause, result, version, seconds) {
      // A read that finds nothing is done every few seconds.
      if (result !== 'nothing')
        tracing?.note('change_feed read', seconds, {
          attributes: { plane, cause, version },
          ...(result === 'failed' ? { error: { name: 'failed' } } : {}),
        });
      metrics.changeFeedReads.inc({ plane, cause, result });
      if (result === 'failed') return;
      metrics.changeFeedVersion.set({ plane }, version);
      metrics.changeFeedLastRead.set({ plane }, Date.now() / 1000);
    },
    onReset(reason) {
      metrics.changeFeedResets.inc({ plane, reason });
      logger.warn({ reason }, 'changes may have been missed: everything cached is read again');
    },
  } satisfies Partial<FeedWatcher> & Record<string, unknown>;
};

const openRelay = async (options: FeedOptions, tellUp: (up: boolean) => void): Promise<Relay> => {
  const { createRelay } = await natsClient();
  const { config, metrics } = options;
  const nats = natsReporter(options, 'admin');
  return createRelay({
    settings: config.nats,
    source: changes(options.database),
    name: nats.name,
    onPublished: (published) => metrics.changesPublished.inc(published),
    onUp(up) {
      tellUp(up);
      metrics.changeChannelUp.set({ plane: 'admin', channel: 'nats' }, up ? 1 : 0);
      nats.onUp(up);
    },
    onTrouble: nats.onTrouble,
    onError: interrupted(options),
  });
};

/** Counts every trouble with NATS, and logs it when it begins, when it becomes another, and when it is over. */
const natsReporter = ({ config, logger, metrics }: FeedOptions, plane: Plane) => {
  const servers = placesOf(config.nats);
  let told: NatsTrouble | undefined;
  return {
    name: `authserver ${plane}`,
    onTrouble(reason: NatsTrouble): void {
      metrics.natsTroubles.inc({ plane, reason });
      if (reason !== told) logger.warn({ plane, servers, reason }, sentences[reason]);
      told = reason;
    },
    onUp(up: boolean): void {
      if (!up) return;
      if (told !== undefined) logger.info({ plane, servers }, 'NATS is in use again');
      told = undefined;
    },
  };
};

const sentences: Record<NatsTrouble, string> = {
  unreachable: 'NATS cannot be reached; changes travel by LISTEN/NOTIFY and the reconcile interval',
  unauthorized: 'NATS refuses the credentials; changes travel by LISTEN/NOTIFY and the reconcile interval',
  forbidden: 'NATS does not permit the subjects of the change feed; changes travel by LISTEN/NOTIFY and the interval',
  tls: 'the TLS connection to NATS fails; changes travel by LISTEN/NOTIFY and the reconcile interval',
  lost: 'the connection to NATS has ended; a new one is being made',
};
