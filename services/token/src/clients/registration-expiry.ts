import type { Config } from '@authserver/config';
import type { Client, Store } from '@authserver/store';
import type { Chore } from '../housekeeping.ts';
import { after } from '../time.ts';

/** Under the pressure of many, an unused client this young is still left alone: its user may be at the login page. */
const graceSeconds = 3600;
/** How long people are told why the id their app still uses is gone. */
const tombstoneSeconds = 365 * 86_400;
const mostNoted = 10_000;

/** Which clients got a token here lately; written down now and then, never in a request. */
export type ClientUse = { note(client: Client, now: Date): void; write: Chore };

/** A pod that dies forgets a few minutes of use, which only matters to a client that was idle for a year. */
export const createClientUse = (store: Pick<Store, 'clientExpiry'>): ClientUse => {
  const seen = new Map<string, Date>();
  return {
    note(client, now) {
      if (seen.size < mostNoted) seen.set(client.clientId, now);
    },
    write: {
      name: 'use of clients',
      async run(_now, limit) {
        const uses = [...seen].slice(0, limit).map(([clientId, at]) => ({ clientId, at }));
        if (uses.length === 0) return 0;
        for (const { clientId } of uses) seen.delete(clientId);
        await store.clientExpiry.noteUse(uses);
        return uses.length;
      },
    },
  };
};

/**
 * Self-registered clients that nobody uses go: soon, when nobody ever did, and late, when somebody did once. One that
 * holds anything alive stays, and so does one an operator has plans for. Nobody is ever refused for the sake of a number:
 * where there are too many unused ones, the oldest go first.
 */
export const registrationExpiry = (store: Store, { dcr }: Config): Chore[] => [
  {
    name: 'clients that were never used',
    run: async (now, limit) =>
      dcr.unused_client_ttl === 0 ? 0 : store.clientExpiry.deleteNeverUsed(after(now, -dcr.unused_client_ttl), limit),
  },
  {
    name: 'clients beyond the number that may wait',
    async run(now, limit) {
      if (dcr.unused_client_limit === 0) return 0;
      const excess = (await store.clientExpiry.countNeverUsed()) - dcr.unused_client_limit;
      if (excess <= 0) return 0;
      return store.clientExpiry.deleteNeverUsed(after(now, -graceSeconds), Math.min(excess, limit));
    },
  },
  {
    name: 'clients that are idle',
    async run(now, limit) {
      if (dcr.idle_client_ttl === 0) return 0;
      const before = after(now, -dcr.idle_client_ttl);
      const idle = await store.clientExpiry.listIdle(before, now, Math.min(limit, 50));
      for (const clientId of idle) await endIdle(store, clientId, before, now);
      return 0; // the rest waits for the next round
    },
  },
  {
    name: 'tombstones of clients',
    run: (now, limit) => store.clientTombstones.deleteOlder(after(now, -tombstoneSeconds), limit),
  },
];

/** Consents first, then the client: everybody takes these locks in this order. */
const endIdle = (store: Store, clientId: string, before: Date, now: Date): Promise<void> =>
  store.transaction(async (tx) => {
    await tx.consentGrants.lockOf({ clientId });
    if (!(await tx.clientExpiry.deleteIdle(clientId, before, now))) return;
    await tx.clientTombstones.set(clientId, 'idle', now);
    await tx.auditEvents.insert({ action: 'client.expired', at: now, clientId, details: { unused_since: before } });
    await tx.changes.record('client', clientId);
  });
