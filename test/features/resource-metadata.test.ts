import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { raw } from '../support/test-app.ts';

const server = await startAuthServer();
const base = `${server.issuer}/.well-known/oauth-protected-resource`;
const files = await server.resource({ slug: 'files', uri: 'https://Files.example.com/mcp/v1', scopes: ['files/read'] });
const own = await server.resource({ slug: 'own', uri: `${server.issuer}/own/mcp` });

test('a resource is described by its registered URI, byte for byte (RFC 9728 §2, §3.3) [R9728-01 R9728-03]', async () => {
  const answer = await fetch(`${base}/mcp/v1`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.deepEqual(await answer.json(), {
    resource: files.uri,
    authorization_servers: [server.issuer],
    scopes_supported: ['files/read'],
    bearer_methods_supported: ['header'],
    resource_name: 'files',
  });
});

test('it is found by the path of its URI or by its slug (RFC 9728 §3.1) [R9728-02]', async () => {
  for (const [reference, resource] of [
    ['files', files],
    ['own/mcp', own],
    ['own', own],
  ] as const)
    assert.equal(((await (await fetch(`${base}/${reference}`)).json()) as { resource: string }).resource, resource.uri);
});

test('a path two resources share names neither, unless one is on our own origin (RFC 9728 §3.3)', async () => {
  await server.resource({ slug: 'left', uri: 'https://left.example.com/shared' });
  await server.resource({ slug: 'right', uri: 'https://right.example.com/shared' });
  assert.equal((await fetch(`${base}/shared`)).status, 404);
  const ours = await server.resource({ slug: 'ours', uri: `${server.issuer}/shared` });
  assert.equal(((await (await fetch(`${base}/shared`)).json()) as { resource: string }).resource, ours.uri);
});

test('a resource at our origin itself is the one without a path (RFC 9728 §3.1)', async () => {
  assert.equal((await fetch(base)).status, 404);
  const here = await server.resource({ slug: 'here', uri: server.issuer });
  assert.equal(((await (await fetch(base)).json()) as { resource: string }).resource, here.uri);
});

test('a resource without scopes leaves scopes_supported out (RFC 9728 §2) [R9728-03]', async () => {
  await server.resource({ slug: 'bare', scopes: [] });
  assert.ok(!('scopes_supported' in ((await (await fetch(`${base}/bare`)).json()) as object)));
});

for (const reference of [
  'nobody',
  'mcp/v',
  'mcp/v1/',
  'MCP/v1',
  '%ff',
  '%00',
  '%',
  '../oauth-authorization-server',
  'a'.repeat(3_000),
])
  test(`${reference.slice(0, 30)} is no resource, and says so as JSON`, async () => {
    const answer = await raw(base, { path: `/.well-known/oauth-protected-resource/${reference}` });
    assert.ok(answer.status === 404 || answer.status === 400, String(answer.status));
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  });

test('a resource that is deleted is gone at once', async () => {
  const { id } = await server.resource({ slug: 'gone' });
  assert.equal((await fetch(`${base}/gone`)).status, 200);
  await server.change('resource', id, (tx) => tx.resources.delete(id));
  assert.equal((await fetch(`${base}/gone`)).status, 404);
});
