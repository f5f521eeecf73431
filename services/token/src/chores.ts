import type { Config } from '@authserver/config';
import { deleteExpiredAttempts, deleteExpiredClaims } from '@authserver/replay';
import type { Database, Store } from '@authserver/store';
import { type ClientUse, registrationExpiry } from './clients/registration-expiry.ts';
import type { Chore } from './housekeeping.ts';
import { after } from './time.ts';

const daySeconds = 86_400;

type ChoresDeps = { database: Database; store: Store; config: Config; clientUse: ClientUse };

/** What is over and may go, a line a table. */
export const listChores = ({ database, store, config, clientUse }: ChoresDeps): Chore[] => [
  clientUse.write,
  ...registrationExpiry(store, config),
  {
    name: 'device codes',
    // A device that asks late should hear that its code has expired, not that there was none.
    run: (now, limit) => store.deviceCodes.deleteExpired(after(now, -config.device.code_ttl), limit),
  },
  { name: 'pushed requests', run: (now, limit) => store.pushedRequests.deleteExpired(now, limit) },
  { name: 'single use', run: (now, limit) => deleteExpiredClaims(database, now, limit) },
  {
    name: 'sign-in attempts',
    run: (now, limit) => deleteExpiredAttempts(database, now, limit, config.rate_limit.max_tracked_identities),
  },
  {
    name: 'connection events',
    run: (now, limit) => store.connectionEvents.deleteOlder(after(now, -daySeconds), limit),
  },
];
