/** Several servers, by name. */
import assert from 'node:assert/strict';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { type CliOptions, failedWith, runCli } from '../support/command-line.ts';
import { emptyDirectory } from '../support/server-process.ts';

const first = await startAuthServer({ admin: true });
const second = await startAuthServer({ admin: true });
await first.admin.resource.create({ body: { slug: 'on-the-first', backend_kind: 'mint', uri: 'https://a.example/' } });
await second.admin.resource.create({
  body: { slug: 'on-the-second', backend_kind: 'mint', uri: 'https://b.example/' },
});

const home = await emptyDirectory();
const file = join(home, 'authserver/contexts.json');
const base = { XDG_CONFIG_HOME: home };
const cli = (line: string, env: Record<string, string> = {}, options: CliOptions = {}) =>
  runCli(line.split(' '), { cwd: home, ...options, env: { ...base, ...env } });
const lines = async (line: string, env: Record<string, string> = {}, options: CliOptions = {}): Promise<string> => {
  const { code, stdout, stderr } = await cli(line, env, options);
  assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
  return stdout;
};
/** Which of the two servers a command reached. */
const reached = async (flags = '', env: Record<string, string> = {}): Promise<string | undefined> =>
  /slug=on-the-(\w+)/.exec(await lines(`admin resource list ${flags}`.trim(), { ...keys, ...env }))?.[1];
const keys = { FIRST_KEY: first.adminKey };

test('a server gets a name, and its key stays where it is', async () => {
  assert.equal(await lines('context list'), 'no contexts found\n');
  assert.equal(
    await lines(`context add first --admin-url ${first.adminUrl} --key-env FIRST_KEY`),
    `context added: name=first admin_url=${first.adminUrl} key=env:FIRST_KEY current=false\n`,
  );
  await writeFile(join(home, 'second-key'), `${second.adminKey}\n`, { mode: 0o600 });
  await lines(`context add second --admin-url ${second.adminUrl} --key-file second-key --use`);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await stat(join(home, 'authserver'))).mode & 0o777, 0o700);
  const text = await readFile(file, 'utf8');
  for (const key of [first.adminKey, second.adminKey]) assert.ok(!text.includes(key));
  assert.equal(
    await lines('context list'),
    `name=first admin_url=${first.adminUrl} key=env:FIRST_KEY current=false\n` +
      `name=second admin_url=${second.adminUrl} key=file:${join(home, 'second-key')} current=true\n`,
  );
  assert.equal(JSON.parse(await lines('context show --json')).name, 'second');
  failedWith(await cli(`context add first --admin-url ${second.adminUrl}`), 5);
});

test('a flag goes before the environment, that before the context in use', async () => {
  assert.equal(await reached(), 'second');
  assert.equal(await reached('--context first'), 'first');
  assert.equal(await reached('', { AUTHPLANE_CONTEXT: 'first' }), 'first');
  assert.equal(await reached('--context second', { AUTHPLANE_CONTEXT: 'first' }), 'second');
  const direct = { AUTHPLANE_ADMIN_URL: first.adminUrl, AUTHPLANE_ADMIN_API_KEY: first.adminKey };
  assert.equal(await reached('', direct), 'first');
  assert.equal(
    await reached('--context second', direct),
    'second',
    'with the key of the context, not the one lying about',
  );
  assert.equal(await reached(`--admin-url ${first.adminUrl}`, { AUTHPLANE_ADMIN_API_KEY: first.adminKey }), 'first');
  const config = await first.configFile();
  assert.equal(await reached(`--config ${config}`), 'first');
  assert.equal(await reached(`--config ${config}`, { AUTHPLANE_CONTEXT: 'second' }), 'first');
  assert.equal(await reached('', { AUTHPLANE_CONFIG: config }), 'first');
  await lines('context use first');
  assert.equal(await reached(), 'first');
  await lines('context use second');

  for (const wrong of [`--context first --admin-url ${first.adminUrl}`, `--context first --config ${config}`])
    assert.match(failedWith(await cli(`admin stats ${wrong}`, keys), 2), /--context/);
  assert.match(failedWith(await cli('admin stats', { ...direct, AUTHPLANE_CONTEXT: 'first' }), 2), /AUTHPLANE_CONTEXT/);
  assert.match(failedWith(await cli('admin stats --context nowhere'), 4), /no context nowhere/);
});

test('a key that is not there is said to be missing, not taken from elsewhere', async () => {
  const env = { AUTHPLANE_ADMIN_API_KEY: second.adminKey };
  assert.match(failedWith(await cli('admin stats --context first', env), 2), /FIRST_KEY, which is not set/);
  await lines(`context add lost --admin-url ${first.adminUrl} --key-file /nowhere/key`);
  assert.match(failedWith(await cli('admin stats --context lost', env), 2), /\/nowhere\/key/);
  await lines('context remove lost');
});

test('[threat K06] a key is kept only when it is put in, is never shown, and others may not read it', async () => {
  const add = `context add kept --admin-url ${first.adminUrl}`;
  const told = failedWith(await cli(`${add} --key ${first.adminKey}`), 2);
  assert.ok(!told.includes(first.adminKey), 'there is no flag for a key');
  failedWith(await cli(`${add} --key-stdin`), 2);
  failedWith(await cli(`${add} --key-stdin --key-env FIRST_KEY`, {}, { input: first.adminKey }), 2);
  const added = await lines(`${add} --key-stdin`, {}, { input: `${first.adminKey}\n` });
  assert.match(added, / key=stored /);
  assert.equal(await reached('--context kept'), 'first');
  for (const line of ['context list', 'context list --json', 'context show kept'])
    assert.ok(!(await lines(line)).includes(first.adminKey), line);
  await chmod(file, 0o644);
  assert.match(failedWith(await cli('admin stats --context kept'), 1), /chmod 600/);
  await chmod(file, 0o600);
  await lines('context remove kept');
  assert.ok(!(await readFile(file, 'utf8')).includes(first.adminKey));
});

test('names, addresses and files that are none are refused', async () => {
  for (const name of ['a/b', '.x', '__proto__', 'x'.repeat(65)])
    failedWith(await cli(`context add ${name} --admin-url ${first.adminUrl}`), 2);
  for (const url of ['localhost:9001', 'ftp://x', 'http://me:pw@x'])
    failedWith(await cli(`context add fine --admin-url ${url}`), 2);
  failedWith(await cli(`context add fine --admin-url ${first.adminUrl} --key-env A=b`), 2);
  for (const line of ['context use nobody', 'context show nobody', 'context remove toString'])
    failedWith(await cli(line), 4);
  const clear = await cli('context add far --admin-url http://auth.example.com');
  assert.match(clear.stderr, /unencrypted/);
  await lines('context remove second');
  failedWith(await cli('context show'), 4);
  await writeFile(file, '{"contexts": []}');
  assert.match(failedWith(await cli('context list'), 1), /contexts\.json is not a file of contexts/);
  assert.match(failedWith(await cli('admin stats'), 1), /contexts\.json/);
});
