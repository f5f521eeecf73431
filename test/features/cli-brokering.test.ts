/** The commands for upstream providers, fronting links and broker grants. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { brokerGrant, github, newProvider } from '../support/brokering.ts';
import { failedWith, runCli } from '../support/command-line.ts';
import { emptyDirectory } from '../support/server-process.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
const directory = await emptyDirectory();
const cli = (...line: string[]) => runCli(['admin', ...line], { env, cwd: directory });
const output = async (...line: string[]): Promise<string> => {
  const { code, stdout, stderr } = await cli(...line);
  assert.equal(code, 0, `${line.join(' ')}\n${stdout}${stderr}`);
  return stdout;
};
const file = async (name: string, content: unknown): Promise<string> => {
  await writeFile(join(directory, name), typeof content === 'string' ? content : JSON.stringify(content));
  return `./${name}`;
};

test('the command of the documentation makes a provider (seed: admin provider)', async () => {
  assert.equal(await output('provider', 'list'), 'no providers found\n');
  const config = await file('github-provider.json', github);
  const create = ['provider', 'create', '--slug', 'github', '--protocol', 'oauth', '--display-name', 'GitHub Cloud'];
  const made = await output(...create, '--config-data', config);
  const { id } = await admin.provider.get({ id: 'github' });
  assert.equal(made, `provider created: id=${id} slug=github\n`);
  const line = `id=${id} slug=github display_name="GitHub Cloud" protocol=oauth`;
  assert.equal(await output('provider', 'list'), `${line}\n`);
  for (const flag of [
    ['--id', id],
    ['--slug', 'github'],
  ]) {
    const shown = await output('provider', 'get', ...flag);
    assert.ok(shown.startsWith(line), shown);
    assert.ok(shown.includes('CONNECTOR_GITHUB_SECRET'), shown);
  }
  assert.deepEqual(JSON.parse(await output('provider', 'get', '--id', id, '--json')).config_data, github);
  assert.equal(JSON.parse(await output('provider', 'list', '--json')).length, 1);

  const other = await file('other.json', { ...github, client_id: 'other' });
  assert.equal(
    await output('provider', 'update', '--id', id, '--config-data', other, '--new-slug', 'hub'),
    `provider updated: id=${id} slug=hub\n`,
  );
  assert.equal((await admin.provider.get({ id })).config_data.client_id, 'other');
  assert.equal(await output('provider', 'delete', '--slug', 'hub'), 'provider deleted: slug=hub\n');
  failedWith(await cli('provider', 'get', '--slug', 'hub'), 4);
});

test('what is wrong with a provider is said in one line', async () => {
  const create = ['provider', 'create', '--slug', 'x', '--display-name', 'X', '--protocol'];
  const good = await file('good.json', github);
  assert.match(failedWith(await cli(...create, 'saml', '--config-data', good), 2), /saml/);
  assert.match(failedWith(await cli(...create, 'oauth'), 2), /config-data/);
  for (const [name, content, says] of [
    ['broken.json', '{', /is not JSON/],
    ['list.json', '[]', /is not a JSON object/],
    ['big.json', `"${'x'.repeat(1_100_000)}"`, /1 MiB/],
  ] as const)
    assert.match(failedWith(await cli(...create, 'oauth', '--config-data', await file(name, content)), 2), says);
  assert.match(failedWith(await cli(...create, 'oauth', '--config-data', './none.json'), 2), /cannot be read/);
  const secret = await file('secret.json', { ...github, client_secret: 'canary-9c' });
  const said = failedWith(await cli(...create, 'oauth', '--config-data', secret), 1);
  assert.match(said, /client_secret_ref/);
  assert.doesNotMatch(said, /canary-9c/);
  assert.match(failedWith(await cli('provider', 'update', '--slug', 'x'), 2), /nothing to change/);
  failedWith(await cli('provider', 'get'), 2);
});

test('a broker resource is made with a provider by id or slug, listed by it, and stands in its way', async () => {
  const provider = await newProvider(server);
  const create = (slug: string, named: string) =>
    output('resource', 'create', '--slug', slug, '--backend-kind', 'broker', '--broker-provider', named);
  await create('by-id', provider.id);
  await create('by-slug', provider.slug);
  for (const named of [provider.id, provider.slug]) {
    const listed = await output('resource', 'list', '--broker-provider', named);
    assert.deepEqual(
      listed.match(/ slug=\S+ backend_kind=broker broker_provider_id=\S+/g),
      ['by-id', 'by-slug'].map((slug) => ` slug=${slug} backend_kind=broker broker_provider_id=${provider.id}`),
    );
  }
  assert.match(failedWith(await cli('provider', 'delete', '--slug', provider.slug), 5), /resources 2/);
  const other = await newProvider(server);
  await output('resource', 'update', '--slug', 'by-id', '--broker-provider', other.slug);
  assert.equal((await admin.resource.get({ id: 'by-id' })).broker_provider_id, other.id);
  await output('resource', 'update', '--slug', 'by-id', '--backend-kind', 'mint');
  assert.equal((await admin.resource.get({ id: 'by-id' })).broker_provider_id, '');
  failedWith(await cli('resource', 'update', '--slug', 'by-id', '--broker-provider', 'nobody'), 4);
  failedWith(await cli('resource', 'create', '--slug', 'x', '--backend-kind', 'broker'), 1);
});

test('the command of the documentation makes a fronting link (seed: admin fronting)', async () => {
  const [source, target] = ['gate', 'hidden'];
  await output('resource', 'create', '--slug', source, '--scopes', 'src/read', '--scopes', 'src/write');
  await output('resource', 'create', '--slug', target, '--scopes', 'dst/read', '--scopes', 'dst/list');
  assert.equal(await output('fronting', 'list'), 'no fronting links found\n');
  const ends = ['--source', source, '--target', target];
  const map = ['--scope-map', 'src/read:dst/read'];
  assert.equal(
    await output('fronting', 'create', ...ends, ...map, '--dry-run'),
    `validation OK: source=${source} target=${target}\n`,
  );
  assert.equal(await output('fronting', 'list'), 'no fronting links found\n');
  assert.equal(
    await output('fronting', 'create', ...ends, ...map),
    `fronting link created: source=${source} target=${target}\n`,
  );
  failedWith(await cli('fronting', 'create', ...ends, ...map), 5);
  assert.equal(
    await output('fronting', 'list'),
    `source=gate target=hidden scope_map={src/read->dst/read} created_by=admin\n`,
  );
  assert.equal(
    await output('fronting', 'update', ...ends, '--scope-map', 'src/read:dst/read+dst/list,src/write:dst/read'),
    `fronting link updated: source=${source} target=${target}\n`,
  );
  const line = 'source=gate target=hidden scope_map={src/read->dst/read+dst/list,src/write->dst/read} created_by=admin';
  assert.ok((await output('fronting', 'get', ...ends)).startsWith(line));
  assert.equal(await output('fronting', 'list', '--source', source), `${line}\n`);
  assert.equal(await output('fronting', 'list', '--target', source), 'no fronting links found\n');
  assert.equal(await output('fronting', 'show', '--slug', source), `fronts (1):\n  ${line}\nfronted_by (0):\n`);
  assert.deepEqual(JSON.parse(await output('fronting', 'get', ...ends, '--json')).scope_map, {
    'src/read': ['dst/read', 'dst/list'],
    'src/write': ['dst/read'],
  });
  assert.equal(
    await output('fronting', 'delete', ...ends),
    `fronting link deleted: source=${source} target=${target}\n`,
  );
  failedWith(await cli('fronting', 'get', ...ends), 4);
});

test('scopes with a colon, a comma or a plus are mapped by a file', async () => {
  const odd = { 'a:b,c': ['d+e'], plain: ['d+e', 'f'] };
  await admin.resource.create({ body: { slug: 'odd-1', scopes: [{ name: 'a:b,c' }, { name: 'plain' }] } });
  await admin.resource.create({ body: { slug: 'odd-2', scopes: [{ name: 'd+e' }, { name: 'f' }] } });
  const ends = ['--source', 'odd-1', '--target', 'odd-2'];
  const path = await file('map.json', odd);
  await output('fronting', 'create', ...ends, '--scope-map-file', path);
  assert.deepEqual((await admin.fronting.get({ source: 'odd-1', target: 'odd-2' })).scope_map, odd);
  for (const [given, says] of [
    [[], /--scope-map or --scope-map-file/],
    [['--scope-map', 'a'], /source:target/],
    [['--scope-map', 'a:b', '--scope-map-file', path], /scope-map/],
    [['--scope-map-file', './none'], /cannot be read/],
  ] as const)
    assert.match(failedWith(await cli('fronting', 'create', ...ends, ...given), 2), says);
  assert.match(failedWith(await cli('fronting', 'update', ...ends, '--scope-map', 'plain:nothing'), 1), /nothing/);
});

test('a resource with links is deleted with --cascade, and a dry run says what would end', async () => {
  await admin.resource.create({ body: { slug: 'front', scopes: [{ name: 'a' }] } });
  await admin.resource.create({ body: { slug: 'back', scopes: [{ name: 'a' }] } });
  await admin.fronting.create({ body: { source: 'front', target: 'back', scope_map: { a: ['a'] } } });
  assert.match(failedWith(await cli('resource', 'delete', '--slug', 'front'), 5), /front -> back.*cascade/);
  assert.equal(
    await output('resource', 'delete', '--slug', 'front', '--cascade', '--dry-run'),
    'would delete a resource: slug=front consents=0 families=0 issuances=0 archived=false links=[front->back]\n',
  );
  assert.equal(await output('resource', 'delete', '--slug', 'front', '--cascade'), 'resource deleted: slug=front\n');
  failedWith(await cli('fronting', 'get', '--source', 'front', '--target', 'back'), 4);
});

test('a resource with a history is listed as archived, and shown by its id', async () => {
  const { id, slug, uri } = await server.resource();
  const app = await server.client();
  await app.authorize({ user: await server.user(), resource: uri, scope: 'tools/read' });
  assert.match(await output('resource', 'delete', '--slug', slug, '--dry-run'), /issuances=1 archived=true/);
  await output('resource', 'delete', '--slug', slug);
  failedWith(await cli('resource', 'get', '--slug', slug), 4);
  assert.match(await output('resource', 'get', '--id', id), new RegExp(`slug=${slug} .*archived_at=`));
  assert.match(await output('resource', 'list', '--archived'), new RegExp(`^id=${id} slug=${slug} `, 'm'));
});

test('what a user connected is listed and revoked (seed: admin grant)', async () => {
  const [user, provider] = [await server.user(), await newProvider(server)];
  const id = await brokerGrant(server, { userId: user.id, providerId: provider.id });
  const line = `id=${id} user_id=${user.id} broker_provider_id=${provider.id} scopes_granted=[repo,gist] version=1`;
  const list = () => output('grant', 'list-user-grants', '--user', user.id);
  assert.equal(await list(), `consent_grants (0):\nbroker_grants (1):\n  ${line}\n`);
  for (let n = 0; n < 2; n += 1)
    assert.equal(await output('grant', 'revoke-broker', '--id', id), `revoked broker grant: id=${id}\n`);
  assert.match(await list(), new RegExp(`  ${line.replace(/[[\]]/g, '\\$&')} revoked_at=\\S+\\n$`));
});
