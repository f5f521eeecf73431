import type { Config } from '@authserver/config';
import {
  type Attempts,
  attemptsInPostgres,
  attemptsInRedis,
  attemptsWithFallback,
  createLeases,
  createRateLimiter,
  type Leases,
  leasesInPostgres,
  leasesInRedis,
  type RateLimiter,
  type RedisConnection,
  type SingleUse,
  singleUseInPostgres,
  singleUseInRedis,
} from '@authserver/replay';
import type { Database } from '@authserver/store';
import type { Secrets } from './secrets.ts';

/** What pods must know of each other's requests, and may forget on time. */
export type SharedState = { singleUse: SingleUse; limiter: RateLimiter; attempts: Attempts; leases: Leases };

/**
 * Where it is kept. With Redis: there, and each kind says what happens while Redis is away. Without: what must not be used
 * twice and failed sign-ins in PostgreSQL, while every pod counts its own requests.
 */
export const openSharedState = (deps: {
  database: Database;
  redis?: RedisConnection | undefined;
  config: Pick<Config, 'rate_limit'>;
  secrets: Secrets;
}): SharedState => {
  const { database, redis, secrets } = deps;
  const { auth_fail_window, auth_lockout, max_tracked_identities } = deps.config.rate_limit;
  const lockout = { windowSeconds: auth_fail_window, lockoutSeconds: auth_lockout };
  const storedAttempts = attemptsInPostgres(database, lockout);
  return {
    singleUse: redis ? singleUseInRedis(redis) : singleUseInPostgres(database),
    limiter: createRateLimiter({
      redis,
      maxKeys: max_tracked_identities,
      pseudonym: (key) => secrets.pseudonym(`limit ${key}`).toString('base64url'),
    }),
    leases: createLeases(redis ? leasesInRedis(redis) : leasesInPostgres(database)),
    attempts: redis ? attemptsWithFallback(attemptsInRedis(redis, lockout), storedAttempts) : storedAttempts,
  };
};
