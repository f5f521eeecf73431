import type { Config } from '@authserver/config';
import {
  type Attempts,
  attemptsInPostgres,
  attemptsInRedis,
  attemptsWithFallback,
  createRateLimiter,
  type RateLimiter,
  type RedisConnection,
  type SingleUse,
  singleUseInPostgres,
  singleUseInRedis,
} from '@authserver/replay';
import type { Database } from '@authserver/store';
import type { Secrets } from './secrets.ts';
import type { Clock } from './time.ts';

/** What pods must know of each other's requests, and may forget on time. */
export type SharedState = { singleUse: SingleUse; limiter: RateLimiter; attempts: Attempts };

/**
 * Where it is kept. With Redis: there, and each kind says what happens while Redis is away. Without: what must not be used
 * twice and failed sign-ins in PostgreSQL, while every pod counts its own requests.
 */
export const openSharedState = (deps: {
  database: Database;
  redis?: RedisConnection | undefined;
  config: Pick<Config, 'rate_limit'>;
  secrets: Secrets;
  clock: Clock;
}): SharedState => {
  const { database, redis, secrets } = deps;
  const { auth_fail_window, auth_lockout, max_tracked_identities } = deps.config.rate_limit;
  const now = () => deps.clock.now();
  const lockout = { windowSeconds: auth_fail_window, lockoutSeconds: auth_lockout };
  const storedAttempts = attemptsInPostgres(database, lockout);
  return {
    singleUse: redis ? singleUseInRedis(redis, now) : singleUseInPostgres(database, now),
    limiter: createRateLimiter({
      redis,
      maxKeys: max_tracked_identities,
      pseudonym: (key) => secrets.pseudonym(`limit ${key}`).toString('base64url'),
    }),
    attempts: redis ? attemptsWithFallback(attemptsInRedis(redis, lockout), storedAttempts) : storedAttempts,
  };
};
