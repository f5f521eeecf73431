import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { newProvider } from '../support/brokering.ts';
import { failedWith, runCli } from '../support/command-line.ts';
import { emptyDirectory } from '../support/server-process.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
const provider = await newProvider(server);
const cli = (...line: string[]) => runCli(['admin', 'resource', ...line], { env });
const output = async (...line: string[]): Promise<string> => {
  const { code, stdout, stderr } = await cli(...line);
  assert.equal(code, 0, `${line.join(' ')}\n${stdout}${stderr}`);
  return stdout;
};
const scopesOf = async (slug: string) =>
  (await admin.resource.get({ id: slug })).scopes.map(({ name, upstream, description }) => [
    name,
    upstream,
    description,
  ]);

test('the command of the documentation makes a resource (seed: admin resource create)', async () => {
  const stdout = await output(
    ...['create', '--slug', 'my-mcp', '--uri', 'http://localhost:3000/mcp', '--backend-kind', 'mint'],
    ...['--scope-map', 'tools/read:tools/read,tools/write:files.write'],
  );
  const { id } = await admin.resource.get({ id: 'my-mcp' });
  assert.equal(stdout, `resource created: id=${id} slug=my-mcp\n`);
  assert.deepEqual(await scopesOf('my-mcp'), [
    ['tools/read', '', ''],
    ['tools/write', 'files.write', ''],
  ]);
  const shown = `backend_kind=mint broker_provider_id= uri=http://localhost:3000/mcp scopes=[tools/read,tools/write->files.write]`;
  assert.equal(await output('list'), `id=${id} slug=my-mcp ${shown}\n`);
  const none = 'dpop_bound_access_tokens_required=false exchange_clients=[] runtime_clients=[]';
  assert.equal(
    await output('get', '--slug', 'my-mcp'),
    `id=${id} slug=my-mcp ${shown} display_name="" ${none} etag=1\n`,
  );
  assert.deepEqual(JSON.parse(await output('get', '--id', id, '--json')), await admin.resource.get({ id }));
  assert.equal(JSON.parse(await output('list', '--json')).length, 1);
});

test('scopes as tuples: later parts may be left out, a description may contain |', async () => {
  await output(
    ...['create', '--slug', 'tuples', '--scopes', 'a', '--scopes', 'b|up', '--scopes', 'c||Do c|d'],
    ...['--scopes', 'tools/read||Read tools'],
  );
  assert.deepEqual(await scopesOf('tuples'), [
    ['a', '', ''],
    ['b', 'up', ''],
    ['c', '', 'Do c|d'],
    ['tools/read', '', 'Read tools'],
  ]);
});

test('scopes from a file', async () => {
  const directory = await emptyDirectory();
  const file = async (name: string, content: string) => {
    await writeFile(join(directory, name), content);
    return join(directory, name);
  };
  const good = await file('good.json', '[{"name":"a","description":"Do a","default":true}]');
  await output('create', '--slug', 'from-file', '--scopes-file', good);
  assert.equal((await admin.resource.get({ id: 'from-file' })).scopes[0]?.default, true);
  const create = ['create', '--slug', 'never', '--scopes-file'];
  assert.match(failedWith(await cli(...create, await file('bad.json', '{')), 2), /is not JSON/);
  assert.match(failedWith(await cli(...create, await file('object.json', '{}')), 2), /array/);
  assert.match(failedWith(await cli(...create, await file('big.json', `"${'x'.repeat(1_100_000)}"`)), 2), /1 MiB/);
  assert.match(failedWith(await cli(...create, join(directory, 'none')), 2), /none/);
  assert.match(failedWith(await cli(...create, good, '--scopes', 'a'), 2), /scopes/);
  assert.match(failedWith(await cli(...create, await file('odd.json', '[{"title":"a"}]')), 1), /name|title/);
});

test('update replaces the scopes that are given, and leaves everything else', async () => {
  await output('create', '--slug', 'changing', '--display-name', 'Old', '--scopes', 'a', '--scopes', 'b');
  assert.match(
    await output('update', '--slug', 'changing', '--scopes', 'tools/read||Read tools', '--scopes', 'c'),
    /^resource updated: id=\S+ slug=changing\n$/,
  );
  assert.deepEqual(await scopesOf('changing'), [
    ['tools/read', '', 'Read tools'],
    ['c', '', ''],
  ]);
  assert.equal((await admin.resource.get({ id: 'changing' })).display_name, 'Old');
  await output('update', '--slug', 'changing', '--scopes-clear', '--new-slug', 'changed');
  assert.deepEqual(await scopesOf('changed'), []);
  assert.match(failedWith(await cli('update', '--slug', 'changed'), 2), /nothing to change/);
  failedWith(await cli('update', '--slug', 'changed', '--scopes-clear', '--scopes', 'a'), 2);
  failedWith(await cli('get'), 2);
  failedWith(await cli('get', '--slug', 'changed', '--id', 'x'), 2);
});

test('one policy flag changes one list', async () => {
  const { clientId: client } = await server.client();
  await output(
    'create',
    '--slug',
    'policed',
    '--policy-runtime-client-ids',
    client,
    '--policy-allowed-clients',
    client,
  );
  await output('update', '--slug', 'policed', '--backend-kind', 'broker', '--broker-provider', provider.slug);
  await output('update', '--slug', 'policed', '--policy-allowed-return-urls', 'https://a.example/,https://b.example/');
  assert.deepEqual((await admin.resource.get({ id: 'policed' })).policy, {
    exchange: { allowed_client_ids: [client] },
    runtime: { client_ids: [client] },
    connect: { allowed_return_urls: ['https://a.example/', 'https://b.example/'] },
  });
  await output('update', '--slug', 'policed', '--policy-clear');
  const { exchange, runtime, connect } = (await admin.resource.get({ id: 'policed' })).policy;
  assert.deepEqual([exchange.allowed_client_ids, runtime.client_ids, connect?.allowed_return_urls], [[], [], []]);
});

test('admin resource policy has commands for all three lists', async () => {
  const { clientId: client } = await server.client();
  await output('create', '--slug', 'listed', '--backend-kind', 'broker', '--broker-provider', provider.id);
  for (const [topic, member, word] of [
    ['exchange', 'allowed_client_ids', 'exchange'],
    ['runtime', 'client_ids', 'runtime'],
  ]) {
    const list = ['policy', String(topic)];
    const one = ['--slug', 'listed', '--client-id', client];
    assert.equal(
      await output(...list, 'add', ...one),
      `${word} client added: slug=listed client_id=${client} ${member}=[${client}]\n`,
    );
    const shown = await output(...list, 'list', '--slug', 'listed');
    assert.equal(shown.replace(/ etag=\d+/, ''), `slug=listed ${member}=[${client}]\n`);
    assert.equal(
      await output(...list, 'remove', ...one),
      `${word} client removed: slug=listed client_id=${client} ${member}=[]\n`,
    );
  }
  const url = 'https://app.example.com/connected?a=b';
  assert.match(await output('policy', 'connect', 'add', '--slug', 'listed', '--url', url), /^return URL added: /);
  assert.deepEqual(JSON.parse(await output('policy', 'connect', 'list', '--slug', 'listed', '--json')), {
    allowed_return_urls: [url],
  });
  await output('policy', 'connect', 'remove', '--slug', 'listed', '--url', url);
  assert.match(
    await output('runtime-client', 'list', '--slug', 'listed'),
    /^slug=listed client_ids=\[\]/,
    'older name',
  );
});

test('admin resource policy exchange budget: set, list, remove, and what is no budget', async () => {
  const { clientId: client } = await server.client();
  await output('create', '--slug', 'budgeted', '--policy-allowed-clients', client);
  const budget = (verb: string, ...args: string[]) =>
    cli('policy', 'exchange', 'budget', verb, '--slug', 'budgeted', ...args);
  const lines = (...budgets: string[]) => budgets.map((one) => `slug=budgeted ${one}\n`).join('');
  const own = `client_id=${client} max_uses=5 max_lifetime=3600`;
  const set = await budget('set', '--client-id', client, '--max-uses', '5', '--max-lifetime', '3600');
  assert.equal(set.stdout, `budget set: slug=budgeted client_id=${client}\n${lines(own)}`, set.stderr);
  await budget('set', '--default', '--max-depth', '2');
  const listed = (await budget('list')).stdout.replace(/ etag=\d+/, '');
  assert.equal(listed, lines(own, 'client_id=default max_depth=2'));
  assert.match(
    await output('get', '--slug', 'budgeted'),
    new RegExp(`exchange_budgets=\\[${client}:max_uses=5:max_lifetime=3600,default:max_depth=2\\]`),
  );
  await output('update', '--slug', 'budgeted', '--policy-allowed-clients', client);
  assert.equal((await admin.policy.listExchangeBudgets({ slug: 'budgeted' })).budgets.length, 2, 'lists leave budgets');
  failedWith(await budget('set', '--max-uses', '5'), 2);
  assert.match((await budget('set', '--default')).stderr, /must limit something/);
  const removed = await budget('remove', '--default');
  assert.equal(removed.stdout, `budget removed: slug=budgeted client_id=default\n${lines(own)}`);
});

test('a deleted resource is gone', async () => {
  await output('create', '--slug', 'doomed');
  assert.equal(await output('delete', '--slug', 'doomed'), 'resource deleted: slug=doomed\n');
  failedWith(await cli('get', '--slug', 'doomed'), 4);
  failedWith(await cli('delete', '--slug', 'doomed'), 4);
});

test('get shows everything a flag can set', async () => {
  const { client_id: id } = await admin.client.create({
    body: { client_name: 'Gateway', redirect_uris: ['https://a.example/cb'] },
  });
  await output(
    ...[
      'create',
      '--slug',
      'shown',
      '--uri',
      'https://mcp.example/shown',
      '--display-name',
      'Shown',
      '--dpop-required',
    ],
    ...['--policy-allowed-clients', id, '--policy-runtime-client-ids', id],
    ...['--backend-kind', 'broker', '--broker-provider', provider.slug],
    ...['--policy-allowed-return-urls', 'https://a.example/back'],
  );
  const shown = await output('get', '--slug', 'shown');
  for (const pair of [
    'backend_kind=broker',
    `broker_provider_id=${provider.id}`,
    'display_name="Shown"',
    'dpop_bound_access_tokens_required=true',
    `exchange_clients=[${id}]`,
    `runtime_clients=[${id}]`,
    'return_urls=[https://a.example/back]',
  ])
    assert.ok(shown.includes(pair), `${pair} is not in ${shown}`);
});

test('the usage line has no holes, and scopes are cleared or given, not both', async () => {
  const usage = /USAGE\n(.*?)\n\n/s.exec((await cli('update', '--help')).stdout)?.[1] ?? '';
  assert.match(usage, /--scopes-clear/);
  assert.doesNotMatch(usage, /\|\s*\||\[\s*\||\|\s*\]/);
  for (const given of [
    ['--scopes', 'a'],
    ['--scope-map', 'a:b'],
    ['--scopes-file', '/dev/null'],
  ])
    assert.match(failedWith(await cli('update', '--slug', 'my-mcp', '--scopes-clear', ...given), 2), /scopes-clear/);
});
