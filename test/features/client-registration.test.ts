import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { type AuthServer, startAuthServer } from '../support/auth-server.ts';
import { type Answer, denied, ok, postForm, read, TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const approved = await startAuthServer({
  env: { DCR_MODE: 'approved_redirects', DCR_APPROVED_REDIRECTS: 'https://app.example.com/cb,http://127.0.0.1/cb' },
});
const closed = await startAuthServer({ env: { DCR_MODE: 'admin_only' } });
const bounded = await startAuthServer({ env: { OAUTH_DEFAULT_CLIENT_SCOPE: 'tools/read' } });

const metadata = { client_name: 'App', redirect_uris: ['https://app.example.com/cb'] };
const register = async (body: unknown, at: AuthServer = server): Promise<Answer> =>
  read(
    await fetch(`${at.issuer}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  );
const appOf = ({ body }: Answer, of: AuthServer = server): TestApp => {
  const client = body as Record<string, never>;
  return new TestApp(
    of.pods.map(({ url }) => url),
    {
      clientId: client.client_id as never,
      clientSecret: client.client_secret,
      authMethod: client.token_endpoint_auth_method as never,
      redirectUris: client.redirect_uris as never,
    },
  );
};

test('the answer holds everything that was registered, our defaults included [MCP-03 R7591-02 R7591-03 R7591-04 R7591-15 R7591-16 R7592-01]', async () => {
  const answer = await register(metadata);
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  const { client_id, client_id_issued_at, client_secret, ...registered } = answer.body;
  const { registration_access_token, registration_client_uri, ...rest } = registered;
  assert.match(String(registration_access_token), /^[A-Za-z0-9._~-]{43,}$/);
  assert.equal(registration_client_uri, `${server.issuer}/oauth/register/${client_id}`);
  assert.match(String(client_id), /^[A-Za-z0-9._~-]+$/);
  assert.match(String(client_secret), /^[A-Za-z0-9._~-]{43,}$/);
  assert.ok(Math.abs(Number(client_id_issued_at) - Date.now() / 1000) < 5);
  assert.deepEqual(rest, {
    client_secret_expires_at: 0,
    redirect_uris: ['https://app.example.com/cb'],
    client_name: 'App',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
    application_type: 'web',
    dpop_bound_access_tokens: false,
    require_pushed_authorization_requests: false,
    agent: false,
  });
});

test('a public client has no secret, though native [R7591-03 O21-63]', async () => {
  const { body } = await register({ ...metadata, token_endpoint_auth_method: 'none', application_type: 'native' });
  assert.ok(!('client_secret' in body) && !('client_secret_expires_at' in body));
});

for (const method of ['none', 'client_secret_basic', 'client_secret_post'])
  test(`who registered with ${method} may use the whole flow at once, on every pod`, async () => {
    const user = await server.user();
    const { uri } = await server.resource();
    const app = appOf(await register({ ...metadata, token_endpoint_auth_method: method }));
    const grant = await app.code({ user, resource: uri });
    const tokens = ok(await app.redeem(grant, {}, 1));
    ok(await app.refresh(tokens.refresh_token, {}, 1));
  });

test('a secret is stored as a hash alone', async () => {
  const { body } = await register(metadata);
  const rows = await server.sql(
    'select row_to_json(client_secrets)::text as row from client_secrets where client_id = $1',
    [body.client_id],
  );
  assert.equal(rows.length, 1);
  assert.ok(!String(rows[0]?.row).includes(String(body.client_secret)));
});

test('what would give rights is not read: ids, secrets, scope, status [threat G01 R9068-11 R7591-05]', async () => {
  const { body, status } = await register({
    ...metadata,
    client_id: 'chosen',
    client_secret: 'chosen',
    scope: 'admin',
    status: 'active',
    registration_source: 'admin',
    ceiling: ['admin'],
    skip_consent: true,
    tenant_id: 'chosen',
    token_lifetime: 99_999_999,
    is_agent: true,
    x_foo: 1,
    software_statement: 'a.b.c',
    logo_uri: 'javascript:alert(1)',
  });
  assert.equal(status, 201);
  assert.equal(body.agent, false);
  for (const chosen of ['chosen', 'admin', '99999999', 'javascript', 'a.b.c', 'x_foo'])
    assert.ok(!JSON.stringify(body).includes(chosen));
  const [row] = await server.sql('select ceiling, registration_source from clients where client_id = $1', [
    body.client_id,
  ]);
  assert.deepEqual(row, { ceiling: [], registration_source: 'dcr' });
});

const refused: Record<string, [code: string, change: Record<string, unknown>]> = {
  'no redirect_uris': ['invalid_redirect_uri', { redirect_uris: undefined }],
  'no redirect URI at all': ['invalid_redirect_uri', { redirect_uris: [] }],
  'redirect_uris that are no list': ['invalid_redirect_uri', { redirect_uris: 'https://app.example.com/cb' }],
  'eleven redirect URIs': [
    'invalid_redirect_uri',
    { redirect_uris: Array.from({ length: 11 }, (_, n) => `https://a.example/${n}`) },
  ],
  'a redirect URI twice': ['invalid_redirect_uri', { redirect_uris: ['https://a.example/', 'https://a.example/'] }],
  'a redirect URI of 2001 characters': [
    'invalid_redirect_uri',
    { redirect_uris: [`https://a.example/${'x'.repeat(1984)}`] },
  ],
  'an unknown grant type': ['invalid_client_metadata', { grant_types: ['password'] }],
  'token exchange of a public client': [
    'invalid_client_metadata',
    {
      grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'],
      response_types: undefined,
      token_endpoint_auth_method: 'none',
    },
  ],
  'no grant type': ['invalid_client_metadata', { grant_types: [] }],
  'client_credentials of a public client': [
    'invalid_client_metadata',
    { grant_types: ['client_credentials'], response_types: undefined, token_endpoint_auth_method: 'none' },
  ],
  'the implicit response type': ['invalid_client_metadata', { response_types: ['token'] }],
  'an unknown authentication method': ['invalid_client_metadata', { token_endpoint_auth_method: 'tls_client_auth' }],
  'an unknown application type': ['invalid_client_metadata', { application_type: 'desktop' }],
  'a name of 256 characters': ['invalid_client_metadata', { client_name: 'x'.repeat(256) }],
  'a blank name': ['invalid_client_metadata', { client_name: ' ' }],
  'a name with a line break': ['invalid_client_metadata', { client_name: 'a\nb' }],
  'a name that is no text': ['invalid_client_metadata', { client_name: { toString: 'x' } }],
};
for (const [name, [code, change]] of Object.entries(refused))
  test(`${name} is ${code} [R7591-10]`, async () => {
    const count = async () => (await server.sql('select 1 from clients')).length;
    const before = await count();
    denied(await register({ ...metadata, ...change }), code);
    assert.equal(await count(), before);
  });

test('several problems are told together (RFC 7591 §3.2.2)', async () => {
  const { body } = await register({ ...metadata, grant_types: ['password'], client_name: '' });
  assert.match(String(body.error_description), /client_name.*; .*grant_types|grant_types.*; .*client_name/);
});

test('every bad redirect URI is named with its reason, whatever is wrong with the others', async () => {
  const ask = async (redirect_uris: unknown, at?: AuthServer) =>
    String((await register({ ...metadata, redirect_uris }, at)).body.error_description);
  const mixed = await ask(['https://app.example.com/cb', 'myapp:/cb', 'http://evil.com/cb', 'other:/cb']);
  assert.match(mixed, /myapp:\/cb has a scheme that is not a domain name in reverse/);
  assert.match(mixed, /http:\/\/evil\.com\/cb uses http/);
  assert.match(mixed, /other:\/cb has a scheme/);
  assert.doesNotMatch(mixed, /app\.example\.com/);
  const unlisted = await ask(
    ['https://one.example/cb', 'https://app.example.com/cb', 'https://two.example/cb'],
    approved,
  );
  assert.match(unlisted, /one\.example\/cb is not on the list.*two\.example\/cb is not on the list/);
});

test('a member of the wrong type is told once, and a grant with what there is instead', async () => {
  const told = async (change: object) => String((await register({ ...metadata, ...change })).body.error_description);
  assert.equal(
    await told({ redirect_uris: 'https://app.example.com/cb' }),
    'redirect_uris: must be an array of strings',
  );
  assert.equal(await told({ grant_types: 'authorization_code' }), 'grant_types: must be an array of strings');
  assert.equal(
    await told({ grant_types: ['password'] }),
    'grant_types.0: password is not offered here; offered are authorization_code, refresh_token, client_credentials, urn:ietf:params:oauth:grant-type:token-exchange, urn:ietf:params:oauth:grant-type:device_code, urn:ietf:params:oauth:grant-type:jwt-bearer',
  );
});

test('whoever sends something else than JSON is told to send JSON (RFC 7591 §3.1)', async () => {
  const send = async (body: string, headers: Record<string, string>) =>
    read(
      await fetch(`${server.issuer}/oauth/register`, { method: 'POST', body: new TextEncoder().encode(body), headers }),
    );
  const text = JSON.stringify(metadata);
  for (const headers of [
    {},
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/x-www-form-urlencoded' },
  ]) {
    const answer = await send(text, headers as Record<string, string>);
    denied(answer, 'invalid_request');
    assert.equal(answer.body.error_description, 'The body must be sent as application/json.');
  }
  assert.equal(
    (await send('{', { 'content-type': 'application/json' })).body.error_description,
    'The body is not JSON.',
  );
});

test('where redirect URIs are approved, each must be on the list, byte for byte', async () => {
  const ask = (...redirect_uris: string[]) => register({ ...metadata, redirect_uris }, approved);
  assert.equal((await ask('https://app.example.com/cb')).status, 201);
  assert.equal((await ask('https://app.example.com/cb', 'http://127.0.0.1/cb')).status, 201);
  for (const uri of ['https://evil.example/cb', 'https://app.example.com/cb/', 'http://127.0.0.1:8080/cb']) {
    denied(await ask(uri), 'invalid_redirect_uri');
    denied(await ask('https://app.example.com/cb', uri), 'invalid_redirect_uri');
  }
  denied(await register({ client_name: 'x', grant_types: ['client_credentials'] }, approved), 'invalid_redirect_uri');
});

test('where only administrators register, nobody else does, and it is not advertised (RFC 7591 §3) [threat G13]', async () => {
  denied(await register(metadata, closed), 'access_denied', 403);
  denied(await register({}, closed), 'access_denied', 403);
  assert.equal((await closed.sql('select 1 from clients')).length, 0);
  const document = await (await fetch(`${closed.issuer}/.well-known/oauth-authorization-server`)).json();
  assert.ok(!('registration_endpoint' in (document as object)));
});

test('oauth.default_client_scope is the ceiling of who registers itself', async () => {
  const answer = await register({ ...metadata, scope: 'tools/read tools/write' }, bounded);
  assert.equal(answer.body.scope, 'tools/read');
  const user = await bounded.user();
  const { uri } = await bounded.resource();
  const tokens = await appOf(answer, bounded).authorize({ user, resource: uri });
  assert.equal(tokens.scope, 'tools/read');
});

test('a machine that registers itself gets nothing until an administrator gives it a ceiling', async () => {
  const answer = await register({ client_name: 'job', grant_types: ['client_credentials'] });
  assert.equal(answer.status, 201);
  assert.deepEqual(answer.body.response_types, []);
  denied(await appOf(answer).clientCredentials(), 'invalid_scope');
});

test('a form is no registration [R7591-01] [threat G13]', async () => {
  denied(await postForm(`${server.issuer}/oauth/register`, { client_name: 'x' }), 'invalid_request');
});

test('an agent says so itself, and its tokens carry its id', async () => {
  const answer = await register({ ...metadata, agent: true, agent_description: 'Books rooms' });
  assert.equal(answer.body.agent, true);
  assert.equal(answer.body.agent_description, 'Books rooms');
  const { uri } = await server.resource();
  const { access_token } = await appOf(answer).authorize({ user: await server.user(), resource: uri });
  assert.equal(decodeJwt(access_token).agent_id, answer.body.client_id);
});
