import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from '../world.ts';
import type { Fault } from './fault.ts';

/** Above every number that a release will have. */
let next = 900_000;
const LOCK_NOT_AVAILABLE = '55P03';
const TRIES = 50;

/** One migration as `migrate` applies it: it would rather come again than let others wait for its lock. */
const apply = async ({ cluster }: World, version: number, sql: string): Promise<void> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await cluster.postgres.query(`begin; set local lock_timeout = '400ms'; ${sql};
        insert into schema_migrations (version, name, checksum) values (${version}, '${version}_ahead', 'x'); commit`);
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE || attempt === TRIES) throw error;
      await sleep(200);
    }
  }
};

const tables = ['clients', 'users', 'resources', 'refresh_tokens', 'token_families', 'issuances', 'audit_events'];

/**
 * What a later release does first: its migrations, which only add, one table each, while pods of this release work on.
 * Whatever starts afterwards starts on a schema that is ahead of it.
 */
export const migrationFaults: Fault[] = [
  {
    name: 'migration-ahead',
    alone: true,
    async run(world) {
      const end = world.disturbances.begin({ name: 'migration under load', affects: [], hears: true }, 0);
      for (const table of tables) {
        const version = next;
        next += 1;
        await apply(world, version, `alter table ${table} add column ahead_${version} text not null default 'x'`);
      }
      end();
    },
  },
];
