/** What both planes look at before they call themselves ready. Reasons are for operators and hold no secret. */
import type { FeedStatus } from '@authserver/events';
import { type Check, degraded, failed, ok } from '@authserver/http';
import type { Keyring } from '@authserver/keys';
import { pendingMigrations, type Queryable } from '@authserver/store';

export const databaseCheck = (database: Queryable): Check => ({
  name: 'database',
  async look() {
    await database.query('ping', 'select 1');
    return ok;
  },
});

/** Somebody may have put an older copy of the database in its place. */
export const migrationsCheck = (database: Queryable): Check => ({
  name: 'migrations',
  async look() {
    const pending = await pendingMigrations(database);
    return pending.length === 0 ? ok : failed(`not applied: ${pending.join(', ')}; run authserver migrate`);
  },
});

/**
 * Whether there is a key, and whether it signs. A key that lives elsewhere and does not answer is away for every process at
 * once: the JWKS, introspection and revocation go on without it, so requests are still taken.
 */
export const signingCheck = (keyring: Keyring): Check => ({
  name: 'signing',
  look() {
    const signature = keyring.signer().sign('readiness');
    if (!(signature instanceof Promise)) return ok;
    return signature.then(
      () => ok,
      () => degraded('the keys do not answer; no token can be signed'),
    );
  },
});

/** Two reads at the usual interval. One that fails alone is no reason to send requests elsewhere. */
const mostSecondsUnread = 10;

/**
 * Whether this process learns what others change: what it has in memory may be older than it should. Without a channel it
 * learns by reading at the interval.
 */
export const changeFeedCheck = (status: () => FeedStatus): Check => ({
  name: 'change_feed',
  look() {
    const { reading, version, secondsSinceRead, channels } = status();
    if (version === undefined) return failed('has not been read yet');
    if (!reading && secondsSinceRead > mostSecondsUnread)
      return failed(`has not been read for ${Math.round(secondsSinceRead)} s`);
    const down = Object.entries(channels).flatMap(([name, state]) => (state === 'down' ? [name] : []));
    return down.length === 0 ? ok : degraded(`not connected to ${down.join(', ')}; changes are read at the interval`);
  },
});
