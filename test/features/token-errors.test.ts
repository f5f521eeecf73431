import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, type Form, ok, pkce } from '../support/test-app.ts';

const server = await startAuthServer();
const user = await server.user();
const resource = await server.resource();
const app = await server.client();
const codeOnly = await server.client({ grantTypes: ['authorization_code'] });
const machine = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read'],
});

test('an error has the members of RFC 6749 §5.2 and those of RFC 9457 beside them, as application/json [O21-30]', async () => {
  const answer = await app.refresh('unknown');
  denied(answer, 'invalid_grant');
  const { error, error_description, type, title, detail, status, ...rest } = answer.body as unknown as Record<
    string,
    unknown
  >;
  assert.deepEqual(rest, {});
  assert.equal(error, 'invalid_grant');
  assert.equal(detail, error_description);
  assert.equal(title, 'Bad Request');
  assert.equal(status, 400);
  assert.ok(URL.canParse(String(type)));
  assert.equal(answer.headers.get('pragma'), 'no-cache');
});

const verifier = pkce().verifier;
const rows: [name: string, send: 'public' | 'code only' | 'machine', form: Form, code: string][] = [
  ['no grant_type', 'public', {}, 'invalid_request'],
  ['an unknown grant_type', 'public', { grant_type: 'password' }, 'unsupported_grant_type'],
  ['a grant_type in upper case', 'public', { grant_type: 'REFRESH_TOKEN' }, 'unsupported_grant_type'],
  [
    'token exchange by a client that is not registered for it',
    'machine',
    { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange' },
    'unauthorized_client',
  ],
  [
    'a grant the client is not registered for',
    'code only',
    { grant_type: 'refresh_token', refresh_token: 'x' },
    'unauthorized_client',
  ],
  ['client_credentials of a public client', 'public', { grant_type: 'client_credentials' }, 'unauthorized_client'],
  ['no code', 'public', { grant_type: 'authorization_code', code_verifier: verifier }, 'invalid_request'],
  ['no code_verifier', 'public', { grant_type: 'authorization_code', code: 'x' }, 'invalid_request'],
  [
    'an unknown code',
    'public',
    { grant_type: 'authorization_code', code: 'x', code_verifier: verifier },
    'invalid_grant',
  ],
  ['no refresh_token', 'public', { grant_type: 'refresh_token' }, 'invalid_request'],
  ['an unknown refresh_token', 'public', { grant_type: 'refresh_token', refresh_token: 'x' }, 'invalid_grant'],
  [
    'a scope outside the ceiling',
    'machine',
    { grant_type: 'client_credentials', scope: 'tools/write' },
    'invalid_scope',
  ],
  [
    'a scope that breaks the grammar',
    'machine',
    { grant_type: 'client_credentials', scope: 'tools/read "x"' },
    'invalid_scope',
  ],
  [
    'an unknown resource',
    'machine',
    { grant_type: 'client_credentials', resource: 'https://nobody.example/' },
    'invalid_target',
  ],
  [
    'a resource with a fragment',
    'machine',
    { grant_type: 'client_credentials', resource: `${resource.uri}#f` },
    'invalid_target',
  ],
  ['a resource that is no URI', 'machine', { grant_type: 'client_credentials', resource: '/mcp' }, 'invalid_target'],
];
for (const [name, who, form, code] of rows)
  test(`${name} is ${code} (RFC 6749 §5.2, RFC 8707 §2) [O21-32 O21-34 O21-48 R6749-06 R8707-01 R8707-02 R9700-03]`, async () => {
    const sender = { public: app, 'code only': codeOnly, machine }[who];
    denied(await sender.token(form), code);
  });

test('a grant that is switched off is unsupported_grant_type, and the setting is named', async () => {
  const without = await startAuthServer({ env: { CLIENT_CREDENTIALS_ENABLED: 'false' } });
  const client = await without.client({
    authMethod: 'client_secret_post',
    grantTypes: ['client_credentials'],
    ceiling: ['a'],
  });
  const answer = await client.clientCredentials();
  denied(answer, 'unsupported_grant_type');
  assert.match(JSON.stringify(answer.body), /client_credentials\.enabled/);
});

test('who asks is settled before what for (RFC 6749 §3.2.1)', async () => {
  const before = await server.metric('authserver_auth_denied_total', { reason: 'client_unknown' });
  const answer = await app.token({ client_id: 'client_nobody', grant_type: 'password' });
  denied(answer, 'invalid_client');
  assert.equal(await server.metric('authserver_auth_denied_total', { reason: 'client_unknown' }), before + 1);
});

test('a refused request leaves no issuance behind', async () => {
  const count = async () => (await server.sql('select 1 from issuances')).length;
  const grant = await app.code({ user, resource: resource.uri });
  const before = await count();
  denied(await app.redeem(grant, { resource: 'https://nobody.example/' }), 'invalid_target');
  denied(await machine.clientCredentials({ scope: 'tools/write' }), 'invalid_scope');
  assert.equal(await count(), before);
  ok(await app.redeem(grant));
  assert.equal(await count(), before + 1);
});
