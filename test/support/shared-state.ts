import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import {
  type AttemptRules,
  type Attempts,
  attemptsInPostgres,
  attemptsInRedis,
  createLeases,
  createRateLimiter,
  type LeaseStore,
  type Leases,
  leasesInPostgres,
  leasesInRedis,
  type RateLimiter,
  type RedisConnection,
  type RedisSettings,
  type SingleUse,
  singleUseInPostgres,
  singleUseInRedis,
} from '@authserver/replay';
import { openRedis } from '@authserver/replay/redis';
import { type Database, openDatabase } from '@authserver/store';
import { createDatabase } from './database.ts';
import { redis as findRedis } from './services.ts';

/** What one pod knows of the others' requests, over connections of its own. */
export type SharedPod = {
  singleUse: SingleUse;
  attempts: Attempts;
  leases: Leases;
  leaseStore: LeaseStore;
  limiter: RateLimiter;
};

export type SharedEngine = {
  name: 'PostgreSQL' | 'Redis';
  pods: readonly [SharedPod, SharedPod, SharedPod];
  /** Lets this much time pass for everything that is kept, at once. */
  age(ms: number): Promise<void>;
  /** Loses everything that is kept. */
  wipe(): Promise<void>;
  /** What a process of its own needs to be a pod as well. */
  place: SharedPlace;
};

export type SharedPlace = { dsn: string } | (RedisSettings & { issuer: string; impatient?: boolean });

export const lockoutRules: AttemptRules = { windowSeconds: 600, lockoutSeconds: 900 };
/** A test that looks for them does not find them by chance. */
export const randomName = (): string => randomBytes(8).toString('hex');
export const inMs = (ms: number) => ({ until: new Date(Date.now() + ms) });

/** A pod's view of the place. Everything it opens ends with the test file. */
export const openSharedPod = async (place: SharedPlace): Promise<SharedPod & { redis?: RedisConnection }> => {
  if ('dsn' in place) {
    const database = openDatabase({ dsn: place.dsn, maxConnections: 3, applicationName: 'authserver test' });
    after(() => database.end());
    return {
      singleUse: singleUseInPostgres(database),
      attempts: attemptsInPostgres(database, lockoutRules),
      leases: createLeases(leasesInPostgres(database)),
      leaseStore: leasesInPostgres(database),
      limiter: createRateLimiter({ maxKeys: 1000, pseudonym: (key) => key }),
    };
  }
  const redis = await connectRedis(place);
  return {
    redis,
    singleUse: singleUseInRedis(redis),
    attempts: attemptsInRedis(redis, lockoutRules),
    leases: createLeases(leasesInRedis(redis)),
    leaseStore: leasesInRedis(redis),
    limiter: createRateLimiter({ redis, maxKeys: 1000, pseudonym: (key) => key }),
  };
};

/** A connection that is ready, or was given five seconds to be; less by the impatient, who expect none. */
export const connectRedis = async (
  options: RedisSettings & { issuer: string; onForgetful?: (policy: string) => void; impatient?: boolean },
): Promise<RedisConnection> => {
  const connection = openRedis({ onLost: () => {}, onBack: () => {}, ...options });
  after(() => connection.close());
  for (const end = performance.now() + (options.impatient ? 100 : 5_000); performance.now() < end; ) {
    if (await connection.run('replay', (client) => client.ping()).catch(() => undefined)) return connection;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return connection;
};

/** Both engines, each with three pods. */
export const sharedEngines = async (): Promise<SharedEngine[]> => {
  const { dsn, drop } = await createDatabase();
  const database = openDatabase({ dsn, maxConnections: 1, applicationName: 'authserver test' });
  const place = { url: (await findRedis()).url, issuer: `https://${randomName()}.example.com` };
  const redis = await connectRedis(place);
  const threePods = async (at: SharedPlace): Promise<SharedEngine['pods']> => [
    await openSharedPod(at),
    await openSharedPod(at),
    await openSharedPod(at),
  ];
  const engines: SharedEngine[] = [
    {
      name: 'PostgreSQL',
      pods: await threePods({ dsn }),
      age: (ms) => ageRows(database, ms),
      wipe: async () => {
        for (const table of ['single_use', 'login_attempts', 'leases'])
          await database.query(`wipe_${table}`, `delete from ${table}`);
      },
      place: { dsn },
    },
    {
      name: 'Redis',
      pods: await threePods(place),
      age: (ms) => ageKeys(redis, ms),
      wipe: () => ageKeys(redis, 1e12),
      place,
    },
  ];
  // Registered last, so it runs after the pods have closed.
  after(async () => {
    await database.end();
    await drop();
  });
  return engines;
};

const ageRows = async (database: Database, ms: number): Promise<void> => {
  const by = [ms / 1000];
  const shift = 'make_interval(secs => $1)';
  await database.query('age_1', `update single_use set expires_at = expires_at - ${shift}`, by);
  await database.query(
    'age_2',
    `update login_attempts set window_ends_at = window_ends_at - ${shift}, locked_until = locked_until - ${shift}`,
    by,
  );
  await database.query('age_3', `update leases set ends_at = ends_at - ${shift}`, by);
};

/** Every time that is in a value, and every lifetime of a key. */
const ageScript = `
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local left = redis.call('PTTL', key) - ARGV[2]
  for _, member in ipairs({ 'window_ends', 'locked_until' }) do
    local at = redis.call('TYPE', key).ok == 'hash' and tonumber(redis.call('HGET', key, member) or '0') or 0
    if at > 0 then redis.call('HSET', key, member, string.format('%d', at - ARGV[2])) end
  end
  if left > 0 then redis.call('PEXPIRE', key, left) else redis.call('DEL', key) end
end`;

/** Lets this much time pass for every key of a server. */
export const ageKeys = (redis: RedisConnection, ms: number): Promise<void> =>
  redis.run('replay', async (client) => {
    await client.eval(ageScript, 0, `*${redis.prefix}*`, ms);
  });
