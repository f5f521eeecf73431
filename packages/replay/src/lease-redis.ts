import type { LeaseStore } from './lease.ts';
import type { RedisConnection } from './redis.ts';

/** Leases in Redis, a hash each. The key's own lifetime ends them. */
export const leasesInRedis = (redis: RedisConnection): LeaseStore => {
  const key = (name: string): string => `${redis.prefix}lease:${name}`;
  return {
    async take(name, owner, ttlMs) {
      const token = await redis.run('lease', (client) => client.takeLease(key(name), owner, Math.ceil(ttlMs)));
      return token === '0' ? undefined : Number(token);
    },
    async renew(name, owner, ttlMs) {
      return (await redis.run('lease', (client) => client.renewLease(key(name), owner, Math.ceil(ttlMs)))) === 1;
    },
    async release(name, owner) {
      await redis.run('lease', (client) => client.releaseLease(key(name), owner));
    },
  };
};
