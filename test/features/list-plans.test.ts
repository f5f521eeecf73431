/**
 * How lists are read: by an index, from where the page begins, never by reading a big table. Plans are asserted and not
 * times, so the rows only have to be enough for the planner to care. `test/bench/lists.ts` has the times of many more.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createStore, openDatabase } from '@authserver/store';
import { createDatabase } from '../support/database.ts';
import { explain, type Plan, recording } from '../support/explain.ts';
import { listCases } from '../support/list-cases.ts';
import { makeManyRows } from '../support/many-rows.ts';

const sizes = { clients: 10_000, users: 30_000, families: 10_000, issuances: 60_000 };
const now = new Date();
const limit = 20;
const { dsn, drop } = await createDatabase();
const database = openDatabase({ dsn, maxConnections: 1, applicationName: 'authserver test', queryTimeoutMs: 60_000 });
after(async () => {
  await database.end();
  await drop();
});
await makeManyRows(database, sizes, now);
const { db, statements } = recording(database);
const cases = await listCases(createStore(db), sizes, now);

/** What was asked for meanwhile, with how it was answered: the page, and the count if there was one. */
const plansOf = async (work: () => Promise<unknown>): Promise<{ page: Plan; count: Plan | undefined }> => {
  statements.length = 0;
  await work();
  const [page, ...counts] = [...statements];
  assert.ok(page);
  assert.ok(counts.every(({ operation }) => operation.includes('_count')));
  return { page: await explain(database, page), count: counts[0] && (await explain(database, counts[0])) };
};

const big = /^(clients|users|token_families|consent_grants|issuances_\w+)$/;

/** Rows that were read one after the other; a few are cheaper read than looked up, as in the partitions to come. */
const readThrough = ({ nodes }: Plan): number =>
  nodes
    .filter(({ type, relation }) => type.endsWith('Seq Scan') && big.test(relation ?? ''))
    .reduce((sum, { rows, rowsRemoved }) => sum + rows + rowsRemoved, 0);

/** Rows that an index led to and that were thrown away again: what a page of a rare thing may cost in the order of age. */
const fruitless = ({ nodes }: Plan): number => nodes.reduce((sum, { rowsRemoved }) => sum + rowsRemoved, 0);

for (const { name, list, positions } of cases)
  test(`${name}: every page is read by an index`, async () => {
    const { next, total } = await list({ limit, offset: 0 });
    const later = positions ? [positions.middle, positions.last] : await lateCursors(list, total);
    for (const after of [undefined, next, ...later]) {
      const { page } = await plansOf(() => list({ limit, offset: 0, after }));
      const where = `behind ${after}\n${page.text}`;
      assert.ok(readThrough(page) <= 200, where);
      assert.ok(fruitless(page) <= 2500, where);
    }
  });

test('the first page of a list that is not filtered reads no more than the page', async () => {
  const [everyone] = cases.filter(({ name }) => name === 'users');
  const { page } = await plansOf(async () => everyone?.list({ limit, offset: 0 }));
  assert.deepEqual(
    page.nodes.map(({ type, index }) => [type, index]),
    [
      ['Limit', undefined],
      ['Index Scan', 'users_pkey'],
    ],
  );
});

test('what is counted is counted in an index, and not where the page shows it', async () => {
  const suspended = cases.find(({ name }) => name === 'clients status=suspended');
  assert.ok(suspended);
  const { count } = await plansOf(() => suspended.list({ limit, offset: 0 }));
  assert.ok(count);
  assert.ok(
    count.nodes.some(({ type, index }) => type === 'Index Only Scan' && index === 'clients_by_status'),
    count.text,
  );
  const { next: after } = await suspended.list({ limit, offset: 0 });
  for (const page of [
    { limit, offset: 0, after },
    { limit: 500, offset: 0 },
  ])
    assert.equal((await plansOf(() => suspended.list(page))).count, undefined);
});

test('ended tokens are counted from what ended', async () => {
  const yesterday = new Date(now.getTime() - 24 * 3600 * 1000);
  const { page: plan } = await plansOf(() => createStore(db).issuances.countEndedSince(yesterday));
  assert.ok(readThrough(plan) <= 200, plan.text);
});

/** The positions of a middle and of the last page of a list that counts its rows. */
async function lateCursors(list: (typeof cases)[number]['list'], total = 0): Promise<(string | undefined)[]> {
  if (total <= limit) return [];
  const at = async (offset: number) => (await list({ limit: 1, offset })).next;
  return [await at(Math.floor(total / 2)), await at(total - limit - 1)];
}
