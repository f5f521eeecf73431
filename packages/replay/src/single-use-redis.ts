import { createHash } from 'node:crypto';
import type { RedisConnection } from './redis.ts';
import type { SingleUse, SingleUseKind } from './single-use.ts';

/**
 * Single use in Redis: `SET … NX` decides the race, and the key's own lifetime forgets it.
 *
 * There is no falling back to PostgreSQL when Redis is away: what was claimed there a moment ago would be unknown here,
 * and everything captured before could be used a second time. So a claim then fails, and with it the request.
 */
export const singleUseInRedis = (redis: RedisConnection): SingleUse => {
  const nameOf = (kind: SingleUseKind, key: string): string =>
    `${redis.prefix}once:${kind}:${createHash('sha256').update(key).digest('base64url')}`;
  return {
    async claim(kind, key, kept) {
      const [until, forMs] = 'until' in kept ? [kept.until.getTime(), 0] : [0, kept.forSeconds * 1000];
      return (await redis.run('replay', (client) => client.claimOnce(nameOf(kind, key), until, forMs))) === 1;
    },
    isClaimed: async (kind, key) => (await redis.run('replay', (client) => client.get(nameOf(kind, key)))) !== null,
  };
};
