/** What somebody may ask for who registers a client, and how somebody registers who may not. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { appOf, type ClientInformation, register } from '../support/registration.ts';
import { denied, raw } from '../support/test-app.ts';

const unlimited = { DCR_RATE_LIMIT: '0' };
const server = await startAuthServer({ pods: 2, admin: true, env: unlimited });
const resource = await server.resource({ scopes: ['tools/read', 'tools/admin'] });
const metadata = { client_name: 'App', redirect_uris: ['https://evil.example/cb'] };

/** Our own server that nobody has a reason to visit. */
let visits = 0;
const sink = createServer((_request, response) => {
  visits += 1;
  response.end('{}');
});
await new Promise<void>((listening) => sink.listen(0, '127.0.0.1', listening));
after(() => sink.close());
const address = sink.address();
const inside = `http://127.0.0.1:${address && typeof address === 'object' ? address.port : 0}`;

const privileges = {
  scope: 'tools/admin',
  ceiling: ['tools/admin'],
  is_agent: true,
  client_id: 'admin',
  client_secret: 'x',
  registration_source: 'admin',
  skip_consent: true,
  status: 'active',
  tenant_id: 'other',
  token_lifetime: 99_999_999,
  client_secret_expires_at: 0,
  registration_access_token: 'x',
  require_pushed_authorization_requests: false,
  token_exchange: true,
};

test('privileges are asked for in vain: the client gets no token by itself, and nobody is spared the question [threat G01]', async () => {
  const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
  const machine = await register(server, { ...metadata, ...privileges, grant_types: ['client_credentials', exchange] });
  assert.deepEqual(machine.body.grant_types, ['client_credentials', exchange]);
  for (const scope of ['tools/admin', undefined])
    denied(
      await appOf(server, machine.body as ClientInformation).clientCredentials({ scope, resource: resource.uri }),
      'invalid_scope',
    );
  const asked = { ...metadata, ...privileges, grant_types: ['authorization_code', 'client_credentials'] };
  const { status, body } = await register(server, asked);
  assert.equal(status, 201);
  for (const name of [
    'is_agent',
    'registration_source',
    'skip_consent',
    'status',
    'tenant_id',
    'token_lifetime',
    'ceiling',
  ])
    assert.ok(!(name in body), name);
  assert.notEqual(body.client_id, 'admin');
  assert.notEqual(body.client_secret, 'x');
  const [row] = await server.sql(
    'select registration_source, status, ceiling, agent from clients where client_id = $1',
    [body.client_id],
  );
  assert.deepEqual(row, { registration_source: 'dcr', status: 'active', ceiling: [], agent: false });

  const app = appOf(server, body as ClientInformation);
  for (const pod of [0, 1])
    for (const scope of ['tools/admin', 'tools/read', undefined]) {
      const answer = await app.token({ grant_type: 'client_credentials', scope, resource: resource.uri }, pod);
      assert.match(String(answer.body.error ?? ''), /^(unauthorized_client|invalid_scope)$/);
    }
  denied(await app.token({ grant_type: exchange }), 'unauthorized_client');
  const user = await server.user();
  const tokens = await app.authorize({ user, scope: 'tools/read', resource: resource.uri });
  assert.ok(tokens.expires_in <= 3600);
  assert.equal((await server.sql('select 1 from consent_grants where user_id = $1', [user.id])).length, 1, 'asked');
});

test('no address a client writes of itself is visited, not for the registration and not for the pages [threat G03]', async () => {
  const before = await server.metric('authserver_outbound_requests_total');
  for (const target of [
    inside,
    'http://169.254.169.254/latest/meta-data/',
    'http://nats:8222/varz',
    'https://sink.example/x',
  ]) {
    const { body } = await register(server, {
      ...metadata,
      logo_uri: target,
      client_uri: target,
      tos_uri: target,
      policy_uri: target,
      sector_identifier_uri: target,
      initiate_login_uri: target,
      software_statement: 'a.b.c',
    });
    if (body.client_id === undefined) continue;
    const page = await appOf(server, body as ClientInformation).start({ resource: resource.uri });
    assert.ok(page.status < 500);
    assert.ok(!page.html.includes(target));
  }
  assert.equal(visits, 0);
  assert.equal(await server.metric('authserver_outbound_requests_total'), before);
});

const odd = (path: string, headers: Record<string, string> = {}, body = JSON.stringify(metadata)) =>
  raw(`${server.pods[1]?.url}/`, {
    path,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });

test('where registration is closed no spelling of the way there is open, on either pod [threat G13]', async () => {
  const rows = async () => (await server.sql('select 1 from clients')).length;
  await server.admin.dcr.set({ body: { mode: 'admin_only' } });
  try {
    await soon('closed', async () => {
      const statuses = await Promise.all([0, 1].map(async (pod) => (await register(server, metadata, { pod })).status));
      return statuses.every((status) => status === 403);
    });
    const before = await rows();
    for (const path of [
      '/oauth/register',
      '//oauth/register',
      '/oauth//register',
      '/oauth/register/',
      '/oauth/./register',
      '/oauth/x/../register',
      '/oauth/%72egister',
      '/OAUTH/REGISTER',
      '/oauth/register?mode=open',
      '/oauth/register;x',
      '/register',
      'http://evil.example/oauth/register',
    ])
      for (const headers of [
        {},
        { 'content-type': 'application/json; charset=utf-8' },
        { 'content-type': 'application/x-www-form-urlencoded' },
        { 'content-type': 'text/plain' },
        { 'x-http-method-override': 'PUT', 'x-original-url': '/oauth/register', 'x-rewrite-url': '/oauth/register' },
        { authorization: `Bearer ${'a'.repeat(43)}` },
        { authorization: 'Basic YTpi' },
      ] as Record<string, string>[]) {
        const { status, text } = await odd(path, headers);
        assert.ok(status >= 400 && status < 500, `${path}: ${status} ${text}`);
      }
    assert.equal(await rows(), before);
  } finally {
    await server.admin.dcr.set({ body: { mode: 'open' } });
  }
  await soon('open again', async () => (await odd('/oauth/register')).status === 201);
});

test('a token for one registration, shown by twenty at once at two pods, makes one client [threat G13]', async () => {
  const { token } = await server.admin.initialAccessToken.create({ body: { label: 'once', max_uses: 1 } });
  const named = { ...metadata, client_name: 'Once' };
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => register(server, named, { token, pod: index % 2 })),
  );
  assert.equal(answers.filter(({ status }) => status === 201).length, 1);
  for (const answer of answers) if (answer.status !== 201) denied(answer, 'invalid_token', 401);
  assert.equal((await server.sql(`select 1 from clients where client_name = 'Once'`)).length, 1);
});
