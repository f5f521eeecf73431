import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import * as scripts from './redis-scripts.ts';
import { type RedisSettings, readNode, urlParts } from './redis-settings.ts';

type Script<Args extends unknown[], Answer> = (key: string, ...args: Args) => Promise<Answer>;
type TwoKeyScript<Answer> = (first: string, second: string, ...args: (string | number)[]) => Promise<Answer>;

/** One Redis or a cluster of them, with our scripts, which `redis-scripts.ts` explains. */
export type RedisClient = Redis & {
  claimOnce: Script<[until: number, forMs: number], number>;
  chargeBucket: Script<
    [emission: number, capacity: number, cost: number, force: 0 | 1],
    [allowed: number, used: string]
  >;
  reserveAttempt: TwoKeyScript<(string | number)[]>;
  settleAttempt: TwoKeyScript<number>;
  takeLease: Script<[owner: string, ttlMs: number], string>;
  renewLease: Script<[owner: string, ttlMs: number], number>;
  releaseLease: Script<[owner: string], number>;
};

const ourScripts = {
  claimOnce: { lua: scripts.claimScript, numberOfKeys: 1 },
  chargeBucket: { lua: scripts.chargeScript, numberOfKeys: 1 },
  reserveAttempt: { lua: scripts.reserveScript, numberOfKeys: 2 },
  settleAttempt: { lua: scripts.settleScript, numberOfKeys: 2 },
  takeLease: { lua: scripts.takeLeaseScript, numberOfKeys: 1 },
  renewLease: { lua: scripts.renewLeaseScript, numberOfKeys: 1 },
  releaseLease: { lua: scripts.releaseLeaseScript, numberOfKeys: 1 },
};

/** How a client behaves, whatever it talks to. Times in milliseconds. */
export type RedisManners = {
  connectTimeout: number;
  commandTimeout: number;
  connectionName: string;
  /** Milliseconds until the next try, or `null` for none. */
  retryStrategy: (times: number) => number | null;
};

/**
 * A client that is not connected yet. It never queues: what cannot be sent now fails now, and a command without an answer
 * is not sent again, because nobody knows whether it was carried out.
 *
 * @throws {Error} when a file of `tls` cannot be read
 */
export const createRedisClient = (settings: RedisSettings, manners: RedisManners): RedisClient => {
  const { retryStrategy, ...rest } = manners;
  const tls = tlsOf(settings);
  const { username, password, sentinel } = settings;
  const common = {
    ...rest,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls }),
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // A replica that was made of our primary, or a Redis that still loads its data: look for another one.
    reconnectOnError: ({ message }: Error) => /^(READONLY|LOADING|MASTERDOWN)/.test(message),
  };
  const own = {
    ...common,
    retryStrategy,
    lazyConnect: true,
    enableOfflineQueue: false,
    scripts: ourScripts,
  };
  if (settings.cluster) {
    const { hostname, port, ...parts } = urlParts(settings.url);
    const options = {
      redisOptions: { ...parts, ...common },
      scripts: ourScripts,
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryStrategy,
      maxRedirections: 3,
      retryDelayOnFailover: 50,
      retryDelayOnClusterDown: 50,
      slotsRefreshTimeout: rest.commandTimeout,
    };
    return new Redis.Cluster([{ host: hostname, port }], options) as unknown as RedisClient;
  }
  if (sentinel) {
    const { hostname: _host, port: _port, ...parts } = urlParts(settings.url);
    return new Redis({
      ...parts,
      ...own,
      name: sentinel.primary,
      sentinels: sentinel.nodes.map(readNode),
      sentinelRetryStrategy: retryStrategy,
      ...(sentinel.password !== undefined && { sentinelPassword: sentinel.password }),
      ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
    }) as RedisClient;
  }
  return new Redis(settings.url, own) as RedisClient;
};

const tlsOf = ({ url, tls = {} }: RedisSettings) => {
  if (!url.startsWith('rediss:')) return undefined;
  const file = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  const [ca, cert, key] = [file(tls.ca_path), file(tls.cert_path), file(tls.key_path)];
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
};
