/** One process of a race (`race.ts`): says that it is ready, waits for the word, tries to win every name, and prints those it won. */
import { once } from 'node:events';
import {
  createLeases,
  leasesInPostgres,
  leasesInRedis,
  singleUseInPostgres,
  singleUseInRedis,
} from '@authserver/replay';
import { openRedis } from '@authserver/replay/redis';
import { openDatabase } from '@authserver/store';
import type { Race } from './race.ts';

const { place, task, names } = JSON.parse(process.argv[2] ?? '') as Race;

const open = () => {
  if ('dsn' in place) {
    const database = openDatabase({ dsn: place.dsn, maxConnections: 4, applicationName: 'authserver test racer' });
    return {
      singleUse: singleUseInPostgres(database),
      leases: createLeases(leasesInPostgres(database)),
      warmUp: () => database.query('warm_up', 'select 1'),
    };
  }
  const redis = openRedis({ ...place, onLost: () => {}, onBack: () => {} });
  return {
    singleUse: singleUseInRedis(redis),
    leases: createLeases(leasesInRedis(redis)),
    warmUp: async () => {
      while (!(await redis.run('replay', (client) => client.ping()).catch(() => undefined)))
        await new Promise((resolve) => setTimeout(resolve, 20));
    },
  };
};

const { singleUse, leases, warmUp } = open();
await warmUp();
console.log('ready');
await once(process.stdin, 'data');
const won: string[] = [];
for (const name of names) {
  const mine =
    task === 'claim'
      ? await singleUse.claim('dpop_proof', name, { forSeconds: 60 })
      : (await leases.acquire(name as 'housekeeping', { ttlMs: 60_000 })) !== undefined;
  if (mine) won.push(name);
}
console.log(JSON.stringify(won));
process.exit(0);
