import type { Client, Store } from '@authserver/store';
import type { Chore } from '../housekeeping.ts';

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
      ofThisPod: true,
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
