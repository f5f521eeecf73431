import type { AttemptRules, Attempts } from './attempts.ts';
import type { RedisConnection } from './redis.ts';

/** Attempts in Redis, a hash a budget. The braces keep both keys of one attempt on one node of a cluster. */
export const attemptsInRedis = (redis: RedisConnection, rules: AttemptRules): Attempts => ({
  async reserve(keys) {
    const name = (index: 0 | 1): string => `{${redis.prefix}attempts}:${keys[index].hash.toString('base64url')}`;
    const [pair, address] = [name(0), name(1)];
    const [allowed, ...times] = (
      await redis.run('lockout', (client) =>
        client.reserveAttempt(
          pair,
          address,
          rules.windowSeconds * 1000,
          rules.lockoutSeconds * 1000,
          keys[0].max,
          keys[1].max,
        ),
      )
    ).map(Number);
    if (allowed !== 1) return { allowed: false, until: new Date(times[0] ?? 0), waitMs: times[1] ?? 0 };
    const settle = async (forget: 0 | 1): Promise<void> => {
      await redis.run('lockout', (client) => client.settleAttempt(pair, address, times[0] ?? 0, times[2] ?? 0, forget));
    };
    const end = (time: number | undefined): Date | undefined => (time ? new Date(time) : undefined);
    return {
      allowed: true,
      lockedUntil: [end(times[1]), end(times[3])],
      succeed: () => settle(1),
      release: () => settle(0),
    };
  },
});
