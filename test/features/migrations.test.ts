import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { migrate, planMigrations, readMigrations } from '@authserver/store';
import pg from 'pg';
import { createEmptyDatabase } from '../support/database.ts';

const all = (await readMigrations()).map(({ name }) => name);

const connect = async (t: TestContext, dsn: string): Promise<pg.Client> => {
  const connection = new pg.Client({ connectionString: dsn });
  connection.on('error', () => {}); // the database may be dropped under it
  await connection.connect();
  t.after(() => connection.end());
  return connection;
};

/** An empty database, and a connection to it; both gone when the test ends. */
const emptyDatabase = async (t: TestContext): Promise<{ dsn: string; connection: pg.Client }> => {
  const { dsn, drop } = await createEmptyDatabase();
  const connection = await connect(t, dsn);
  t.after(drop);
  return { dsn, connection };
};

/** A process of its own that says when it is ready, migrates when it is told to, and prints what it applied. */
const migratingProcess = (dsn: string) => {
  const script = `
    import { migrate } from '@authserver/store';
    console.log('ready');
    process.stdin.once('data', async () => {
      console.log(JSON.stringify(await migrate(process.argv[1])));
      process.stdin.destroy();
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, dsn], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ready = once(child.stdout, 'data');
  const ended = (async () => {
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    return { code: code as number | null, applied: stdout.replace('ready\n', ''), stderr };
  })();
  return { child, ready, go: () => child.stdin.write('go'), ended };
};

const tables = async (connection: pg.Client): Promise<string[]> => {
  const { rows } = await connection.query(
    `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by 1`,
  );
  return rows.map(({ relname }) => relname);
};

/** The whole schema as far as the catalog can tell it, to see whether anything changed. */
const schemaOf = async (connection: pg.Client): Promise<unknown[]> => {
  const { rows } = await connection.query(`
    select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
     where table_schema = 'public' order by 1, 2`);
  const { rows: applied } = await connection.query('select * from schema_migrations order by version');
  return [...rows, ...applied];
};

test('ten processes at once on an empty database: one applies, nine wait, none fails', async (t) => {
  const { dsn, connection } = await emptyDatabase(t);
  const processes = Array.from({ length: 10 }, () => migratingProcess(dsn));
  t.after(() => processes.map(({ child }) => child.kill('SIGKILL')));
  await Promise.all(processes.map(({ ready }) => ready));
  for (const { go } of processes) go();
  const results = await Promise.all(processes.map(({ ended }) => ended));
  for (const { code, stderr } of results) assert.equal(code, 0, stderr);
  const applied = results.map((result) => JSON.parse(result.applied) as string[]);
  assert.deepEqual(
    applied.filter((names) => names.length > 0),
    [all],
    'one applied them all, the others nothing',
  );
  const { rows } = await connection.query('select name from schema_migrations order by version');
  assert.deepEqual(
    rows.map(({ name }) => name),
    all,
  );
});

test('migrating again applies nothing and changes nothing', async (t) => {
  const { dsn, connection } = await emptyDatabase(t);
  const announced: string[] = [];
  assert.deepEqual(await migrate(dsn, (name) => announced.push(name)), all);
  assert.deepEqual(announced, all);
  const before = await schemaOf(connection);
  assert.deepEqual(await migrate(dsn), []);
  assert.deepEqual(await schemaOf(connection), before);
});

test('a plan says what would happen and changes nothing, not even on an empty database', async (t) => {
  const { dsn, connection } = await emptyDatabase(t);
  assert.deepEqual(await planMigrations(dsn), { applied: [], pending: all });
  assert.deepEqual(await tables(connection), []);
  await migrate(dsn);
  assert.deepEqual(await planMigrations(dsn), { applied: all, pending: [] });
});

test('a file that was edited after it was applied is refused, by its name', async (t) => {
  const { dsn, connection } = await emptyDatabase(t);
  await migrate(dsn);
  await connection.query(`update schema_migrations set checksum = 'what it was before the edit' where version = 3`);
  const before = await schemaOf(connection);
  const expected = new RegExp(`${all[2]} was edited after it was applied`);
  await assert.rejects(migrate(dsn), expected);
  await assert.rejects(planMigrations(dsn), expected);
  assert.deepEqual(await schemaOf(connection), before);
});

test('a database that a newer release migrated is tolerated', async (t) => {
  const { dsn, connection } = await emptyDatabase(t);
  await migrate(dsn);
  await connection.query(`insert into schema_migrations values (9999, '9999_of_the_next_release', 'sum')`);
  assert.deepEqual(await migrate(dsn), []);
  assert.deepEqual(await planMigrations(dsn), { applied: [...all, '9999_of_the_next_release'], pending: [] });
});

test('a migration in our range that we do not know is refused', async (t) => {
  const { dsn, connection } = await emptyDatabase(t);
  await migrate(dsn);
  await connection.query(`insert into schema_migrations values (0, '0000_of_a_fork', 'sum')`);
  await assert.rejects(migrate(dsn), /does not know: 0000_of_a_fork/);
});

test('a lock that cannot be had in five seconds fails the migration, and the next attempt goes on from there', async (t) => {
  const { dsn, connection } = await emptyDatabase(t);
  await connection.query('begin; create table clients (blocker integer)');
  const start = performance.now();
  await assert.rejects(migrate(dsn), /migration 0002_clients failed: .*lock timeout/);
  const seconds = (performance.now() - start) / 1000;
  assert.ok(seconds > 4.5 && seconds < 15, `took ${seconds} s`);
  await connection.query('rollback');
  assert.deepEqual(await migrate(dsn), all.slice(1), 'the first file stays applied');
});

test('a migration that waits for a lock makes no statement behind it fail', async (t) => {
  const { dsn, connection } = await emptyDatabase(t);
  const blocked = all.indexOf('0009_client_and_resource_demands'); // the first that alters a table: clients
  await connection.query('create table schema_migrations (version integer primary key, name text, checksum text)');
  for (const { version, name, checksum, sql } of (await readMigrations()).slice(0, blocked)) {
    await connection.query(sql);
    await connection.query('insert into schema_migrations values ($1, $2, $3)', [version, name, checksum]);
  }
  await connection.query('begin; select from clients');
  const migrating = migrate(dsn);
  const pod = await connect(t, dsn);
  await pod.query('set statement_timeout = 900');
  const start = performance.now();
  while (performance.now() - start < 2_500) await pod.query('select from clients');
  await connection.query('rollback');
  assert.deepEqual(await migrating, all.slice(blocked));
});

test('a migration whose process is killed leaves nothing half made, and nobody waiting', async (t) => {
  const { dsn, connection } = await emptyDatabase(t);
  const observer = await connect(t, dsn); // inside a transaction pg_stat_activity would stand still
  await connection.query('begin; create table clients (blocker integer)');
  const { child, ready, go, ended } = migratingProcess(dsn);
  t.after(() => child.kill('SIGKILL'));
  await ready;
  go();
  const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%create table clients%'`;
  for (let tries = 0; (await observer.query(waiting)).rowCount === 0; tries += 1) {
    assert.ok(tries < 400, 'it never came to the blocked statement');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  child.kill('SIGKILL');
  assert.equal((await ended).code, null);
  await connection.query('rollback');
  assert.deepEqual(await migrate(dsn), all.slice(1));
});
