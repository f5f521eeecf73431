/** What every command on the admin API can be told: the form of its output, a rehearsal, a version. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
const cli = (...line: string[]) => runCli(['admin', ...line], { env });
const output = async (...line: string[]): Promise<string> => {
  const { code, stdout, stderr } = await cli(...line);
  assert.equal(code, 0, `${line.join(' ')}\n${stdout}${stderr}`);
  return stdout;
};
const created = (name: string) =>
  admin.client.create({ body: { client_name: name, redirect_uris: ['https://app.example.com/cb'] } });

test('a table has a column a key, JSON is what the API says, and lines are the default', async () => {
  const { client_id: id } = await created('My App');
  const lines = await output('client', 'list');
  assert.match(lines, new RegExp(`^id=${id} name="My App" status=active source=admin\n$`));
  assert.equal(await output('client', 'list', '--output', 'lines'), lines);
  assert.match(
    await output('client', 'list', '-o', 'table'),
    new RegExp(`^ID +NAME +STATUS +SOURCE *\n${id} +My App +active +admin\n$`),
  );
  assert.match(
    await output('client', 'get', '--id', id, '--output', 'table'),
    new RegExp(`^id +${id}\nname +My App\n`),
  );
  const json = await output('client', 'list', '--json');
  assert.equal(await output('client', 'list', '--output', 'json'), json);
  assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(await admin.client.list())));
  assert.match(failedWith(await cli('client', 'list', '--output', 'xml'), 2), /output/);
  const torn = await cli('client', 'list', '--json', '--output', 'table');
  assert.deepEqual([torn.code, JSON.parse(torn.stdout).error.code], [2, 'usage']);
  const gone = await cli('client', 'get', '--id', 'nobody', '--output', 'json');
  assert.deepEqual([gone.code, JSON.parse(gone.stdout).error.status, gone.stderr], [4, 404, '']);
});

test('a table from names of strangers holds no command for the terminal', async () => {
  await server.sql('update clients set client_name = $1', ['\u001b[2J\u202eabc']);
  for (const form of ['lines', 'table']) {
    const shown = await output('client', 'list', '--output', form);
    assert.doesNotMatch(shown, /[^\P{C}\n]/u);
    assert.match(shown, /\\u001b\[2J\\u202eabc/);
  }
});

test('--quiet leaves the ids, and a secret that is shown once', async () => {
  const args = ['--name', 'Job', '--grant-types', 'client_credentials', '--auth-method', 'client_secret_post'];
  const made = await cli('client', 'create', ...args, '--quiet');
  assert.equal(made.stderr, '');
  const [, id, secret] = /^(\S+)\nclient_secret=(\S+)\n$/.exec(made.stdout) ?? [];
  assert.ok(id && secret, made.stdout);
  assert.equal(await output('client', 'get', '--id', id, '-q'), `${id}\n`);
  assert.deepEqual(
    (await output('client', 'list', '-q')).trim().split('\n').sort(),
    (await admin.client.list()).map((client) => client.id).sort(),
  );
  assert.equal(await output('client', 'suspend', '--id', id, '-q'), `${id}\n`);
  assert.equal(await output('user', 'list', '--quiet'), '');
  assert.equal(await output('client', 'delete', '--id', id, '--quiet'), `${id}\n`);
  assert.match(failedWith(await cli('client', 'get', '--id', id, '--quiet'), 4), /no such client/);
});

test('--dry-run says what would be done, and does not do it', async () => {
  const before = await admin.client.list();
  const args = ['--name', 'Never', '--grant-types', 'client_credentials', '--auth-method', 'client_secret_post'];
  const rehearsed = await cli('client', 'create', ...args, '--dry-run');
  assert.deepEqual([rehearsed.stdout, rehearsed.stderr], ['would create a client: name=Never\n', '']);
  const [client] = before;
  const id = client?.id ?? '';
  assert.equal(await output('client', 'delete', '--id', id, '--dry-run'), `would delete a client: id=${id}\n`);
  assert.equal(await output('client', 'suspend', '--id', id, '--dry-run'), `would suspend a client: id=${id}\n`);
  assert.equal(JSON.parse(await output('client', 'suspend', '--id', id, '--dry-run', '--json')).status, 'suspended');
  assert.deepEqual(await admin.client.list(), before);
  assert.match(failedWith(await cli('client', 'create', '--name', '', '--dry-run'), 1), /client_name/);
  assert.match(failedWith(await cli('client', 'list', '--dry-run'), 2), /--dry-run/);
});

test('[threat K08] a change is made to the version that was shown, or not at all', async () => {
  const { client_id: id } = await created('Versioned');
  const etag = /^id=.* etag=(\S+)\n/.exec(await output('client', 'get', '--id', id))?.[1] ?? '';
  assert.match(etag, /^\d+$/);
  const update = (name: string, version: string) =>
    cli('client', 'update', '--id', id, '--name', name, '--if-match', version);
  assert.equal((await update('First', etag)).code, 0);
  assert.match(failedWith(await update('Second', etag), 5), /read it again/);
  const { stdout } = await cli('client', 'update', '--id', id, '--name', 'Second', '--if-match', etag, '--json');
  assert.equal(JSON.parse(stdout).error.status, 412);
  assert.equal((await admin.client.get({ id })).name, 'First');
  assert.equal((await update('Third', `"${Number(etag) + 1}"`)).code, 0, 'as an HTTP header spells it');
  assert.equal((await update('Fourth', '*')).code, 0);
});

test('flags of changes are not on commands that only look', async () => {
  for (const line of [
    ['client', 'get', '--help'],
    ['key', 'list', '--help'],
  ]) {
    const help = await output(...line);
    for (const flag of ['--dry-run', '--if-match', '--yes']) assert.ok(!help.includes(flag), `${line} ${flag}`);
    for (const flag of ['--output', '--quiet', '--context']) assert.ok(help.includes(flag), `${line} ${flag}`);
  }
});
