/** Commands that need no server: the admin application inside the command, and the migrations. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { emptyDirectory } from '../support/server-process.ts';

const server = await startAuthServer();
const config = await server.configFile();
const cwd = await emptyDirectory();
const password = 'correct horse battery staple';

test('the first user is made before anything serves, and no port is opened', async () => {
  const { dsn, drop } = await createEmptyDatabase();
  const directory = await emptyDirectory();
  const file = join(directory, 'config.yaml');
  // Ports that are taken: a command that opened one would fail.
  const taken = new URL(server.issuer).port;
  await writeFile(
    file,
    JSON.stringify({
      server: { address: `:${taken}`, data_dir: join(directory, 'data') },
      admin: { address: `:${Number(taken) === 9001 ? 9002 : 9001}` },
      storage: { driver: 'postgres', postgres: { dsn } },
      signing: { key_path: join(directory, 'keys') },
    }),
  );
  const args = ['admin', 'user', 'create', '--config', file, '--email', 'admin@example.com', '--password-stdin'];
  const made = await runCli([...args, '--name', 'Admin', '--role', 'admin'], { cwd: directory, input: password });
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /^user created: id=\S+ email=admin@example\.com role=admin\n$/);
  assert.match(failedWith(await runCli(args, { cwd: directory, input: password }), 5), /exists already/);
  const listed = await runCli(['admin', 'user', 'list', '--config', file], { cwd: directory });
  assert.match(listed.stdout, /^id=\S+ email=admin@example\.com role=admin status=active\n$/);
  await drop();
});

test('what it makes serves at once, and the audit trail says it was the command line', async () => {
  const resource = await server.resource();
  const args = ['admin', 'user', 'create', '--config', config, '--email', 'ada@example.com', '--password-stdin'];
  const { code, stderr } = await runCli(args, { cwd, input: `${password}\n` });
  assert.equal(code, 0, stderr);
  const [event] = await server.sql(`select actor_id, details from audit_events where action = 'user.created'`);
  assert.equal(event?.actor_id, 'cli');
  const app = await server.client();
  const user = { id: '', email: 'ada@example.com', password };
  await app.authorize({ user, resource: resource.uri, scope: 'tools/read' });
});

test('both ways fail alike', async () => {
  const run = (...line: string[]) => runCli(['admin', ...line, '--config', config], { cwd });
  assert.match(failedWith(await run('client', 'get', '--id', 'nobody'), 4), /no such client/);
  assert.match(failedWith(await run('resource', 'create', '--slug', '?'), 1), /slug/);
  assert.match(failedWith(await run('key', 'rotate'), 5), /Rotate again/);
  failedWith(await run('client', 'list', '--colour'), 2);
  const { code, stdout } = await run('client', 'get', '--id', 'nobody', '--json');
  assert.deepEqual(
    [code, JSON.parse(stdout)],
    [4, { error: { code: 'not_found', status: 404, detail: 'There is no such client.' } }],
  );
});

test('a change made in process reaches the running pods', async () => {
  const slug = 'made-in-process';
  const uri = 'https://made.example.com/';
  const made = await runCli(
    ['admin', 'resource', 'create', '--config', config, '--slug', slug, '--uri', uri, '--scopes', 'a'],
    { cwd },
  );
  assert.equal(made.code, 0, made.stderr);
  const response = await fetch(`${server.issuer}/.well-known/oauth-protected-resource/${slug}`);
  assert.equal(((await response.json()) as { resource: string }).resource, uri);
});

test('a configuration that is not there, or cannot be used, is a failure that lists what is wrong', async () => {
  const missing = await runCli(['admin', 'stats', '--config', 'none.yaml'], { cwd });
  assert.deepEqual(
    [missing.code, missing.stdout, missing.stderr],
    [1, '', 'error: configuration has 1 problem:\n  1. none.yaml: no such file\n'],
  );
  const file = join(cwd, 'wrong.yaml');
  await writeFile(file, 'server: { isuer: "http://localhost:9000", shutdown_wait: soon }\nstorage: { driver: sqlite }');
  const { code, stdout, stderr } = await runCli(['admin', 'stats', '--config', file], { cwd });
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /^error: configuration has 3 problems:\n {2}1\. .+\n {2}2\. .+\n {2}3\. .+\n$/);
  assert.match(stderr, /server\.isuer: .*issuer/, 'the nearest known key is named');
  assert.match(stderr, /server\.shutdown_wait: /);
  assert.match(stderr, /storage\.driver: .*embedded/);
});

test('a database that is away is a failure without its password', async () => {
  const file = await server.configFile({
    storage: { driver: 'postgres', postgres: { dsn: 'postgres://me:hunter2-secret@127.0.0.1:1/none' } },
  });
  for (const line of [['admin', 'stats'], ['migrate'], ['migrate', '--plan']]) {
    const { code, stdout, stderr } = await runCli([...line, '--config', file], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /^error: [^\n]+\n$/);
    assert.ok(!`${stdout}${stderr}`.includes('hunter2-secret'));
  }
});

test('migrate shows its plan, applies what is pending, and then has nothing to do', async () => {
  const { dsn, drop } = await createEmptyDatabase();
  const env = { AUTHPLANE_STORAGE_DRIVER: 'postgres', AUTHPLANE_STORAGE_POSTGRES_DSN: dsn };
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli(['migrate', ...args], { cwd, env });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const plan = await run('--plan');
  assert.match(plan, /^name=0001_changes\S* status=pending\n/);
  assert.doesNotMatch(plan, /applied/);
  const count = plan.trimEnd().split('\n').length;
  assert.equal(await run('--plan'), plan, 'a plan changes nothing');
  const applied = await run();
  assert.equal(applied.match(/^migration applied: name=/gm)?.length, count);
  assert.ok(applied.endsWith(`database is up to date: migrations=${count}\n`));
  assert.equal(await run(), `database is up to date: migrations=${count}\n`);
  assert.equal(await run('--plan'), plan.replaceAll('pending', 'applied'));
  const { migrated, pending, applied: names } = JSON.parse(await run('--json'));
  assert.deepEqual([migrated, pending, names.length], [[], [], count]);
  await drop();
});
