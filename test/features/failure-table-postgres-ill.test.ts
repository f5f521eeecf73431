/**
 * PostgreSQL answers, but not well: locked rows, slow answers, no connections left, read-only. Nobody waits for long, nothing
 * piles up, and what can be done without waiting is done. Each illness ends, and all is well at once.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openDatabase } from '@authserver/store';
import pg from 'pg';
import { type AuthServer, startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { deviceGrantType, TestDevice } from '../support/device.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { type Answer, denied, ok, type TestApp } from '../support/test-app.ts';

const env = { LOG_STDOUT: 'false' };
/** Twice 900 ms, because a request may wait once for each of two statements, and what a busy machine adds. */
const longestMs = 3_000;

const prepare = async (server: AuthServer) => ({
  resource: await server.resource(),
  user: await server.user(),
  app: await server.client(),
  machine: await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  }),
});
const unavailable = (answer: Answer<unknown>): void => {
  assert.equal(answer.status, 503, JSON.stringify(answer.body));
  assert.equal((answer.body as { error: string }).error, 'temporarily_unavailable');
  assert.ok(answer.headers.get('retry-after'));
};
const inTime = async <T>(work: Promise<T>): Promise<T> => {
  const start = performance.now();
  const result = await work;
  assert.ok(performance.now() - start < longestMs, `${performance.now() - start} ms`);
  return result;
};
const works = async (machine: TestApp, pod = 0): Promise<void> => {
  const started = performance.now();
  while ((await machine.clientCredentials({}, pod)).status !== 200) {
    assert.ok(performance.now() - started < 10_000, 'not back');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
/** A connection of an operator who holds something. */
const operator = async (dsn: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  client.on('error', () => {});
  return client;
};

const server = await startAuthServer({ env });
const { resource, user, app, machine } = await prepare(server);
const asked = { user, scope: 'tools/read', resource: resource.uri };

test('a locked row keeps those who need it for a second, and nobody else; then they are told to come again [threat M03]', async () => {
  const tokens = await app.authorize(asked);
  const other = await app.authorize({ ...asked, user: await server.user() });
  const holder = await operator(server.dsn);
  await holder.query('begin');
  await holder.query('select 1 from users where id = $1 for update', [user.id]);
  const refused = Array.from({ length: 20 }, () => app.refresh(tokens.refresh_token));
  const free = Array.from({ length: 20 }, () => machine.clientCredentials());
  for (const answer of await inTime(Promise.all(free))) ok(answer);
  ok(await inTime(app.refresh(other.refresh_token)));
  for (const answer of await inTime(Promise.all(refused))) unavailable(answer);
  await holder.query('rollback');
  await holder.end();
  ok(await app.refresh(tokens.refresh_token));
});

test('a locked table stops what needs it within the limit, and the queue goes with the lock [threat M03]', async () => {
  const holder = await operator(server.dsn);
  await holder.query('begin');
  await holder.query('lock table issuances in access exclusive mode');
  const answers = await Promise.all(Array.from({ length: 200 }, () => inTime(machine.clientCredentials())));
  for (const answer of answers) unavailable(answer);
  const [waiting] = (
    await holder.query(`select count(*)::int as n from pg_stat_activity
      where datname = current_database() and application_name = 'authserver token' and wait_event_type = 'Lock'`)
  ).rows as { n: number }[];
  await holder.query('rollback');
  await holder.end();
  assert.ok((waiting?.n ?? 0) <= 25, 'no more than the pool');
  ok(await machine.clientCredentials());
});

test('a retry that meets the first try, still waiting in PostgreSQL without its pod, gets the same successor', async () => {
  const tokens = await app.authorize(asked);
  const holder = await operator(server.dsn);
  await holder.query('begin');
  await holder.query('select 1 from users where id = $1 for update', [user.id]);
  const first = app.refresh(tokens.refresh_token);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await holder.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'authserver token'`);
  unavailable(await first);
  const retries = [0, 1, 2].map(() => app.refresh(tokens.refresh_token));
  await new Promise((resolve) => setTimeout(resolve, 100));
  await holder.query('rollback');
  await holder.end();
  const successors = new Set<string>();
  for (const answer of [...(await Promise.all(retries)), await app.refresh(tokens.refresh_token)])
    if (answer.status === 200) successors.add(answer.body.refresh_token);
    else unavailable(answer);
  assert.equal(successors.size, 1);
});

test('no connection is left: 503 at once, and back as soon as there are some [threat M03]', async () => {
  const database = new URL(server.dsn).pathname.slice(1);
  // A superuser is not counted, so the limit is put on a role of the pods' own.
  const role = `${database}_pod`;
  await server.sql(`create role ${role} login superuser password 'x'`);
  await server.sql(`alter role ${role} nosuperuser connection limit 3`);
  await server.sql(`grant all on all tables in schema public to ${role}`);
  await server.sql(`grant all on all sequences in schema public to ${role}`);
  const dsn = new URL(server.dsn);
  dsn.username = role;
  dsn.password = 'x';
  const held = await Promise.all([operator(dsn.href), operator(dsn.href), operator(dsn.href)]);
  const pool = openDatabase({ dsn: dsn.href, maxConnections: 5, applicationName: 'authserver test' });
  after(async () => {
    await pool.end();
    await server.sql(`drop owned by ${role}`);
    await server.sql(`drop role ${role}`);
  });
  const start = performance.now();
  await assert.rejects(pool.query('test_full', 'select 1'), { name: 'StoreUnavailable', message: /\(53300\)/ });
  assert.ok(performance.now() - start < longestMs);
  await Promise.all(held.map((client) => client.end()));
  const { rows } = await pool.query('test_free', 'select 1 as one');
  assert.deepEqual(rows, [{ one: 1 }]);
});

test('a read-only server, as after a failover to a replica, takes nothing and says nothing wrong [threat M03]', async () => {
  const tokens = await app.authorize(asked);
  const code = await app.code(asked);
  const name = new URL(server.dsn).pathname.slice(1);
  const cutConnections = () =>
    server.sql(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'authserver token'`);
  await server.sql(`alter database ${name} set default_transaction_read_only = on`);
  await cutConnections();
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (const answer of [
    await inTime(machine.clientCredentials()),
    await inTime(app.refresh(tokens.refresh_token)),
    await inTime(app.redeem(code)),
    await inTime(app.revoke(tokens.refresh_token)),
  ])
    unavailable(answer);
  // What only reads goes on, and tells the truth.
  denied(await inTime(app.refresh('x'.repeat(43))), 'invalid_grant');
  await server.sql(`set default_transaction_read_only = off`); // this connection was there before, and is not meant
  await server.sql(`alter database ${name} reset default_transaction_read_only`);
  await cutConnections();
  await works(machine);
  ok(await app.refresh(tokens.refresh_token));
  ok(await app.redeem(code));
});

test('a slow line makes everything slow, and nothing wrong [threat M03]', async () => {
  let proxy: Awaited<ReturnType<typeof startTcpProxy>> | undefined;
  const slow = await startAuthServer({
    env,
    async databaseThrough(dsn) {
      const url = new URL(dsn);
      proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port || 5432) });
      url.hostname = '127.0.0.1';
      url.port = String(proxy.port);
      return url.href;
    },
  });
  after(() => proxy?.close());
  const parts = await prepare(slow);
  const tokens = await parts.app.authorize({ user: parts.user, scope: 'tools/read', resource: parts.resource.uri });
  await works(parts.machine);
  proxy?.delay(100);
  const answers = await Promise.all(Array.from({ length: 50 }, () => inTime(parts.machine.clientCredentials())));
  for (const answer of answers) ok(answer);
  const next = ok(await inTime(parts.app.refresh(tokens.refresh_token)));
  proxy?.delay(2_000);
  unavailable(await inTime(parts.machine.clientCredentials()));
  unavailable(await inTime(parts.app.refresh(next.refresh_token)));
  proxy?.delay(0);
  proxy?.mend();
  await works(parts.machine);
  ok(await parts.app.refresh(next.refresh_token));
});

test('whoever waited for a connection does not wait as long again for its answer, in a transaction either', async (t) => {
  const url = new URL(server.dsn);
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port || 5432) });
  url.host = `127.0.0.1:${proxy.port}`;
  const pool = openDatabase({ dsn: url.href, maxConnections: 1, applicationName: 'authserver test' });
  t.after(async () => {
    proxy.close();
    await pool.end();
  });
  await pool.query('test_open', 'select 1');
  const busy = pool.query('test_busy', 'select pg_sleep(0.6)').then(() => proxy.hang());
  const start = performance.now();
  await assert.rejects(
    pool.transaction(async () => {}),
    { name: 'StoreUnavailable' },
  );
  await busy;
  const waitedMs = performance.now() - start;
  assert.ok(waitedMs > 800 && waitedMs < 1_300, `${waitedMs} ms`);
});

test('with one connection for everything nothing waits for itself [threat M03]', async () => {
  const narrow = await startAuthServer({
    env: { ...env, STORAGE_POSTGRES_MAX_CONNS: '1', STORAGE_POSTGRES_MIN_CONNS: '0' },
    housekeepingMs: 100,
  });
  const parts = await prepare(narrow);
  const device = new TestDevice(await narrow.client({ grantTypes: [deviceGrantType, 'refresh_token'] }));
  const about = { user: parts.user, scope: 'tools/read', resource: parts.resource.uri };
  const patient = async <T extends Answer<unknown>>(ask: () => Promise<T>): Promise<T> => {
    for (let left = 20; ; left -= 1) {
      const answer = await ask();
      if (answer.status !== 503 || left === 0) return answer;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const tokens = await parts.app.authorize(about);
  const first = ok(await patient(() => parts.app.refresh(tokens.refresh_token)));
  ok(await patient(() => parts.app.refresh(first.refresh_token)));
  denied(await patient(() => parts.app.refresh(tokens.refresh_token)), 'invalid_grant');
  const code = await parts.app.code(about, new TestBrowser());
  ok(await patient(() => parts.app.redeem(code)));
  denied(await patient(() => parts.app.redeem(code)), 'invalid_grant');
  const { device_code } = await device.allowed(parts.user, { scope: 'tools/read', resource: parts.resource.uri });
  narrow.clock.advance(10);
  ok(await patient(() => device.poll(device_code)));
  const again = await parts.app.authorize(about);
  assert.equal((await patient(() => parts.app.revoke(again.refresh_token))).status, 200);
  const crowd = await Promise.all(Array.from({ length: 100 }, () => inTime(parts.machine.clientCredentials())));
  assert.ok(crowd.some(({ status }) => status === 200));
  for (const answer of crowd) if (answer.status !== 200) unavailable(answer);
});
