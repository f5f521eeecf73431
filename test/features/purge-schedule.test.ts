import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDatabase } from '@authserver/store';
import { type AuthServer, soon, startAuthServer } from '../support/auth-server.ts';
import { createDatabase } from '../support/database.ts';
import { purgeNow } from '../support/purge.ts';
import { launchServer } from '../support/started-server.ts';

const day = 86_400;
const patience = 20_000;

/** Sessions that were over a day ago. */
const fillSessions = async (server: AuthServer, rows: number): Promise<void> => {
  const user = await server.user();
  await server.sql(
    `insert into browser_sessions (id_hash, user_id, user_epoch, auth_time, expires_at)
     select sha256(gen_random_uuid()::text::bytea), $1, 1, $3, $3 from generate_series(1, $2::int)`,
    [user.id, rows, new Date(server.clock.now().getTime() - day * 1000)],
  );
};
const count = async (server: AuthServer, table: string) =>
  Number((await server.sql<{ n: string }>(`select count(*) as n from ${table}`))[0]?.n);

/** A series of one admin process, as Prometheus reads it. */
const series = async (url: string, name: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
};
const of = (metric: string, target: string) => `authserver_purge_${metric}{target="${target}"}`;

test('three admin processes purge by themselves, and every row is deleted once', async () => {
  const server = await startAuthServer({ admin: 3, env: { PURGE_INTERVAL: '1s' } });
  await fillSessions(server, 3000);
  await soon('the sessions are deleted', async () => (await count(server, 'browser_sessions')) === 0, patience);
  const urls = server.admins.map(({ url }) => url);
  const deleted = async () => {
    const each = await Promise.all(urls.map((url) => series(url, of('deleted_total', 'sessions'))));
    return each.reduce((sum, rows) => sum + rows, 0);
  };
  await soon('all of them were counted', async () => (await deleted()) >= 3000, patience);
  assert.equal(await deleted(), 3000);
  await soon(
    'every process says when it was done, whoever did it',
    async () => {
      const each = await Promise.all(urls.map((url) => series(url, of('last_success_timestamp_seconds', 'sessions'))));
      return each.every((time) => Math.abs(time - Date.now() / 1000) < 60);
    },
    patience,
  );
  for (const url of urls) assert.equal(await series(url, of('failures_total', 'sessions')), 0);
});

test('the lag of a target is how long its oldest row has waited, also where nobody purges', async () => {
  const server = await startAuthServer({ admin: 2 });
  await fillSessions(server, 3);
  const [first, second] = server.admins.map(({ url }) => url) as [string, string];
  const lag = await series(first, of('lag_seconds', 'sessions'));
  assert.ok(lag > day - 120 && lag <= day, `${lag}`);
  assert.equal(await series(first, of('lag_seconds', 'refresh-tokens')), 0);
  await purgeNow(server); // as `authserver purge` would, elsewhere
  assert.equal(await series(second, of('lag_seconds', 'sessions')), 0);
  assert.ok((await series(second, of('last_success_timestamp_seconds', 'sessions'))) > 0);
  assert.equal(await series(second, of('deleted_total', 'sessions')), 0, 'it deleted none itself');
});

test('purge.interval 0 purges nothing', async () => {
  const server = await startAuthServer({ admin: true });
  await fillSessions(server, 3);
  const busy = await startAuthServer({ admin: true, env: { PURGE_INTERVAL: '1s' } });
  await fillSessions(busy, 3);
  await soon('the other one has', async () => (await count(busy, 'browser_sessions')) === 0, patience);
  assert.equal(await count(server, 'browser_sessions'), 3);
});

test('an admin process that is told to end in the middle of a purge ends in time, and keeps what was done', async (t) => {
  const { dsn, drop } = await createDatabase();
  t.after(drop);
  const env = { STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: dsn, PURGE_INTERVAL: '1s' };
  const admin = await launchServer({ role: 'admin', env });
  await admin.ready();
  const database = openDatabase({ dsn, maxConnections: 1, applicationName: 'authserver test', queryTimeoutMs: 20_000 });
  t.after(() => database.end());
  const left = async () =>
    Number((await database.query<{ n: string }>('test_left', 'select count(*) as n from pushed_requests')).rows[0]?.n);
  await database.query(
    'test_dawdle',
    'create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.002); return null; end $$',
  );
  await database.query(
    'test_trigger',
    'create trigger dawdle after delete on pushed_requests for each row execute function dawdle()',
  );
  await database.query(
    'test_fill',
    `insert into pushed_requests (request_hash, client_id, query, created_at, expires_at, kept_until)
     select sha256(gen_random_uuid()::text::bytea), 'c', '', now(), now(), now() - interval '1 day'
       from generate_series(1, 20000)`,
  );
  await soon('it has begun', async () => (await left()) < 20_000, patience);
  assert.equal((await admin.stop()).code, 0);
  assert.match(admin.process.stdout(), /purge interrupted/);
  assert.ok((await left()) > 0);
});
