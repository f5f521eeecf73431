import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true, pods: 2 });
const { admin } = server;
const user = await server.user();
const guard = await server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'] });
const fresh = () => `mcp-${crypto.randomUUID().slice(0, 8)}`;
const uriOf = (slug: string) => `https://${slug}.example.com/mcp`;
const create = (body: unknown) => server.adminRequest('POST', '/admin/resources', body);
const scopes = [{ name: 'tools/read', description: 'Read tools', default: true }, { name: 'tools/write' }];

/** What a pod tells the world about a resource (RFC 9728). */
const metadata = async (slug: string, pod = 0): Promise<Record<string, unknown> | undefined> => {
  const response = await fetch(`${server.pods[pod]?.url}/.well-known/oauth-protected-resource/${slug}`);
  return response.status === 200 ? ((await response.json()) as Record<string, unknown>) : undefined;
};
const onBothPods = (what: string, holds: (pod: number) => Promise<boolean>) =>
  soon(what, async () => (await Promise.all([0, 1].map(holds))).every(Boolean));

test('a resource is made, read by id and by slug, and known to both pods', async () => {
  const slug = fresh();
  const answer = await create({ slug: slug.toUpperCase(), uri: uriOf(slug), display_name: 'My MCP', scopes });
  assert.equal(answer.status, 201);
  const { id, created_at, updated_at, ...rest } = answer.body;
  assert.deepEqual(rest, {
    slug,
    uri: uriOf(slug),
    backend_kind: 'mint',
    broker_provider_id: '',
    display_name: 'My MCP',
    scopes: [
      { name: 'tools/read', description: 'Read tools', upstream: '', default: true },
      { name: 'tools/write', description: '', upstream: '', default: false },
    ],
    policy: { exchange: { allowed_client_ids: [] }, runtime: { client_ids: [] } },
    dpop_bound_access_tokens_required: false,
  });
  assert.equal(created_at, updated_at);
  for (const path of [`/${id}`, `/${slug}`, `?slug=${slug}`])
    assert.deepEqual((await server.adminRequest('GET', `/admin/resources${path}`)).body, answer.body, path);
  await onBothPods('metadata', async (pod) => (await metadata(slug, pod))?.resource_name === 'My MCP');
});

const refusals: Record<string, [body: (slug: string) => object, detail: RegExp]> = {
  'a slug with a dot': [(slug) => ({ slug: `${slug}.x` }), /slug/],
  'a slug that starts with -': [(slug) => ({ slug: `-${slug}` }), /slug/],
  'an empty slug': [() => ({ slug: '' }), /slug/],
  'a slug of 65 characters': [() => ({ slug: 'x'.repeat(65) }), /slug/],
  'no slug': [() => ({}), /slug/],
  'a URI without a host': [(slug) => ({ slug, uri: 'https:///mcp' }), /uri/],
  'a relative URI': [(slug) => ({ slug, uri: '/mcp' }), /uri/],
  'a URI with a fragment': [(slug) => ({ slug, uri: `${uriOf(slug)}#a` }), /uri/],
  'a URI with user info': [(slug) => ({ slug, uri: 'https://me:pw@mcp.example.com/' }), /uri/],
  'another scheme': [(slug) => ({ slug, uri: 'ftp://mcp.example.com/' }), /uri/],
  'a URI with a space': [(slug) => ({ slug, uri: 'https://mcp.example.com/a b' }), /uri/],
  'a scope with a space': [(slug) => ({ slug, scopes: [{ name: 'a b' }] }), /scopes/],
  'a scope twice': [(slug) => ({ slug, scopes: [{ name: 'a' }, { name: 'a' }] }), /scopes/],
  'a scope with a member we do not know': [(slug) => ({ slug, scopes: [{ name: 'a', title: 'A' }] }), /title/],
  'scopes that are strings': [(slug) => ({ slug, scopes: ['a'] }), /scopes/],
  'a policy with a member we do not know': [(slug) => ({ slug, policy: { exchnge: {} } }), /exchnge/],
  'a policy with a client nobody knows': [(slug) => ({ slug, policy: { runtime: { client_ids: ['no'] } } }), /no\b/],
  'a broker resource without a provider': [(slug) => ({ slug, backend_kind: 'broker' }), /^broker_provider_id/],
  'a broker resource of nobody': [
    (slug) => ({ slug, backend_kind: 'broker', broker_provider_id: 'nobody' }),
    /^broker_provider_id: there is no provider/,
  ],
  'a broker resource of nobody, by slug': [
    (slug) => ({ slug, backend_kind: 'broker', broker_provider_slug: 'nobody' }),
    /^broker_provider_slug: there is no provider/,
  ],
  'a mint resource with a provider': [
    (slug) => ({ slug, broker_provider_id: 'x' }),
    /^broker_provider_id: must be empty/,
  ],
  'a mint resource with a provider, by slug': [
    (slug) => ({ slug, broker_provider_slug: 'x' }),
    /^broker_provider_slug: must be empty/,
  ],
  'another kind': [(slug) => ({ slug, backend_kind: 'vault' }), /^backend_kind/],
  'an id of its own choice': [(slug) => ({ slug, id: crypto.randomUUID() }), /id/],
};
for (const [name, [body, detail]] of Object.entries(refusals))
  test(`${name} is refused`, async () => {
    const trace = await traceOf(server, async () => {
      assert.match(refused(await create(body(fresh())), 'invalid_request'), detail);
    });
    assert.deepEqual(trace, nothing);
  });

test('a slug and a URI belong to one resource; a URI in whatever spelling (RFC 3986 §6.2.2)', async () => {
  const slug = fresh();
  await admin.resource.create({ body: { slug, uri: `https://${slug}.example.com` } });
  const other = await admin.resource.create({ body: { slug: fresh(), uri: uriOf(fresh()) } });
  const trace = await traceOf(server, async () => {
    assert.match(refused(await create({ slug, uri: uriOf(fresh()) }), 'conflict'), /slug/);
    for (const uri of [
      `https://${slug}.example.com`,
      `https://${slug}.example.com/`,
      `HTTPS://${slug.toUpperCase()}.Example.com`,
    ]) {
      assert.match(refused(await create({ slug: fresh(), uri }), 'conflict'), /URI/, uri);
      refused(await server.adminRequest('PATCH', `/admin/resources/${other.id}`, { uri }), 'conflict');
    }
    refused(await server.adminRequest('PATCH', `/admin/resources/${other.id}`, { slug }), 'conflict');
  });
  assert.deepEqual(trace, nothing);
  for (const path of ['/MCP', '/mcp/', '/mcp?a=b'])
    await admin.resource.create({ body: { slug: fresh(), uri: `https://${slug}.example.com${path}` } });
});

test('a patch reaches metadata and scope catalog of both pods within a second', async () => {
  const slug = fresh();
  const { id } = await admin.resource.create({ body: { slug, uri: uriOf(slug), scopes } });
  await onBothPods('creation', async (pod) => (await metadata(slug, pod)) !== undefined);
  const started = performance.now();
  await admin.resource.update({
    id: slug,
    body: { uri: `${uriOf(slug)}/v2`, display_name: 'New', scopes: [{ name: `${slug}/only` }] },
  });
  await onBothPods('the patch', async (pod) => {
    const shown = await metadata(slug, pod);
    const response = await fetch(`${server.pods[pod]?.url}/.well-known/oauth-authorization-server`);
    const { scopes_supported } = (await response.json()) as { scopes_supported: string[] };
    return shown?.resource === `${uriOf(slug)}/v2` && scopes_supported.includes(`${slug}/only`);
  });
  assert.ok(performance.now() - started < 1000);
  assert.deepEqual((await metadata(slug))?.scopes_supported, [`${slug}/only`]);
  const app = await server.client();
  await assert.rejects(app.code({ user, resource: uriOf(slug), scope: 'tools/read' }), 'the old URI is gone');
  const tokens = await app.authorize({ user, resource: `${uriOf(slug)}/v2`, scope: `${slug}/only` });
  assert.equal(tokens.scope, `${slug}/only`);
  assert.equal((await admin.resource.get({ id })).slug, slug, 'what was not named stays');
});

test('an empty patch is a read; a bad one changes nothing', async () => {
  const before = await admin.resource.create({ body: { slug: fresh(), scopes } });
  const patch = (body: unknown) => server.adminRequest('PATCH', `/admin/resources/${before.id}`, body);
  const trace = await traceOf(server, async () => {
    assert.deepEqual((await patch({})).body, before);
    for (const body of [{ display_name: 'New', uri: 'x' }, { display_name: 'New', nonsense: 1 }, { scopes: null }])
      refused(await patch(body), 'invalid_request');
    refused(await patch({ display_name: 'New', policy: { runtime: { client_ids: ['no'] } } }), 'invalid_request');
  });
  assert.deepEqual(trace, nothing);
  assert.deepEqual(await admin.resource.get({ id: before.id }), before);
});

test('a list is filtered and paged; slug goes with nothing else', async () => {
  const all = [await admin.resource.list()].flat();
  const page = await server.adminRequest('GET', '/admin/resources?limit=2&offset=1&backend_kind=mint');
  assert.deepEqual(page.body, all.slice(1, 3));
  assert.equal(page.headers.get('x-total-count'), String(all.length));
  assert.deepEqual(await admin.resource.list({ query: { backend_kind: 'broker' } }), []);
  refused(await server.adminRequest('GET', '/admin/resources?slug=nobody'), 'not_found');
  for (const query of ['slug=a&limit=1', 'slug=a&backend_kind=mint', 'limit=501', 'limit=0', 'offset=-1', 'kind=mint'])
    refused(await server.adminRequest('GET', `/admin/resources?${query}`), 'invalid_request');
});

test('deleting a resource ends codes, refresh and access tokens for it, and no others', async () => {
  const slug = fresh();
  const kept = await server.resource({ runtimeClients: [guard.clientId] });
  await admin.resource.create({ body: { slug, uri: uriOf(slug), scopes } });
  await onBothPods('creation', async (pod) => (await metadata(slug, pod)) !== undefined);
  const app = await server.client({ authMethod: 'client_secret_basic' });
  const wishes = { user, resource: uriOf(slug), scope: 'tools/read' };
  const tokens = await app.authorize(wishes);
  const code = await app.code(wishes);
  const others = await app.authorize({ ...wishes, resource: kept.uri });

  const { audit } = await traceOf(server, async () => {
    const answer = await server.adminRequest('DELETE', `/admin/resources/${slug}`);
    assert.deepEqual([answer.status, answer.body], [204, { text: '' }]);
  });
  assert.equal(audit[0]?.details.revoked_families, 1);
  for (const pod of [0, 1]) denied(await app.refresh(tokens.refresh_token, {}, pod), 'invalid_grant');
  denied(await app.redeem(code, {}, 1), 'invalid_grant');
  assert.equal(ok(await app.introspect(tokens.access_token)).active, false);
  await onBothPods('deletion', async (pod) => (await metadata(slug, pod)) === undefined);
  assert.equal(ok(await app.introspect(others.access_token)).active, true);
  ok(await app.refresh(others.refresh_token));
  refused(await server.adminRequest('DELETE', `/admin/resources/${slug}`), 'not_found');
});

test('deleting a resource ends the machine tokens for it', async () => {
  const slug = fresh();
  await admin.resource.create({ body: { slug, uri: uriOf(slug), scopes } });
  const job = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  await onBothPods('creation', async (pod) => (await metadata(slug, pod)) !== undefined);
  const { access_token } = ok(await job.clientCredentials({ resource: uriOf(slug), scope: 'tools/read' }));
  assert.equal(ok(await job.introspect(access_token)).active, true);
  await admin.resource.delete({ id: slug });
  assert.equal(ok(await job.introspect(access_token)).active, false);
});
