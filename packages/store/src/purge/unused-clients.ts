import { clientExpiry } from '../control/client-expiry.ts';
import type { Database } from '../db.ts';
import { repositories } from '../store.ts';
import { expiring } from './expiring.ts';
import { ago, type PurgeSettings, type PurgeStep } from './target.ts';

/** Under the pressure of many, an unused client this young is still left alone: its user may be at the login page. */
const graceSeconds = 3600;
/** How long people are told why the id their app still uses is gone. */
const tombstoneSeconds = 365 * 86_400;
/** Each is a transaction of its own, with the locks of its consents. */
const mostIdleAtOnce = 50;

/**
 * Self-registered clients that nobody uses go: soon, when nobody ever did, and late, when somebody did once. One that
 * holds anything alive stays, and so does one an operator has plans for. Nobody is ever refused for the sake of a number:
 * where there are too many unused ones, the oldest go first.
 */
export const unusedClients = ({ dcr }: Pick<PurgeSettings, 'dcr'>): PurgeStep[] => [
  neverUsed(dcr.unused_client_ttl),
  beyondLimit(dcr.unused_client_limit),
  idle(dcr.idle_client_ttl),
  expiring({ table: 'client_tombstones', column: 'ended_at', keepSeconds: tombstoneSeconds }),
];

const neverUsed = (ttl: number): PurgeStep => ({
  table: 'clients that were never used',
  async deleteSome(db, { now, limit }) {
    if (ttl === 0) return { deleted: 0 };
    const deleted = await clientExpiry(db).deleteNeverUsed(ago(now, ttl), limit);
    return { deleted, next: deleted < limit ? undefined : 'more' };
  },
  count: async (db, now) => (ttl === 0 ? 0 : (await clientExpiry(db).waiting(ago(now, ttl))).count),
  async dueSince(db, now) {
    if (ttl === 0) return undefined;
    const { oldest } = await clientExpiry(db).waiting(ago(now, ttl));
    return oldest && ago(oldest, -ttl);
  },
});

const beyondLimit = (most: number): PurgeStep => ({
  table: 'clients beyond the number that may wait',
  async deleteSome(db, { now, limit }) {
    const excess = await excessOver(db, most);
    if (excess === 0) return { deleted: 0 };
    const deleted = await clientExpiry(db).deleteNeverUsed(ago(now, graceSeconds), Math.min(excess, limit));
    return { deleted, next: deleted < limit ? undefined : 'more' };
  },
  count: async (db, now) =>
    Math.min(await excessOver(db, most), (await clientExpiry(db).waiting(ago(now, graceSeconds))).count),
  dueSince: async () => undefined, // a matter of number, not of time
});

const excessOver = async (db: Database, most: number): Promise<number> =>
  most === 0 ? 0 : Math.max(0, (await clientExpiry(db).countNeverUsed()) - most);

const idle = (ttl: number): PurgeStep => ({
  table: 'clients that are idle',
  async deleteSome(db, { now, limit }) {
    if (ttl === 0) return { deleted: 0 };
    const before = ago(now, ttl);
    const most = Math.min(limit, mostIdleAtOnce);
    const found = await clientExpiry(db).listIdle(before, now, most);
    let deleted = 0;
    for (const { clientId } of found) if (await endIdle(db, clientId, before, now)) deleted += 1;
    return { deleted, next: found.length < most || deleted === 0 ? undefined : 'more' };
  },
  count: async (db, now) => (ttl === 0 ? 0 : (await clientExpiry(db).listIdle(ago(now, ttl), now, null)).length),
  async dueSince(db, now) {
    if (ttl === 0) return undefined;
    const [first] = await clientExpiry(db).listIdle(ago(now, ttl), now, 1);
    return first && ago(first.lastUsedAt, -ttl);
  },
});

/** Consents first, then the client: everybody takes these locks in this order. */
const endIdle = (db: Database, clientId: string, before: Date, now: Date): Promise<boolean> =>
  db.transaction(async (connection) => {
    const tx = repositories(connection);
    await tx.consentGrants.lockOf({ clientId });
    if (!(await tx.clientExpiry.deleteIdle(clientId, before, now))) return false;
    await tx.clientTombstones.set(clientId, 'idle', now);
    await tx.auditEvents.insert({ action: 'client.expired', at: now, clientId, details: { unused_since: before } });
    await tx.changes.record('client', clientId);
    return true;
  });
