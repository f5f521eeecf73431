import assert from 'node:assert/strict';
import { test } from 'node:test';
import { purgeTargetNames } from '@authserver/telemetry';
import pg from 'pg';
import { startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { cleanEnvironment, cliFile, emptyDirectory, startProcess } from '../support/server-process.ts';

const server = await startAuthServer();
const config = await server.configFile();
const user = await server.user();
const cwd = await emptyDirectory();
const purge = (...args: string[]) => runCli(['purge', '--config', config, ...args], { cwd });

type Line = {
  level: string;
  time: string;
  msg: string;
  table?: string;
  deleted?: number;
  error?: string;
  reason?: string;
};
const linesOf = (stderr: string): Line[] =>
  stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** Sessions that were over yesterday. */
const fillSessions = (rows: number) =>
  server.sql(
    `insert into browser_sessions (id_hash, user_id, user_epoch, auth_time, expires_at)
     select sha256(n::text::bytea || gen_random_uuid()::text::bytea), $1, 1, now(), now() - interval '1 day' - n * interval '1 ms'
       from generate_series(1, $2::int) as n`,
    [user.id, rows],
  );
const fillProofs = (rows: number) =>
  server.sql(
    `insert into single_use select 'dpop_proof', sha256(gen_random_uuid()::text::bytea), now() - interval '1 day'
       from generate_series(1, $1::int)`,
    [rows],
  );
const count = async (table: string) =>
  Number((await server.sql<{ n: string }>(`select count(*) as n from ${table}`))[0]?.n);

/** A connection of somebody else, which holds what it is told to. */
const somebody = async (t: { after(work: () => unknown): void }): Promise<pg.Client> => {
  const connection = new pg.Client({ connectionString: server.dsn });
  connection.on('error', () => {});
  await connection.connect();
  t.after(() => connection.end());
  return connection;
};

test('every target is done, and said to be, in JSON lines on standard error', async () => {
  await fillSessions(1500);
  await fillProofs(7);
  const result = await purge();
  assert.equal(result.code, 0, result.stderr);
  const lines = linesOf(result.stderr);
  assert.deepEqual(
    lines.map(({ msg, table }) => [msg, table]),
    purgeTargetNames.map((name) => ['purge completed', name]),
  );
  const deleted = Object.fromEntries(lines.map((line) => [line.table, line.deleted]));
  assert.equal(deleted.sessions, 1500);
  assert.equal(deleted['dpop-nonces'], 7);
  assert.match(result.stdout, /^table=sessions deleted=1500$/m);
  assert.equal(await count('browser_sessions'), 0);
});

test('--only takes names as people write them, and does no other', async () => {
  await fillSessions(3);
  await fillProofs(3);
  const result = await purge('--only', ' dpop-nonces ,, jti', '--timeout', '5m', '--json');
  assert.equal(result.code, 0, result.stderr);
  const { targets } = JSON.parse(result.stdout) as { targets: { table: string; deleted: number; outcome: string }[] };
  assert.deepEqual(
    targets.map(({ table, deleted, outcome }) => [table, deleted, outcome]),
    [
      ['dpop-nonces', 3, 'completed'],
      ['jti', 0, 'completed'],
    ],
  );
  assert.equal(await count('browser_sessions'), 3);
});

test('a client that goes is in the log as it is in the audit trail, before its target is said to be done', async () => {
  const { clientId } = await server.client();
  await server.sql(
    `update clients set registration_source = 'dcr', last_used_at = now() - interval '366 days' where client_id = $1`,
    [clientId],
  );
  const { code, stderr } = await purge('--only', 'unused-clients');
  assert.equal(code, 0, stderr);
  const lines = linesOf(stderr) as (Line & { action?: string; client_id?: string })[];
  assert.deepEqual(
    lines.map(({ msg, action, client_id }) => [msg, action, client_id]),
    [
      ['audit', 'client.expired', clientId],
      ['purge completed', undefined, undefined],
    ],
  );
});

test('what cannot be meant is a usage error that says what can', async () => {
  for (const only of ['tables', ',,'])
    assert.match(failedWith(await purge('--only', only), 2), /valid targets are assertion-jti, .*, unused-clients/);
  assert.match(failedWith(await purge('--timeout', 'soon'), 2), /--timeout/);
});

test('--dry-run says how much would go, and lets it stay', async () => {
  await server.sql('delete from browser_sessions');
  await fillSessions(42);
  const result = await purge('--dry-run', '--json');
  assert.equal(result.code, 0, result.stderr);
  const { would_delete } = JSON.parse(result.stdout) as { would_delete: { table: string; rows: number }[] };
  assert.deepEqual(
    would_delete.map(({ table }) => table),
    purgeTargetNames,
  );
  assert.equal(would_delete.find(({ table }) => table === 'sessions')?.rows, 42);
  assert.equal(await count('browser_sessions'), 42);
});

test('a target that fails does not keep the others from their turn, and the exit code says so', async (t) => {
  await server.sql(
    `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not these'; end $$`,
  );
  await server.sql('create trigger refuse before delete on single_use for each row execute function refuse()');
  t.after(() => server.sql('drop function refuse cascade'));
  await fillSessions(5);
  await fillProofs(5);
  const result = await purge();
  assert.equal(result.code, 1);
  const lines = linesOf(result.stderr);
  const failed = lines.filter(({ msg }) => msg !== 'purge completed');
  assert.deepEqual(
    failed.map(({ level, msg, table, error }) => [level, msg, table, error]),
    [['error', 'purge failed', 'dpop-nonces', 'not these']],
  );
  assert.equal(lines.length, purgeTargetNames.length);
  assert.equal(await count('browser_sessions'), 0);
});

test('a row that somebody holds is left for the next time, and nobody waits for it', async (t) => {
  await server.sql('delete from browser_sessions');
  await fillSessions(300);
  const holder = await somebody(t);
  await holder.query('begin');
  await holder.query('select 1 from browser_sessions order by expires_at limit 10 for update');
  assert.equal((await purge('--only', 'sessions')).code, 0);
  assert.equal(await count('browser_sessions'), 10);
  await holder.query('rollback');
  assert.equal((await purge('--only', 'sessions')).code, 0);
  assert.equal(await count('browser_sessions'), 0);
});

test('a month that somebody reads for long is not waited for by those who issue tokens', async (t) => {
  const app = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const resource = await server.resource();
  await server.sql(`select ensure_partitions('issuances', now() - interval '3 years', 1)`);
  const reader = await somebody(t);
  await reader.query('begin');
  await reader.query('select count(*) from issuances');
  const purging = purge('--only', 'issuances');
  const isWaiting = async () =>
    (
      await server.sql(
        `select 1 from pg_stat_activity
          where datname = current_database() and application_name = 'authserver purge' and wait_event_type = 'Lock'`,
      )
    ).length > 0;
  let waited = 0;
  for (const start = performance.now(); waited < 3 && performance.now() - start < 30_000; ) {
    const [answer, waiting] = await Promise.all([app.clientCredentials({ resource: resource.uri }), isWaiting()]);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    if (waiting) waited += 1;
  }
  assert.equal(waited, 3, 'tokens were issued while the purge waited for the table');
  // Issuing gives up on the database after 900 ms: nobody was refused, so nobody waited as long.
  await reader.query('rollback');
  const result = await purging;
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(
    await server.sql(
      `select 1 from pg_class where relname = 'issuances_' || to_char(now() - interval '3 years', 'YYYY_MM')`,
    ),
    [],
  );
});

for (const [how, args, signal, reason] of [
  ['SIGTERM', [], 'SIGTERM', 'SIGTERM'],
  ['SIGINT', [], 'SIGINT', 'SIGINT'],
  ['the end of its time', ['--timeout', '2s'], undefined, 'timeout'],
] as const)
  test(`${how} ends it in the middle of a target: what was done stays done, and the next purge goes on`, async () => {
    await server.sql('delete from browser_sessions');
    await fillSessions(20_000);
    await server.sql(
      'create or replace function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.002); return null; end $$',
    );
    await server.sql(
      'create or replace trigger dawdle after delete on browser_sessions for each row execute function dawdle()',
    );
    const running = startProcess(process.execPath, [cliFile, 'purge', '--config', config, ...args], {
      cwd,
      env: cleanEnvironment(),
    });
    const started = performance.now();
    while ((await count('browser_sessions')) === 20_000 && performance.now() - started < 30_000)
      await new Promise((resolve) => setTimeout(resolve, 20));
    if (signal) running.signal(signal);
    const { code } = await running.ended();
    await server.sql('drop function dawdle cascade');
    assert.equal(code, 1, running.stderr());
    const lines = linesOf(running.stderr());
    const last = lines.at(-1);
    assert.deepEqual(
      [last?.level, last?.msg, last?.table, last?.reason],
      ['warn', 'purge interrupted', 'sessions', reason],
    );
    const left = await count('browser_sessions');
    assert.ok(left > 0 && left < 20_000, `${left} left`);
    assert.equal(last?.deleted, 20_000 - left, 'what it says it did is what it did');
    await server.sql(
      `delete from browser_sessions where id_hash in (select id_hash from browser_sessions offset 2000)`,
    );
    const next = await purge('--only', 'sessions');
    assert.equal(next.code, 0, next.stderr);
    assert.equal(await count('browser_sessions'), 0);
  });

test('one purge works at a time: another one says so, and that is no failure', async (t) => {
  await fillSessions(10);
  const other = await somebody(t);
  await other.query('select pg_advisory_lock(7237912384510)');
  const result = await purge('--json');
  assert.equal(result.code, 0);
  assert.deepEqual(JSON.parse(result.stdout), { targets: [], busy: true });
  assert.deepEqual(
    linesOf(result.stderr).map(({ level, msg, reason }) => [level, msg, reason]),
    [['warn', 'purge skipped', 'another purge is running']],
  );
  assert.equal(await count('browser_sessions'), 10);
});

test('it migrates nothing: a database that is not up to date is left as it is', async (t) => {
  const { dsn, drop } = await createEmptyDatabase();
  t.after(drop);
  const file = await server.configFile({ storage: { driver: 'postgres', postgres: { dsn } } });
  const told = failedWith(await runCli(['purge', '--config', file], { cwd }), 1);
  assert.match(told, /run authserver migrate first/);
  const connection = new pg.Client({ connectionString: dsn });
  await connection.connect();
  const { rows } = await connection.query(`select 1 from pg_class where relname = 'clients'`);
  await connection.end();
  assert.deepEqual(rows, []);
});

test('where there is no embedded database yet, none is made', async () => {
  const told = failedWith(await runCli(['purge'], { cwd }), 1);
  assert.match(told, /there is no database in data\/postgres/);
});
