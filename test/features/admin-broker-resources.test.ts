/** Resources whose tokens come from an upstream provider: what belongs to one, and that this server mints none for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { newProvider } from '../support/brokering.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const fresh = () => `up-${crypto.randomUUID().slice(0, 8)}`;
const create = (body: unknown) => server.adminRequest('POST', '/admin/resources', body);
const scopes = [{ name: 'repo/read', upstream: 'repo', default: true }];
const metadata = (slug: string) => fetch(`${server.issuer}/.well-known/oauth-protected-resource/${slug}`);
const scopesSupported = async (): Promise<string[]> => {
  const response = await fetch(`${server.issuer}/.well-known/oauth-authorization-server`);
  return ((await response.json()) as { scopes_supported?: string[] }).scopes_supported ?? [];
};

test('a broker resource names its provider by id, by slug, or by both when they agree', async () => {
  const [provider, other] = [await newProvider(server), await newProvider(server)];
  for (const named of [
    { broker_provider_id: provider.id },
    { broker_provider_slug: provider.slug },
    { broker_provider_id: provider.id, broker_provider_slug: provider.slug },
    { broker_provider_id: '', broker_provider_slug: provider.slug },
  ]) {
    const answer = await create({ slug: fresh(), backend_kind: 'broker', ...named });
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    assert.equal(answer.body.broker_provider_id, provider.id);
    assert.deepEqual(answer.body.policy, {
      exchange: { allowed_client_ids: [] },
      runtime: { client_ids: [] },
      connect: { allowed_return_urls: [] },
    });
  }
  const named = { broker_provider_id: provider.id, broker_provider_slug: other.slug };
  const trace = await traceOf(server, async () => {
    assert.match(
      refused(await create({ slug: fresh(), backend_kind: 'broker', ...named }), 'invalid_request'),
      /^broker_provider_slug: names another provider/,
    );
    refused(await create({ slug: fresh(), backend_kind: 'broker', broker_provider_id: other.slug }), 'invalid_request');
  });
  assert.deepEqual(trace, nothing);
});

test('resources are listed by their provider', async () => {
  const { id: broker_provider_id } = await newProvider(server);
  const slugs = ['one', 'two'].map((name) => `${name}-${fresh()}`);
  for (const slug of slugs) await admin.resource.create({ body: { slug, backend_kind: 'broker', broker_provider_id } });
  const list = async (query: object) => [await admin.resource.list({ query })].flat().map(({ slug }) => slug);
  assert.deepEqual(await list({ broker_provider_id }), slugs);
  assert.deepEqual(await list({ broker_provider_id, backend_kind: 'mint' }), []);
  assert.deepEqual(await list({ broker_provider_id: 'nobody' }), []);
  assert.ok((await list({ backend_kind: 'broker' })).length >= 2);
});

test('kind and provider change together or not at all', async () => {
  const [provider, other] = [await newProvider(server), await newProvider(server)];
  const { id } = await admin.resource.create({ body: { slug: fresh(), scopes } });
  const patch = (body: unknown) => server.adminRequest('PATCH', `/admin/resources/${id}`, body);
  const now = async () => {
    const { backend_kind, broker_provider_id } = await admin.resource.get({ id });
    return [backend_kind, broker_provider_id];
  };
  const bad = async (...bodies: object[]) => {
    const before = await now();
    for (const body of bodies) refused(await patch(body), 'invalid_request');
    assert.deepEqual(await now(), before);
  };
  await bad(
    { backend_kind: 'broker' },
    { backend_kind: 'broker', broker_provider_id: '' },
    { broker_provider_id: provider.id },
    { backend_kind: 'mint', broker_provider_id: provider.id },
    { backend_kind: 'broker', broker_provider_id: 'nobody' },
    { backend_kind: 'broker', broker_provider_slug: provider.slug },
  );
  await patch({ backend_kind: 'broker', broker_provider_id: provider.id });
  assert.deepEqual(await now(), ['broker', provider.id]);
  await bad({ broker_provider_id: '' }, { broker_provider_id: 'nobody' }, { broker_provider_id: other.slug });
  await patch({ display_name: 'Kept', policy: { connect: { allowed_return_urls: ['https://a.example/'] } } });
  await patch({ broker_provider_id: other.id });
  assert.deepEqual(await now(), ['broker', other.id]);
  await patch({ backend_kind: 'mint' });
  assert.deepEqual(await now(), ['mint', '']);
  await patch({ backend_kind: 'broker', broker_provider_id: other.id });
  const { policy } = await admin.resource.get({ id });
  assert.deepEqual(policy.connect, { allowed_return_urls: [] }, 'it does not come back by itself');
});

test('tokens of ours are never for a broker resource, whoever asks and however', async () => {
  const { id: broker_provider_id } = await newProvider(server);
  const slug = fresh();
  const uri = `https://${slug}.example.com/`;
  const broker = { slug, uri, backend_kind: 'broker', broker_provider_id, scopes } as const;
  await admin.resource.create({ body: broker });
  await soon('creation', async () => (await scopesSupported()).includes('repo/read'));
  assert.equal((await metadata(slug)).status, 404, 'no protected resource metadata');

  const user = await server.user();
  const job = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['repo/read'],
  });
  const app = await server.client({
    grantTypes: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  });
  for (const resource of [uri, slug]) {
    denied(await job.clientCredentials({ resource, scope: 'repo/read' }), 'invalid_target');
    await assert.rejects(app.code({ user, resource, scope: 'repo/read' }), /invalid_target/);
    const device = await fetch(`${server.issuer}/oauth/device_authorization`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: app.clientId, resource, scope: 'repo/read' }),
    });
    assert.equal(((await device.json()) as { error: string }).error, 'invalid_target');
  }
  const mint = await server.resource();
  await assert.rejects(app.code({ user, resource: [mint.uri, uri], scope: 'tools/read repo/read' }), /invalid_target/);
  assert.deepEqual(await server.sql('select 1 from issuances'), []);
});

test('what was granted while it was a mint resource is worth nothing once it is none', async () => {
  const { id: broker_provider_id } = await newProvider(server);
  const resource = await server.resource();
  const [user, app] = [await server.user(), await server.client()];
  const wishes = { user, resource: resource.uri, scope: 'tools/read' };
  const tokens = await app.authorize(wishes);
  const code = await app.code(wishes);
  // The admin API does not let it come to this.
  await server.change('resource', resource.id, () =>
    server.sql(`update resources set backend_kind = 'broker', broker_provider_id = $2 where id = $1`, [
      resource.id,
      broker_provider_id,
    ]),
  );
  await soon('the change', async () => (await metadata(resource.slug)).status === 404);
  denied(await app.refresh(tokens.refresh_token), 'invalid_scope');
  denied(await app.redeem(code), 'invalid_grant');
  const minted = await server.sql('select grant_type from issuances where resource_id = $1', [resource.id]);
  assert.equal(minted.length, 1, 'the first one');
  assert.equal(ok(await app.refresh((await mintTokens()).refresh_token)).token_type, 'Bearer', 'others go on');

  async function mintTokens() {
    const { uri } = await server.resource();
    return app.authorize({ user, resource: uri, scope: 'tools/read' });
  }
});

test('a default resource that is a broker one is none', async () => {
  const strict = await startAuthServer({ admin: true, env: { OAUTH_DEFAULT_RESOURCE: 'behind' } });
  const { id: broker_provider_id } = await newProvider(strict);
  await strict.admin.resource.create({
    body: { slug: 'behind', uri: 'https://behind.example.com/', backend_kind: 'broker', broker_provider_id, scopes },
  });
  const job = await strict.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['repo/read'],
  });
  denied(await job.clientCredentials({ scope: 'repo/read' }), 'invalid_target');
});
