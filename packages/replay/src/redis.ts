import { createHash } from 'node:crypto';
import { temporarilyUnavailable } from '@authserver/oauth';
import { Redis } from 'ioredis';
import { chargeScript, reserveScript, settleScript } from './redis-scripts.ts';

/** What Redis is used for; a metric label. */
export const redisUses = ['replay', 'limit', 'lockout'] as const;
export type RedisUse = (typeof redisUses)[number];

type Script<Args extends unknown[], Answer> = (key: string, ...args: Args) => Promise<Answer>;
type TwoKeyScript<Answer> = (first: string, second: string, ...args: (string | number)[]) => Promise<Answer>;

/** The client with our scripts, which `redis-scripts.ts` explains. */
export type RedisClient = Redis & {
  chargeBucket: Script<
    [emission: number, capacity: number, cost: number, force: 0 | 1],
    [allowed: number, used: string]
  >;
  reserveAttempt: TwoKeyScript<(string | number)[]>;
  settleAttempt: TwoKeyScript<number>;
};

export type RedisConnection = {
  /** Goes before every key, so that several servers can share one Redis. */
  prefix: string;
  /** @throws {OAuthError} `temporarily_unavailable` (503) when Redis does not answer in time */
  run<T>(use: RedisUse, work: (client: RedisClient) => Promise<T>): Promise<T>;
  /** Whether it is connected now. */
  isUp(): boolean;
  close(): void;
};

export type RedisOptions = {
  /** `redis.url`; `rediss://` is TLS. */
  url: string;
  issuer: string;
  /** Told once when Redis is lost and once when it is back, never with anything of the URL but host and port. */
  onLost: (place: { host: string; port: number }, reason: string) => void;
  onBack: (place: { host: string; port: number }) => void;
  onRun?: (use: RedisUse, seconds: number, failed: boolean) => void;
};

/** Longest wait for an answer; a request that needs one is refused well within a second. */
const answerMs = 500;
const longestPauseMs = 1_000;

/**
 * The connection to Redis. It never holds up a start, never ends the process and never queues: what cannot be sent now
 * fails now, and a command without an answer is not sent again, because nobody knows whether it was carried out.
 */
export const openRedis = (options: RedisOptions): RedisConnection => {
  const client = new Redis(options.url, {
    lazyConnect: true,
    connectTimeout: 1_000,
    commandTimeout: answerMs,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    connectionName: 'authserver',
    retryStrategy: (times) => Math.min(longestPauseMs, 50 * 2 ** Math.min(times, 5)) * (0.5 + Math.random() / 2),
    // A replica that was made of our primary, or a Redis that still loads its data: look for another one.
    reconnectOnError: ({ message }) => /^(READONLY|LOADING|MASTERDOWN)/.test(message),
    scripts: {
      chargeBucket: { lua: chargeScript, numberOfKeys: 1 },
      reserveAttempt: { lua: reserveScript, numberOfKeys: 2 },
      settleAttempt: { lua: settleScript, numberOfKeys: 2 },
    },
  }) as RedisClient;
  const place = { host: client.options.host ?? 'localhost', port: client.options.port ?? 6379 };

  let state: 'starting' | 'up' | 'lost' = 'starting';
  const lost = (reason: string): void => {
    if (state !== 'lost') options.onLost(place, reason);
    state = 'lost';
  };
  // Only the message: the error of a refused AUTH has the password among its properties.
  client.on('error', (error: Error) => lost(reasonOf(error)));
  client.on('close', () => lost('the connection was closed'));
  client.on('ready', () => {
    if (state === 'lost') options.onBack(place);
    state = 'up';
  });
  client.connect().catch(() => {}); // reported above, and tried again by itself

  return {
    prefix: `authserver:${createHash('sha256').update(options.issuer).digest('base64url').slice(0, 12)}:`,
    async run(use, work) {
      const start = performance.now();
      let failed = true;
      try {
        const result = await work(client);
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
    isUp: () => state === 'up',
    close() {
      client.removeAllListeners('close');
      client.disconnect();
    },
  };
};

/** Node joins the failures of several addresses into one error without a message; the driver speaks of its own options. */
const reasonOf = ({ message, code, name }: Error & { code?: string }): string =>
  /enableOfflineQueue|max retries per request/.test(message) ? 'not connected' : message || code || name;
