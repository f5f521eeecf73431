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

/** Where it is as far as the settings tell: the only part of them that may be shown. */
export const placeOf = ({ url, sentinel }: RedisSettings): { host: string; port: number } => {
  const [first] = sentinel?.nodes ?? [];
  if (first !== undefined) return readNode(first);
  const { hostname, port } = urlParts(url);
  return { host: hostname, port };
};

/** What a URL says, in the words of the client. */
export const urlParts = (text: string) => {
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

/** A sentinel as it is configured, `host:port`. */
export const readNode = (node: string): { host: string; port: number } => {
  const colon = node.lastIndexOf(':');
  return { host: node.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(node.slice(colon + 1)) };
};
