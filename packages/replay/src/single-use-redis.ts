import { createHash } from 'node:crypto';
import type { RedisConnection } from './redis.ts';
import { keptForMs, type SingleUse } from './single-use.ts';

/**
 * Single use in Redis: `SET … NX` decides the race, and the key's own lifetime forgets it.
 *
 * There is no falling back to PostgreSQL when Redis is away: what was claimed there a moment ago would be unknown here,
 * and everything captured before could be used a second time. So a claim then fails, and with it the request.
 */
export const singleUseInRedis = (redis: RedisConnection, now: () => Date): SingleUse => ({
  async claim(kind, key, expiresAt) {
    const name = `${redis.prefix}once:${kind}:${createHash('sha256').update(key).digest('base64url')}`;
    const answer = await redis.run('replay', (client) =>
      client.set(name, '1', 'PX', keptForMs(expiresAt, now()), 'NX'),
    );
    return answer === 'OK';
  },
});
