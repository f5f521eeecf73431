import { createHash } from 'node:crypto';
import { temporarilyUnavailable } from '@authserver/oauth';
import { inSpan, type redisUses, type SpanOptions } from '@authserver/telemetry';
import { createRedisClient, type RedisClient } from './redis-client.ts';
import { placeOf, type RedisSettings } from './redis-settings.ts';

/** What Redis is used for; a metric label. */
export type RedisUse = (typeof redisUses)[number];

export type RedisConnection = {
  /** Goes before every key, so that several servers can share one Redis. */
  prefix: string;
  /** @throws {OAuthError} `temporarily_unavailable` (503) when Redis does not answer in time, or refuses */
  run<T>(use: RedisUse, work: (client: RedisClient) => Promise<T>): Promise<T>;
  /** Whether it is connected now; `awaited` until it has answered for the first time. */
  standing(): 'awaited' | 'up' | 'lost';
  /** Resolves when the first attempt to connect has ended, well or not. */
  attempted: Promise<void>;
  close(): void;
};

export type RedisConnectionOptions = RedisSettings & {
  issuer: string;
  /** Told once when Redis is lost and once when it is back, never with anything of the settings but host and port. */
  onLost: (place: { host: string; port: number }, reason: string) => void;
  onBack: (place: { host: string; port: number }) => void;
  /** Told on each connection to a Redis that deletes keys before their time when it is full. */
  onForgetful?: (policy: string) => void;
  onRun?: (use: RedisUse, seconds: number, failed: boolean) => void;
};

/** Longest wait for an answer; a request that needs one is refused well within a second. */
const answerMs = 500;
/** The same with what a cluster needs to find out where a key lives now. */
const patienceMs = 700;
const longestPauseMs = 1_000;

/** The connection to Redis. It never ends the process and keeps nobody waiting. */
export const openRedis = (options: RedisConnectionOptions): RedisConnection => {
  const client = createRedisClient(options, {
    connectTimeout: 1_000,
    commandTimeout: answerMs,
    connectionName: 'authserver',
    retryStrategy: (times) => Math.min(longestPauseMs, 50 * 2 ** Math.min(times, 5)) * (0.5 + Math.random() / 2),
  });
  const place = placeOf(options);

  let state: 'starting' | 'up' | 'lost' = 'starting';
  let hasAnswered = false;
  const attempt = Promise.withResolvers<void>();
  const lost = (reason: string): void => {
    if (state !== 'lost') options.onLost(place, reason);
    state = 'lost';
    attempt.resolve();
  };
  // Only the message: the error of a refused AUTH has the password among its properties.
  client.on('error', (error: Error) => lost(reasonOf(error)));
  client.on('close', () => lost('the connection was closed'));
  client.on('ready', () => {
    if (state === 'lost') options.onBack(place);
    state = 'up';
    hasAnswered = true;
    attempt.resolve();
    client.info('memory').then(
      (info) => {
        const policy = evictionPolicy(info);
        if (policy !== undefined) options.onForgetful?.(policy);
      },
      () => {}, // not everybody lets us ask
    );
  });
  client.connect().catch(() => {}); // reported above, and tried again by itself

  return {
    prefix: `authserver:${createHash('sha256').update(options.issuer).digest('base64url').slice(0, 12)}:`,
    async run(use, work) {
      const start = performance.now();
      let failed = true;
      try {
        const result = await inSpan(`redis ${use}`, () => within(patienceMs, work(client)), commandSpan);
        failed = false;
        return result;
      } catch (error) {
        const reason = reasonOf(error as Error);
        // The line is up and nobody answers. Hanging up makes the next caller fail at once instead of waiting as long.
        if (/timed out/i.test(reason) && client.status === 'ready') client.disconnect(true);
        throw temporarilyUnavailable(new Error(`Redis: ${reason}`));
      } finally {
        options.onRun?.(use, (performance.now() - start) / 1000, failed);
      }
    },
    standing: () => (state === 'up' ? 'up' : hasAnswered ? 'lost' : 'awaited'),
    attempted: attempt.promise,
    close() {
      client.removeAllListeners('close');
      client.disconnect();
    },
  };
};

/** How a Redis makes room by deleting what has not ended yet, from its `INFO`; `undefined` when it does not. */
export const evictionPolicy = (info: string): string | undefined => {
  const value = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const policy = value('maxmemory_policy');
  return (value('maxmemory') ?? '0') === '0' || policy === 'noeviction' ? undefined : policy;
};

const commandSpan: SpanOptions = { kind: 'client', attributes: { 'db.system.name': 'redis' } };

const within = <T>(ms: number, work: Promise<T>): Promise<T> => {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('Command timed out')), ms);
  return Promise.race([work, promise]).finally(() => clearTimeout(timer));
};

/** Node joins the failures of several addresses into one error without a message; the driver speaks of its own options. */
const reasonOf = ({ message, code, name }: Error & { code?: string }): string =>
  /enableOfflineQueue|max retries per request|Cluster isn't ready/.test(message)
    ? 'not connected'
    : message || code || name;
