import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const web = { client_name: 'App', redirect_uris: ['https://app.example.com/cb'] };
const create = (body: unknown) => server.adminRequest('POST', '/admin/clients', body);

test('a client is public and interactive unless it says otherwise (RFC 7591 §2)', async () => {
  const answer = await create(web);
  assert.equal(answer.status, 201);
  const { client_id, issued_at, ...rest } = answer.body;
  assert.match(String(client_id), /^[A-Za-z0-9._~-]{16,}$/);
  assert.ok(Math.abs(Date.parse(String(issued_at)) - Date.now()) < 60_000);
  assert.deepEqual(rest, {
    ...web,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'web',
    scope: '',
    dpop_bound_access_tokens: false,
    require_pushed_authorization_requests: false,
    refresh_token_policy: 'registered',
    status: 'active',
    registration_source: 'admin',
    agent: false,
    agent_description: '',
  });
});

test('a confidential client gets a secret that is shown once and stored as a hash', async () => {
  for (const token_endpoint_auth_method of ['client_secret_basic', 'client_secret_post'] as const) {
    const { client_id, client_secret } = await admin.client.create({ body: { ...web, token_endpoint_auth_method } });
    assert.match(client_secret ?? '', /^[A-Za-z0-9._~-]{43,}$/, 'no client has to encode it');
    const later = [await admin.client.get({ id: client_id }), await admin.client.list()];
    assert.ok(!JSON.stringify(later).includes(client_secret ?? ''));
    const [row] = await server.sql<{ secret_hash: Buffer }>(
      'select secret_hash from client_secrets where client_id = $1',
      [client_id],
    );
    assert.equal(row?.secret_hash.length, 32);
    assert.ok(!row?.secret_hash.includes(client_secret ?? ''));
  }
});

test('a client is read back as it was written, under the names of reading', async () => {
  const { client_id } = await admin.client.create({
    body: {
      client_name: 'Ünïcode — 客户',
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_post',
      scope: 'b  a b',
      agent: true,
      agent_description: 'does things',
    },
  });
  const client = await admin.client.get({ id: client_id });
  assert.equal(client.id, client_id);
  assert.equal(client.name, 'Ünïcode — 客户');
  assert.equal(client.scope, 'b a', 'each scope once');
  assert.deepEqual(client.response_types, [], 'no redirect, no response type');
  assert.deepEqual(client.redirect_uris, []);
  assert.deepEqual([client.agent, client.agent_description], [true, 'does things']);
});

test('every violation is named in one answer, and nothing is made', async () => {
  const trace = await traceOf(server, async () => {
    const detail = refused(
      await create({
        client_name: ' ',
        redirect_uris: ['http://evil.example/cb'],
        grant_types: ['password'],
        token_endpoint_auth_method: 'tls_client_auth',
        scope: 'a"b',
        agent: 'yes',
        owner: 'me',
      }),
      'invalid_request',
    );
    for (const member of [
      'client_name',
      'redirect_uris',
      'grant_types',
      'token_endpoint_auth_method',
      'scope',
      'agent',
    ])
      assert.match(detail, new RegExp(`\\b${member}\\b`), member);
    assert.match(detail, /owner/);
  });
  assert.deepEqual(trace, nothing);
});

test('rules that tie members are named beside the others', async () => {
  const body = { client_name: '', grant_types: ['client_credentials', 'refresh_token'] };
  const detail = refused(await create(body), 'invalid_request');
  assert.match(detail, /client_name/);
  assert.match(detail, /refresh_token needs authorization_code/);
  assert.match(detail, /client_credentials needs a confidential client/);
});

const refusals: Record<string, [body: unknown, detail: RegExp]> = {
  'no name': [{ redirect_uris: web.redirect_uris }, /client_name/],
  'a name of 256 characters': [{ ...web, client_name: 'x'.repeat(256) }, /client_name/],
  'a name with a line break': [{ ...web, client_name: 'a\nb' }, /client_name/],
  'a name that PostgreSQL cannot keep': [{ ...web, client_name: 'a\u0000' }, /client_name/],
  'half a surrogate pair': [{ ...web, client_name: 'a\ud800' }, /client_name/],
  'no redirect URI for authorization_code': [{ client_name: 'App' }, /redirect_uris/],
  'a redirect URI with a fragment': [{ ...web, redirect_uris: ['https://a.example/#x'] }, /redirect_uris/],
  'a script as redirect URI': [{ ...web, redirect_uris: ['javascript:alert(1)'] }, /redirect_uris/],
  'a redirect URI that is no string': [{ ...web, redirect_uris: [1] }, /redirect_uris/],
  'eleven redirect URIs': [
    { ...web, redirect_uris: Array.from({ length: 11 }, (_, n) => `https://a.example/${n}`) },
    /redirect_uris/,
  ],
  'the same redirect URI twice': [{ ...web, redirect_uris: ['https://a.example/', 'https://a.example/'] }, /repeat/],
  'a private-use scheme for a web client': [{ ...web, redirect_uris: ['com.example.app:/cb'] }, /application_type/],
  'an empty list of grants': [{ ...web, grant_types: [] }, /grant_types/],
  'the implicit response type': [{ ...web, response_types: ['token'] }, /response_types/],
  'a secret of its own choice': [{ ...web, client_secret: 'x'.repeat(40) }, /client_secret/],
  'an id that has to be encoded': [{ ...web, client_id: 'me and you' }, /client_id/],
  'an id that looks like a metadata document': [{ ...web, client_id: 'https://app.example.com/c' }, /client_id/],
};
for (const [name, [body, detail]] of Object.entries(refusals))
  test(`${name} is refused`, async () => {
    assert.match(refused(await create(body), 'invalid_request'), detail);
  });

test('a grant that this server does not have is refused by name', async () => {
  const { body } = await create({ ...web, grant_types: ['urn:ietf:params:oauth:grant-type:saml2-bearer'] });
  assert.match(String(body.detail), /grant_types/);
});

test('a native client may use a private-use scheme (RFC 8252 §7.1)', async () => {
  const native = { ...web, redirect_uris: ['com.example.app:/cb'], application_type: 'native' as const };
  assert.deepEqual((await admin.client.create({ body: native })).redirect_uris, native.redirect_uris);
});

test('a list is filtered by status and source, paged, and says how many there are', async () => {
  const own = await server.client({ source: 'dcr', name: 'Stranger' });
  await server.client({ source: 'dcr', name: 'Stranger too' });
  const suspended = await server.client({ name: 'Sleepy' });
  await admin.client.suspend({ id: suspended.clientId });

  const names = (clients: { name: string }[]) => clients.map(({ name }) => name).sort();
  assert.deepEqual(names(await admin.client.list({ query: { source: 'dcr' } })), ['Stranger', 'Stranger too']);
  assert.deepEqual(names(await admin.client.list({ query: { status: 'suspended' } })), ['Sleepy']);
  assert.deepEqual(await admin.client.list({ query: { status: 'suspended', source: 'dcr' } }), []);
  assert.deepEqual(await admin.client.list({ query: { status: 'revoked' } }), []);

  const all = await admin.client.list();
  assert.ok(all.some(({ id }) => id === own.clientId));
  const page = await server.adminRequest('GET', '/admin/clients?limit=2&offset=1');
  assert.deepEqual(page.body, JSON.parse(JSON.stringify(all.slice(1, 3))));
  assert.equal(page.headers.get('x-total-count'), String(all.length));
  assert.deepEqual((await server.adminRequest('GET', `/admin/clients?offset=${all.length}`)).body, []);
  for (const query of [
    'limit=0',
    'limit=-1',
    'limit=x',
    'limit=1.5',
    'offset=-1',
    'status=gone',
    'source=me',
    'colour=x',
  ])
    refused(await server.adminRequest('GET', `/admin/clients?${query}`), 'invalid_request');
});

test('a patch changes what it names and nothing else', async () => {
  const before = await admin.client.get({ id: (await server.client({ ceiling: ['a'] })).clientId });
  const after = await admin.client.update({ id: before.id, body: { client_name: 'New', scope: 'a b' } });
  assert.deepEqual(after, { ...before, name: 'New', scope: 'a b', updated_at: after.updated_at });
  assert.ok(after.updated_at >= before.updated_at);
  assert.deepEqual(await admin.client.get({ id: before.id }), after);
});

test('an empty patch is a read', async () => {
  const { clientId } = await server.client();
  const before = await admin.client.get({ id: clientId });
  const trace = await traceOf(server, async () =>
    assert.deepEqual(await admin.client.update({ id: clientId, body: {} }), before),
  );
  assert.deepEqual(trace, nothing);
});

test('a patch is judged with what is there already, and refused as a whole', async () => {
  const { clientId } = await server.client();
  const before = await admin.client.get({ id: clientId });
  const patch = (body: unknown) => server.adminRequest('PATCH', `/admin/clients/${clientId}`, body);
  const trace = await traceOf(server, async () => {
    assert.match(refused(await patch({ redirect_uris: [] }), 'invalid_request'), /redirect_uris/);
    assert.match(refused(await patch({ grant_types: ['client_credentials'] }), 'invalid_request'), /confidential/);
    const both = refused(await patch({ client_name: '', scope: '"' }), 'invalid_request');
    assert.match(both, /client_name.*scope/);
    for (const fixed of ['status', 'agent', 'token_endpoint_auth_method', 'registration_source', 'id'])
      assert.match(refused(await patch({ client_name: 'New', [fixed]: 'x' }), 'invalid_request'), new RegExp(fixed));
  });
  assert.deepEqual(trace, nothing);
  assert.deepEqual(await admin.client.get({ id: clientId }), before);
});
