import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { sampleEntries } from './example.ts';
import { ConfigError, loadConfig } from './index.ts';
import { slugOf } from './seed-environment.ts';

const directory = mkdtempSync(join(tmpdir(), 'authserver-seed-'));
after(() => rmSync(directory, { recursive: true }));

function load(content: object, env: Record<string, string> = {}) {
  const path = join(directory, 'config.yaml');
  writeFileSync(path, stringify(content));
  return loadConfig({ path, env }).config;
}

function problems(content: object, env: Record<string, string> = {}): string[] {
  try {
    load(content, env);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(({ key, message }) => `${key}: ${message}`);
  }
}

test('the samples of the example file load', () => {
  const { resources, broker_providers } = load(sampleEntries);
  assert.deepEqual(resources[0]?.policy, {
    exchange: { allowed_client_ids: [] },
    runtime: { client_ids: ['my-mcp-server'] },
    connect: { allowed_return_urls: [] },
  });
  assert.deepEqual(resources[0]?.scopes, [
    { name: 'tools/read', description: 'Read tools', default: true },
    { name: 'tools/write', default: false },
  ]);
  assert.equal(broker_providers[0]?.config_data.client_id, 'id-at-github');
});

test('a resource from the environment is a mint resource named after its host', () => {
  const env = { AUTHPLANE_RESOURCE_URI: 'http://localhost:3000/mcp', AUTHPLANE_RESOURCE_SCOPES: 'a, b,,a' };
  const [resource, ...others] = load({}, env).resources;
  assert.equal(others.length, 0);
  assert.equal(resource?.slug, 'localhost-3000');
  assert.equal(resource?.uri, 'http://localhost:3000/mcp');
  assert.equal(resource?.backend_kind, 'mint');
  assert.deepEqual(
    resource?.scopes.map(({ name }) => name),
    ['a', 'b'],
  );
});

test('scopes of the environment replace those of the resource with that URI', () => {
  const { resources } = load(sampleEntries, {
    AUTHPLANE_RESOURCE_URI: 'https://MCP.example.com/mcp',
    AUTHPLANE_RESOURCE_SCOPES: 'other',
  });
  assert.deepEqual(
    resources.map(({ slug, scopes }) => [slug, scopes.map(({ name }) => name)]),
    [['my-mcp', ['other']]],
  );
});

test('a provider from the environment is merged into the one of its slug', () => {
  const env = { AUTHPLANE_BROKER_PROVIDER_SLUG: 'github', AUTHPLANE_BROKER_PROVIDER_CLIENT_ID: 'other-id' };
  const [merged] = load(sampleEntries, env).broker_providers;
  assert.equal(merged?.display_name, 'GitHub');
  assert.equal(merged?.config_data.client_id, 'other-id');
  assert.equal(merged?.config_data.client_secret_ref, 'CONNECTOR_GITHUB_SECRET');

  const [added] = load({}, { ...env, AUTHPLANE_BROKER_PROVIDER_CLIENT_SECRET_ENV: 'CONNECTOR_X' }).broker_providers;
  assert.deepEqual(added, {
    slug: 'github',
    display_name: 'github',
    protocol: 'oauth',
    config_data: { client_id: 'other-id', client_secret_ref: 'CONNECTOR_X' },
  });
});

const resource = { slug: 'a', uri: 'https://a.example' };
const provider = { slug: 'p', display_name: 'P', protocol: 'oauth' };
const refused: [content: object, env: Record<string, string>, problem: string][] = [
  [{}, { AUTHPLANE_RESOURCE_SCOPES: 'a' }, 'AUTHPLANE_RESOURCE_SCOPES: needs AUTHPLANE_RESOURCE_URI'],
  [{}, { AUTHPLANE_RESOURCE_URI: 'mcp' }, 'AUTHPLANE_RESOURCE_URI: expected an http or https URL'],
  [
    {},
    { AUTHPLANE_BROKER_PROVIDER_CLIENT_ID: 'x' },
    'AUTHPLANE_BROKER_PROVIDER_CLIENT_ID: needs AUTHPLANE_BROKER_PROVIDER_SLUG',
  ],
  [{ resources: [resource, resource] }, {}, 'resources[1].slug: is the same as that of resources[0]'],
  [{ resources: [{ uri: 'https://a.example' }] }, {}, 'resources[0].slug: is required'],
  [
    { resources: [{ ...resource, scopes: [{ name: 'a b' }] }] },
    {},
    'resources[0].scopes[0].name: expected one scope token (RFC 6749 §3.3)',
  ],
  [
    { resources: [{ ...resource, backend_kind: 'broker' }] },
    {},
    'resources[0].broker_provider_slug: is required for a broker resource, or broker_provider_id',
  ],
  [
    { resources: [{ ...resource, broker_provider_slug: 'p' }] },
    {},
    'resources[0].backend_kind: mint resources have no broker provider',
  ],
  [
    { resources: [{ ...resource, broker_provider_slug: 'p', broker_provider_id: 'i' }] },
    {},
    'resources[0].broker_provider_id: set either this or broker_provider_slug, not both',
  ],
  [{ resources: 'a' }, {}, 'resources: expected a list'],
  [
    { broker_providers: [{ slug: 'p', display_name: 'P' }] },
    {},
    'broker_providers[0].protocol: expected one of oauth, api_key, service_account',
  ],
  [
    { broker_providers: [{ ...provider, config_data: { client_secret: 'x' } }] },
    {},
    'broker_providers[0].config_data: client_secret must not be written here; name an environment variable in client_secret_ref',
  ],
];

for (const [content, env, problem] of refused) {
  test(problem, () => assert.deepEqual(problems(content, env), [problem]));
}

test('a slug is made of a host', () => {
  assert.equal(slugOf('MCP.Example.com:8080'), 'mcp-example-com-8080');
  assert.equal(slugOf('[::1]:3000'), '1-3000');
  assert.equal(slugOf(`${'a'.repeat(63)}.b`), 'a'.repeat(63));
});
