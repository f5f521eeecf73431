import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import pg from 'pg';
import { createDatabase } from '../support/database.ts';
import { emptyDirectory, freePorts } from '../support/server-process.ts';
import { launchServer, type StartedServer, startServer } from '../support/started-server.ts';

type Resource = {
  id: string;
  slug: string;
  uri: string;
  display_name: string;
  scopes: { name: string; default: boolean }[];
};
const seeded = {
  slug: 'my-mcp',
  uri: 'https://mcp.example.com/mcp',
  display_name: 'My MCP',
  scopes: [{ name: 'tools/read', description: 'Read tools', default: true }, { name: 'tools/write' }],
};

/** A server that can be started again and again on the same database, with another configuration each time. */
const world = async (t: TestContext) => {
  const { dsn, drop } = await createDatabase();
  t.after(drop);
  const directory = await emptyDirectory();
  const [token = 0, admin = 0, internal = 0] = await freePorts(3);
  const options = async (content: unknown, env: Record<string, string> = {}) => {
    const file = join(directory, 'config.yaml');
    await writeFile(file, JSON.stringify(Array.isArray(content) ? { resources: content } : (content ?? {})));
    const settings = { STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: dsn, CONFIG: file, ...env };
    return { directory, ports: { token, admin, internal }, env: settings };
  };
  return {
    /** With these resources, or with a whole configuration. */
    start: async (content: unknown, env?: Record<string, string>) => startServer(await options(content, env)),
    /** Starts what must not come up; returns what it says. */
    refuse: async (content: unknown, env?: Record<string, string>): Promise<string> => {
      const server = await launchServer(await options(content, env));
      assert.deepEqual(await server.process.ended(), { code: 1, signal: null });
      assert.equal(server.process.stdout(), '');
      assert.doesNotMatch(server.process.stderr(), /^ {4}at /m, 'no stack trace');
      return server.process.stderr();
    },
    sql: async (text: string) => {
      const connection = new pg.Client({ connectionString: dsn });
      await connection.connect();
      const { rows } = await connection.query(text);
      await connection.end();
      return rows;
    },
  };
};
const list = (server: StartedServer) => server.admin<Resource[]>(['resource', 'list']);

test('resources of the configuration are there when the server is ready, and recorded as its doing', async (t) => {
  const { start, sql } = await world(t);
  const server = await start([seeded, { slug: 'second' }]);
  const shown = (await list(server)).map(({ slug, uri, display_name, scopes }) => [
    slug,
    uri,
    display_name,
    scopes.length,
  ]);
  assert.deepEqual(shown.sort(), [
    ['my-mcp', seeded.uri, 'My MCP', 2],
    ['second', '', '', 0],
  ]);
  const metadata = await fetch(`${server.issuer}/.well-known/oauth-protected-resource/mcp`);
  assert.equal(((await metadata.json()) as { resource: string }).resource, seeded.uri);
  assert.deepEqual(await sql('select action, actor_id from audit_events'), [
    { action: 'resource.created', actor_id: 'config' },
    { action: 'resource.created', actor_id: 'config' },
  ]);
  assert.equal((await sql('select 1 from changes')).length, 2);
});

test('what exists is never updated, neither from the file nor after an operator changed it', async (t) => {
  const { start, sql } = await world(t);
  const first = await start([seeded]);
  await first.admin(['resource', 'update', '--slug', 'my-mcp', '--display-name', 'Renamed', '--scopes', 'tools/read']);
  const [before] = await list(first);
  await first.stop();

  const second = await start([{ ...seeded, uri: 'https://other.example.com/', scopes: [] }, { slug: 'second' }]);
  const after = await list(second);
  assert.deepEqual(
    after.find(({ slug }) => slug === 'my-mcp'),
    before,
  );
  assert.deepEqual(after.map(({ slug }) => slug).sort(), ['my-mcp', 'second']);
  await second.stop();

  const third = await start(undefined);
  assert.equal((await list(third)).length, 2, 'what is no longer configured stays');
  assert.equal((await sql(`select 1 from audit_events where action = 'resource.created'`)).length, 2);
});

test('AUTHPLANE_RESOURCE_URI and AUTHPLANE_RESOURCE_SCOPES are one resource', async (t) => {
  const { start } = await world(t);
  const env = { RESOURCE_URI: 'http://localhost:3000/mcp', RESOURCE_SCOPES: 'tools/read,tools/write' };
  const first = await start([{ slug: 'second' }], env);
  const made = (await list(first)).find(({ uri }) => uri !== '');
  assert.deepEqual(
    [made?.slug, made?.uri, made?.scopes.map(({ name }) => name)],
    ['localhost-3000', 'http://localhost:3000/mcp', ['tools/read', 'tools/write']],
  );
  await first.stop();
  const second = await start(undefined, { ...env, RESOURCE_SCOPES: 'other' });
  assert.deepEqual(
    (await list(second)).find(({ id }) => id === made?.id),
    made,
  );
});

const provider = {
  slug: 'github',
  display_name: 'GitHub',
  protocol: 'oauth',
  config_data: {
    client_id: 'id-at-github',
    client_secret_ref: 'CONNECTOR_GITHUB_SECRET',
    authorize_url: 'https://github.com/login/oauth/authorize',
    token_url: 'https://github.com/login/oauth/access_token',
  },
};
const behind = { slug: 'repos', backend_kind: 'broker', broker_provider_slug: 'github', scopes: [{ name: 'repo' }] };

test('providers of the configuration come before the resources that need them, and are never updated', async (t) => {
  const { start, sql } = await world(t);
  const first = await start({ resources: [behind], broker_providers: [provider] });
  assert.doesNotMatch(first.process.stderr() + first.process.stdout(), /without effect.*broker_providers/);
  const [made] = await first.admin<Record<string, unknown>[]>(['provider', 'list']);
  assert.deepEqual(made?.config_data, provider.config_data);
  const [resource] = await first.admin<{ broker_provider_id: string }[]>(['resource', 'list']);
  assert.equal(resource?.broker_provider_id, made?.id);
  assert.deepEqual(await sql('select action, actor_id from audit_events order by id'), [
    { action: 'broker_provider.created', actor_id: 'config' },
    { action: 'resource.created', actor_id: 'config' },
  ]);
  await first.stop();

  const env = { BROKER_PROVIDER_SLUG: 'github', BROKER_PROVIDER_CLIENT_ID: 'other', BROKER_PROVIDER_DISPLAY_NAME: 'X' };
  const second = await start({ resources: [behind], broker_providers: [provider] }, env);
  assert.deepEqual(await second.admin(['provider', 'list']), [made]);
});

test('AUTHPLANE_BROKER_PROVIDER_* is one provider', async (t) => {
  const { start } = await world(t);
  const server = await start(undefined, {
    BROKER_PROVIDER_SLUG: 'github',
    BROKER_PROVIDER_CLIENT_ID: 'id-at-github',
    BROKER_PROVIDER_CLIENT_SECRET_ENV: 'CONNECTOR_GITHUB_SECRET',
    BROKER_PROVIDER_AUTHORIZE_URL: provider.config_data.authorize_url,
    BROKER_PROVIDER_TOKEN_URL: provider.config_data.token_url,
  });
  const [made] = await server.admin<Record<string, unknown>[]>(['provider', 'list']);
  const { slug, display_name, protocol, config_data } = made ?? {};
  assert.deepEqual({ slug, display_name, protocol, config_data }, { ...provider, display_name: 'github' });
});

const brokenProviders: Record<string, [content: object, told: RegExp]> = {
  'a provider that lacks what its protocol needs': [
    { broker_providers: [{ ...provider, config_data: { client_id: 'x' } }] },
    /provider github of the configuration: .*config_data\.token_url/,
  ],
  'a provider with a secret written out': [
    { broker_providers: [{ ...provider, config_data: { ...provider.config_data, client_secret: 'canary-22' } }] },
    /client_secret must not be written here/,
  ],
  'a broker resource of nobody': [
    { resources: [{ ...behind, broker_provider_slug: 'gitlab' }] },
    /resource repos of the configuration: .*gitlab/,
  ],
  'a broker resource without a provider': [
    { resources: [{ slug: 'repos', backend_kind: 'broker' }] },
    /resources\[1\]\.broker_provider_slug: is required/,
  ],
};
for (const [name, [content, told]] of Object.entries(brokenProviders))
  test(`${name} refuses to start, and seeds nothing of the others`, async (t) => {
    const { refuse, sql } = await world(t);
    const { broker_providers = [], resources = [] } = content as Record<string, object[]>;
    const stderr = await refuse({
      broker_providers: [{ ...provider, slug: 'innocent' }, ...broker_providers],
      resources: [{ slug: 'innocent' }, ...resources],
    });
    assert.match(stderr, told);
    assert.doesNotMatch(stderr, /canary-22/);
    assert.deepEqual(await sql('select 1 from broker_providers union all select 1 from resources'), []);
  });

test('two servers that start at once seed once', async (t) => {
  const { dsn, drop } = await createDatabase();
  t.after(drop);
  const directory = await emptyDirectory();
  const ports = await freePorts(6);
  const launch = (offset: number) => {
    const [token = 0, admin = 0, internal = 0] = ports.slice(offset, offset + 3);
    const env = { STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: dsn, RESOURCE_URI: 'http://localhost:3000/mcp' };
    return startServer({ directory, ports: { token, admin, internal }, env });
  };
  const [one, other] = await Promise.all([launch(0), launch(3)]);
  assert.equal((await list(one)).length, 1);
  assert.deepEqual(await list(one), await list(other));
});

test('a configuration that cannot be used is refused with every problem, numbered', async (t) => {
  const { refuse, sql } = await world(t);
  const stderr = await refuse(
    [{ ...seeded, slug: 'A b' }, seeded, seeded, { ...seeded, slug: 'x', scopes: [{ name: 'a b' }] }],
    {
      RESOURCE_SCOPES: 'a',
    },
  );
  assert.match(stderr, /^error: configuration has \d+ problems:\n {2}1\. /);
  const problems = stderr.match(/^ {2}\d+\. .+$/gm) ?? [];
  assert.deepEqual(
    problems.map((line) => Number(/\d+/.exec(line)?.[0])),
    problems.map((_, index) => index + 1),
  );
  for (const problem of ['resources[0].slug', 'resources[3].scopes[0].name', 'AUTHPLANE_RESOURCE_SCOPES'])
    assert.ok(stderr.includes(problem), `${problem}\n${stderr}`);
  assert.deepEqual(await sql('select 1 from resources'), []);
});

const broken: Record<string, [resources: object[], told: RegExp]> = {
  'a client nobody knows': [[{ ...seeded, policy: { runtime: { client_ids: ['nobody'] } } }], /my-mcp.*nobody/],
  'the URI of another resource': [[{ ...seeded, slug: 'taken', uri: 'https://MCP.example.com/taken' }], /taken/],
  'a return URL that is none': [
    [{ ...seeded, policy: { connect: { allowed_return_urls: ['javascript:x'] } } }],
    /url/i,
  ],
};
for (const [name, [resources, told]] of Object.entries(broken))
  test(`a resource with ${name} refuses to start, names itself, and seeds nothing of the others`, async (t) => {
    const { start, refuse, sql } = await world(t);
    const other = await start([{ slug: 'first', uri: 'https://mcp.example.com/taken' }]);
    await other.stop();
    const stderr = await refuse([{ slug: 'innocent' }, ...resources]);
    assert.match(stderr, /^error: /m);
    assert.match(stderr, told);
    assert.match(stderr, /resource/);
    assert.deepEqual(await sql('select slug from resources'), [{ slug: 'first' }]);
    assert.equal((await sql('select 1 from audit_events')).length, 1);
  });
