/**
 * `node test/bench/lists.ts`: how long the first, a middle and the last page of every list of the admin API take at the
 * database, with every filter. Makes a database of its own, fills it, and drops it again; prints a table of the times and
 * then the plans. The times are those of `explain (analyze)`, planning included, the best of three.
 *
 * Environment: TEST_PG_URL; CLIENTS (100000), USERS (1000000), FAMILIES (200000), ISSUANCES (1000000), LIMIT (50);
 * ONLY, a part of the name of a list.
 */
import { createStore, openDatabase } from '@authserver/store';
import { createDatabase } from '../support/database.ts';
import { explain, type Plan, recording } from '../support/explain.ts';
import { type ListCase, listCases } from '../support/list-cases.ts';
import { makeManyRows } from '../support/many-rows.ts';
import { stopServices } from '../support/services.ts';

const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const sizes = {
  clients: number('CLIENTS', 100_000),
  users: number('USERS', 1_000_000),
  families: number('FAMILIES', 200_000),
  issuances: number('ISSUANCES', 1_000_000),
};
const limit = number('LIMIT', 50);
const now = new Date();
const migrated = [
  ...['clients_by_text', 'clients_by_metadata', 'clients_by_status', 'clients_by_source', 'clients_by_use'],
  ...['users_by_text', 'users_by_status', 'users_by_role', 'users_by_provider'],
  ...['token_families_of_client', 'token_families_of_user', 'issuances_without_family', 'issuances_revoked'],
];

const { dsn, drop } = await createDatabase();
const database = openDatabase({ dsn, maxConnections: 1, applicationName: 'bench', queryTimeoutMs: 600_000 });
try {
  const version = (await database.query('version', `select current_setting('server_version') as v`)).rows[0]?.v;
  console.log(`PostgreSQL ${version}, ${JSON.stringify(sizes)}, pages of ${limit}\n`);
  await makeManyRows(database, sizes, now, (what, ms) => console.log(`${what}: ${(ms / 1000).toFixed(1)} s`));

  const { db, statements } = recording(database);
  const store = createStore(db);
  const only = (await listCases(store, sizes, now)).filter(({ name }) => name.includes(process.env.ONLY ?? ''));
  const plans: [string, Plan][] = [];
  const measure = async (name: string, work: () => Promise<unknown>): Promise<string> => {
    statements.length = 0;
    await work();
    const times: string[] = [];
    for (const statement of [...statements]) {
      const tries = [];
      for (let n = 0; n < 3; n += 1) tries.push(await explain(database, statement));
      const best = tries.sort((a, b) => a.milliseconds - b.milliseconds)[0] as Plan;
      plans.push([`${name}: ${statement.operation}`, best]);
      times.push(best.milliseconds.toFixed(1));
    }
    return times.join(' + ');
  };

  console.log('\n| list | first page (+ count) | middle | last |\n| --- | --- | --- | --- |');
  for (const listed of only) {
    const first = await measure(`${listed.name}, first page`, () => listed.list({ limit, offset: 0 }));
    const { middle, last } = await positionsOf(listed);
    const later = async (name: string, after: string | undefined) =>
      after === undefined
        ? ''
        : measure(`${listed.name}, ${name} page`, () => listed.list({ limit, offset: 0, after }));
    console.log(`| ${listed.name} | ${first} | ${await later('middle', middle)} | ${await later('last', last)} |`);
  }
  if (!process.env.ONLY) {
    console.log('\nbuilding what 0022_lists adds:');
    for (const index of migrated) {
      const started = performance.now();
      await database.query('reindex', `reindex index ${index}`, [], { planned: 'anew' });
      console.log(`${index}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
    const yesterday = new Date(now.getTime() - 24 * 3600 * 1000);
    console.log(
      `\ncount of ended tokens: ${await measure('stats', () => store.issuances.countEndedSince(yesterday))} ms`,
    );
    console.log(`count of issued tokens: ${await measure('stats', () => store.issuances.countSince(yesterday))} ms`);
  }
  for (const [name, { text }] of plans) console.log(`\n### ${name}\n\n${text}`);
} finally {
  await database.end();
  await drop();
  await stopServices();
}

/** Where the middle and the last page begin: found by offset, which is what the cursor saves. */
async function positionsOf({ list, positions }: ListCase): Promise<{ middle?: string; last?: string }> {
  if (positions) return positions;
  let { total } = await list({ limit, offset: 0 });
  total ??= Math.floor(sizes.users * 0.99); // only users are more than are counted
  if (total <= limit) return {};
  const at = async (offset: number) => (await list({ limit: 1, offset: Math.max(0, offset) })).next;
  const [middle, last] = [await at(Math.floor(total / 2)), await at(total - limit - 1)];
  return { ...(middle === undefined ? {} : { middle }), ...(last === undefined ? {} : { last }) };
}
