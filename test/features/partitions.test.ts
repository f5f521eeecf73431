import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensurePartitions, keepPartitions, openDatabase, partitionsUntil } from '@authserver/store';
import pg from 'pg';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { createDatabase } from '../support/database.ts';
import { startServer } from '../support/started-server.ts';

const day = 86_400;
const tables = ['issuances', 'audit_events', 'audit_chain'];

/** Months that a process finds when it starts may be over when it still runs. */
const server = await startAuthServer();
const database = openDatabase({ dsn: server.dsn, maxConnections: 2, applicationName: 'authserver test' });
const monthName = (of: Date) => of.toISOString().slice(0, 7).replace('-', '_');
const inMonths = (months: number, from = server.clock.now()) =>
  new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + months, 1));
const exists = async (table: string, month: Date) =>
  (await server.sql('select 1 from pg_class where relname = $1', [`${table}_${monthName(month)}`])).length === 1;

for (const plane of ['token', 'admin'] as const)
  test(`the ${plane} plane makes this month and the next three when it starts`, async (t) => {
    const { dsn, drop } = await createDatabase();
    t.after(drop);
    const own = openDatabase({ dsn, maxConnections: 1, applicationName: 'authserver test' });
    t.after(() => own.end());
    const now = new Date();
    for (const { table } of await partitionsUntil(own, now))
      for (let n = 0; n <= 3; n += 1)
        await own.query(`test_drop_${table}_${n}`, `drop table ${table}_${monthName(inMonths(n, now))}`);
    const made = async () => (await partitionsUntil(own, now)).every(({ until }) => +until === +inMonths(4, now));
    assert.equal(await made(), false);
    const running = await startServer({ role: plane, env: { STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: dsn } });
    await soon('the months are there', made, 10_000);
    await running.stop();
  });

test('a process that runs for a year goes on making months', async (t) => {
  const failures: unknown[] = [];
  let now = server.clock.now();
  const keeper = keepPartitions({
    database,
    now: () => now,
    onFailed: (error) => failures.push(error),
    intervalMs: 20,
  });
  t.after(() => keeper.stop());
  for (let n = 1; n <= 12; n += 1) {
    now = inMonths(n, new Date());
    for (const table of tables)
      await soon(`${table} three months after ${monthName(now)}`, () => exists(table, inMonths(3, now)), 10_000);
  }
  assert.deepEqual(failures, []);
  for (const { table, until } of await partitionsUntil(database, now)) assert.deepEqual(until, inMonths(4, now), table);
});

test('a failure is told, shows in the metric, and is tried again soon', async (t) => {
  const far = inMonths(60);
  const holder = new pg.Client({ connectionString: server.dsn });
  await holder.connect();
  t.after(() => holder.end());
  await holder.query('begin');
  await holder.query('select count(*) from audit_events'); // a month cannot be attached while somebody reads the default
  const failures: unknown[] = [];
  const keeper = keepPartitions({ database, now: () => far, onFailed: (error) => failures.push(error), retryMs: 20 });
  t.after(() => keeper.stop());
  await soon('it has failed twice', async () => failures.length >= 2, 10_000);
  for (const { until } of await partitionsUntil(database, far)) assert.deepEqual(until, far, 'no month of that year');
  await holder.query('rollback');
  await soon('it has caught up', () => exists('audit_events', inMonths(3, far)), 10_000);
});

test('a row of a month that is missing is kept, and found when the month is made', async () => {
  const far = inMonths(100);
  await server.store.auditEvents.insert({ action: 'user.created', at: new Date(far.getTime() + day * 1000) });
  assert.equal((await server.sql('select 1 from audit_events_default')).length, 1);
  await ensurePartitions(database, far);
  assert.equal((await server.sql('select 1 from audit_events_default')).length, 0);
  assert.equal((await server.sql(`select 1 from audit_events_${monthName(far)}`)).length, 1);
});

test('both planes say until when there are months', async () => {
  const fresh = await startAuthServer({ admin: true });
  const texts = [
    (await fresh.pods[0]?.metrics.render())?.body ?? '',
    await (await fetch(`${fresh.adminUrl}/metrics`)).text(),
  ];
  for (const text of texts)
    for (const table of tables) {
      const [, value] =
        new RegExp(`^authserver_partitions_until_timestamp_seconds\\{table="${table}"\\} (\\S+)$`, 'm').exec(text) ??
        [];
      assert.equal(Number(value) * 1000, inMonths(4).getTime(), table);
    }
});

test.after(() => database.end());
