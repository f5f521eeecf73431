/** Upstream providers: what is kept of them, what is refused, and what stands in the way of deleting one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { brokerGrant, github, newProvider } from '../support/brokering.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const fresh = () => `up-${crypto.randomUUID().slice(0, 8)}`;
const path = '/admin/broker-providers';
const create = (body: unknown) => server.adminRequest('POST', path, body);
const body = (more: object = {}) => ({
  slug: fresh(),
  display_name: 'GitHub',
  protocol: 'oauth',
  config_data: github,
  ...more,
});

test('a provider is made, and read by id and by slug', async () => {
  const slug = fresh();
  const answer = await create(body({ slug: slug.toUpperCase() }));
  assert.equal(answer.status, 201);
  const { id, created_at, updated_at, ...rest } = answer.body;
  assert.deepEqual(rest, { slug, display_name: 'GitHub', protocol: 'oauth', config_data: github });
  assert.equal(created_at, updated_at);
  for (const address of [`/${id}`, `/${slug}`, `?slug=${slug}`]) {
    const shown = await server.adminRequest('GET', path + address);
    assert.deepEqual(shown.body, answer.body, address);
    assert.equal(shown.headers.get('etag'), answer.headers.get('etag'));
  }
  for (const address of ['/nobody', `/${crypto.randomUUID()}`, '?slug=nobody'])
    refused(await server.adminRequest('GET', path + address), 'not_found');
});

test('making, changing and deleting one is audited with before and after, and told to the token plane', async () => {
  let id = '';
  const slug = fresh();
  const made = await traceOf(server, async () => {
    id = (await admin.provider.create({ body: { ...body({ slug }), protocol: 'oauth' } })).id;
  });
  const changed = await traceOf(server, () => admin.provider.update({ id: slug, body: { display_name: 'Hub' } }));
  const gone = await traceOf(server, () => admin.provider.delete({ id }));
  for (const [{ audit, changes }, action] of [
    [made, 'broker_provider.created'],
    [changed, 'broker_provider.patched'],
    [gone, 'broker_provider.deleted'],
  ] as const) {
    assert.deepEqual(changes, [{ kind: 'provider', key: id }]);
    assert.equal(audit.length, 1);
    assert.equal(audit[0]?.action, action);
    assert.equal(audit[0]?.details.id, id);
    assert.equal(audit[0]?.details.slug, slug);
  }
  const { before, after, fields } = (changed.audit[0]?.details ?? {}) as Record<string, Record<string, unknown>>;
  assert.equal(fields, 'display_name');
  assert.deepEqual([before?.display_name, after?.display_name], ['GitHub', 'Hub']);
});

const canary = 'canary-5d1e0c';
const refusals: Record<string, [body: object, detail: RegExp]> = {
  'no members': [{}, /slug.*display_name.*protocol.*config_data/],
  'a slug with a dot': [body({ slug: 'a.b' }), /^slug/],
  'an empty name': [body({ display_name: '' }), /^display_name/],
  'an unknown protocol': [body({ protocol: 'saml' }), /^protocol/],
  'config_data that is null': [body({ config_data: null }), /^config_data/],
  'config_data that is a list': [body({ config_data: [] }), /^config_data/],
  'config_data that is text': [body({ config_data: '{}' }), /^config_data/],
  'an empty oauth configuration': [body({ config_data: {} }), /^config_data\.client_id.*config_data\.token_url/],
  'an unknown member': [body({ config_data: { ...github, scopes: 'repo' } }), /^config_data.*scopes/],
  'a member of the row': [body({ version: 7 }), /version/],
  'an id of its own choice': [body({ id: crypto.randomUUID() }), /id/],
  'encrypted columns': [body({ enc_secret_data: 'x', enc_secret_backend: 'y' }), /enc_secret_data/],
  'a token URL on the metadata host': [
    body({ config_data: { ...github, token_url: 'http://169.254.169.254/latest' } }),
    /^config_data\.token_url: must be an https URL/,
  ],
  'a token URL that is a file': [
    body({ config_data: { ...github, token_url: 'file:///etc/passwd' } }),
    /^config_data\.token_url/,
  ],
  'a secret of ours by name': [
    body({ config_data: { ...github, client_secret_ref: 'AUTHPLANE_SESSION_SECRET' } }),
    /^config_data\.client_secret_ref: .*CONNECTOR_ or AUTHPLANE_VAULT_/,
  ],
  'a secret written out': [
    body({ config_data: { ...github, client_secret: canary } }),
    /^config_data\.client_secret: .*client_secret_ref/,
  ],
  'a private key written out': [
    body({ protocol: 'service_account', config_data: { private_key: canary } }),
    /config_data\.private_key: .*client_secret_ref/,
  ],
  'reserved parameters': [
    body({ config_data: { ...github, extra_auth_params: { state: 'x' } } }),
    /^config_data\.extra_auth_params\.state/,
  ],
  'everything at once': [
    body({ slug: '-', config_data: { ...github, token_url: 'x' } }),
    /slug: .*config_data\.token_url: /,
  ],
};
for (const [name, [wrong, detail]] of Object.entries(refusals))
  test(`${name} is refused, and nothing of it is repeated or kept`, async () => {
    const trace = await traceOf(server, async () => {
      const answer = await create(wrong);
      assert.match(refused(answer, 'invalid_request'), detail);
      assert.ok(!JSON.stringify(answer.body).includes(canary));
    });
    assert.deepEqual(trace, nothing);
  });

test('a patch is held to the protocol the provider then has', async () => {
  const { id, slug } = await newProvider(server);
  const patch = (change: unknown) => server.adminRequest('PATCH', `${path}/${id}`, change);
  const before = await admin.provider.get({ id });
  const trace = await traceOf(server, async () => {
    assert.deepEqual((await patch({})).body, before, 'an empty patch is a look');
    assert.match(refused(await patch({ protocol: 'api_key' }), 'invalid_request'), /config_data.*client_id/);
    assert.match(refused(await patch({ config_data: {} }), 'invalid_request'), /config_data\.token_url/);
    for (const bad of [{ slug: 'A b' }, { display_name: '' }, { config_data: null }, { nonsense: 1 }, []])
      refused(await patch(bad), 'invalid_request');
    const other = await newProvider(server);
    refused(await patch({ slug: other.slug }), 'conflict');
  });
  assert.equal(trace.audit.length, 1, 'only the other provider');
  assert.deepEqual(await admin.provider.get({ id: slug }), before);

  const header = { header_name: 'Authorization', header_prefix: 'Bearer ' };
  const after = await admin.provider.update({ id, body: { protocol: 'api_key', config_data: header } });
  assert.deepEqual([after.protocol, after.config_data], ['api_key', header]);
});

test('old names of client_secret_ref are read, and shown by the new one', async () => {
  const { client_secret_ref: _, ...others } = github;
  const { id } = await admin.provider.create({
    body: { ...body(), protocol: 'oauth', config_data: { ...others, client_secret_env: 'CONNECTOR_OLD' } },
  });
  const { config_data } = await admin.provider.get({ id });
  assert.deepEqual(config_data, { ...others, client_secret_ref: 'CONNECTOR_OLD' });
});

test('a slug belongs to one provider', async () => {
  const { slug } = await newProvider(server);
  assert.match(refused(await create(body({ slug })), 'conflict'), /slug/);
});

test('the list is in the order of the slugs and goes on from page to page, whatever is added meanwhile', async () => {
  const slugs = ['zz-1', 'zz-3', 'zz-5'];
  for (const slug of slugs) await newProvider(server, { slug });
  const all = [await admin.provider.list()].flat().map(({ slug }) => slug);
  assert.deepEqual(all, [...all].sort());
  const first = await server.adminRequest('GET', `${path}?limit=${all.length - 2}`);
  assert.equal(first.headers.get('x-total-count'), String(all.length));
  await newProvider(server, { slug: 'aa-early' });
  const [, next = ''] = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '') ?? [];
  const second = await server.adminRequest('GET', next);
  assert.deepEqual(
    (second.body as unknown as { slug: string }[]).map(({ slug }) => slug),
    ['zz-3', 'zz-5'],
  );
  assert.equal(second.headers.get('link'), null);
  for (const query of ['slug=a&limit=1', 'limit=0', 'limit=501', 'offset=-1', 'cursor=x', 'protocol=oauth'])
    refused(await server.adminRequest('GET', `${path}?${query}`), 'invalid_request');
});

test('a provider is not deleted while resources or connected users need it, and they are named', async () => {
  const provider = await newProvider(server);
  const resource = await admin.resource.create({
    body: { slug: fresh(), backend_kind: 'broker', broker_provider_id: provider.id },
  });
  const user = await server.user();
  const grant = await brokerGrant(server, { userId: user.id, providerId: provider.id });
  const remove = () => server.adminRequest('DELETE', `${path}/${provider.slug}`);

  const trace = await traceOf(server, async () => {
    const answer = await remove();
    assert.match(refused(answer, 'conflict'), /resources 1, broker grants 1/);
    assert.deepEqual(answer.body.dependents, [
      { type: 'resource', id: resource.id, slug: resource.slug },
      { type: 'broker_grant', id: grant, user_id: user.id },
    ]);
    assert.ok(!JSON.stringify(answer.body).includes('credential'));
  });
  assert.deepEqual(trace, nothing);

  await admin.resource.delete({ id: resource.id });
  assert.match(refused(await remove(), 'conflict'), /resources 0, broker grants 1/);
  await admin.grant.revokeBroker({ id: grant });
  const { audit } = await traceOf(server, async () => assert.equal((await remove()).status, 204));
  assert.equal(audit[0]?.details.forgotten_grants, 1);
  assert.deepEqual((await admin.grant.listUserGrants({ id: user.id })).broker_grants, []);
  refused(await remove(), 'not_found');
});

test('its protocol stays while users are connected by it', async () => {
  const provider = await newProvider(server);
  const grant = await brokerGrant(server, { userId: (await server.user()).id, providerId: provider.id });
  const change = () => server.adminRequest('PATCH', `${path}/${provider.id}`, { protocol: 'api_key', config_data: {} });
  assert.match(refused(await change(), 'conflict'), /1 users are connected/);
  assert.equal((await admin.provider.update({ id: provider.id, body: { display_name: 'New' } })).display_name, 'New');
  await admin.grant.revokeBroker({ id: grant });
  assert.equal((await change()).status, 200);
});

test('a resource that is made while its provider is deleted has one, or is refused', async () => {
  for (let round = 0; round < 8; round += 1) {
    const provider = await newProvider(server);
    const slug = fresh();
    const [made, deleted] = await Promise.all([
      server.adminRequest('POST', '/admin/resources', {
        slug,
        backend_kind: 'broker',
        broker_provider_slug: provider.slug,
      }),
      server.adminRequest('DELETE', `${path}/${provider.id}`),
    ]);
    assert.ok(
      (made.status === 201 && deleted.status === 409) || ([400, 409].includes(made.status) && deleted.status === 204),
      `${made.status} ${deleted.status}`,
    );
  }
});
