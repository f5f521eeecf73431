import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import * as scripts from './redis-scripts.ts';

/** `redis.*` as the configuration has it. Only `url` is needed. */
export type RedisSettings = {
  /** Where it is; `rediss://` is TLS. May carry user, password and the number of a database. */
  url: string;
  username?: string | undefined;
  password?: string | undefined;
  tls?: { ca_path?: string | undefined; cert_path?: string | undefined; key_path?: string | undefined };
  /** The node at `url` is one of a cluster, and tells where the others are. */
  cluster?: boolean;
  /** Sentinels (`host:port`) that tell where the primary called `primary` is; host and port of `url` then mean nothing. */
  sentinel?: { nodes: readonly string[]; primary: string; password?: string | undefined };
};

/** What the configuration says of Redis; `undefined` without `redis.url`. */
export const redisSettings = ({ redis }: { redis: ConfiguredRedis }): RedisSettings | undefined => {
  const { url, sentinel, ...rest } = redis;
  if (url === undefined) return undefined;
  return { ...rest, url, ...(sentinel.nodes.length > 0 && { sentinel }) };
};

type ConfiguredRedis = Omit<RedisSettings, 'url' | 'sentinel'> & {
  url?: string | undefined;
  sentinel: NonNullable<RedisSettings['sentinel']>;
};

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

/** Where it is as far as the settings tell: the only part of them that may be shown. */
export const placeOf = ({ url, sentinel }: RedisSettings): { host: string; port: number } => {
  const [first] = sentinel?.nodes ?? [];
  if (first !== undefined) return readNode(first);
  const { hostname, port } = urlParts(url);
  return { host: hostname, port };
};

const urlParts = (text: string) => {
  const url = new URL(text);
  const db = Number(url.pathname.slice(1));
  return {
    hostname: url.hostname || 'localhost',
    port: Number(url.port || 6379),
    ...(url.username && { username: decodeURIComponent(url.username) }),
    ...(url.password && { password: decodeURIComponent(url.password) }),
    ...(db > 0 && { db }),
  };
};

const readNode = (node: string): { host: string; port: number } => {
  const colon = node.lastIndexOf(':');
  return { host: node.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(node.slice(colon + 1)) };
};

const tlsOf = ({ url, tls = {} }: RedisSettings) => {
  if (!url.startsWith('rediss:')) return undefined;
  const file = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  const [ca, cert, key] = [file(tls.ca_path), file(tls.cert_path), file(tls.key_path)];
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
};
