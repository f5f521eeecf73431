import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const resource = await server.resource({
  scopes: ['tools/read', 'tools/write', { name: 'tools/list', default: true }],
});
const machine = (ceiling: string[]) =>
  server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'], ceiling });
const app = await machine(['tools/read', 'tools/list', 'files/read']);

test('a machine gets a token as itself, for an hour and without a refresh token (RFC 6749 §4.4.3) [MCC-05 R6749-05]', async () => {
  const tokens = ok(await app.clientCredentials({ scope: 'tools/read', resource: resource.uri }));
  assert.deepEqual(Object.keys(tokens).sort(), ['access_token', 'expires_in', 'scope', 'token_type']);
  assert.equal(tokens.expires_in, 3600);
  const claims = decodeJwt(tokens.access_token);
  assert.equal(claims.sub, app.clientId);
  assert.deepEqual(claims.aud, [resource.uri]);
  assert.equal(claims.scope, 'tools/read');
  assert.equal(Number(claims.exp) - Number(claims.iat), 3600);
  const [row] = await server.sql('select subject, subject_user_id, resource, scopes from issuances where id = $1', [
    claims.jti,
  ]);
  assert.deepEqual(row, {
    subject: app.clientId,
    subject_user_id: null,
    resource: resource.uri,
    scopes: ['tools/read'],
  });
});

test('without scope it gets the defaults of the resource, cut to its ceiling (RFC 6749 §3.3)', async () => {
  assert.equal(ok(await app.clientCredentials({ resource: resource.uri })).scope, 'tools/list');
  const plain = await server.resource();
  assert.equal(ok(await app.clientCredentials({ resource: plain.uri })).scope, 'tools/read');
});

test('without a resource the audience is the issuer, and the scope the whole ceiling', async () => {
  const { access_token, scope } = ok(await app.clientCredentials());
  assert.deepEqual(decodeJwt(access_token).aud, [server.issuer]);
  assert.equal(scope, 'tools/read tools/list files/read');
});

test('scopes are limited to what the resource offers, and nothing left is refused (RFC 6749 §5.2)', async () => {
  assert.equal(
    ok(await app.clientCredentials({ scope: 'files/read tools/read', resource: resource.uri })).scope,
    'tools/read',
  );
  denied(await app.clientCredentials({ scope: 'files/read', resource: resource.uri }), 'invalid_scope');
});

test('a machine without a ceiling has nothing to be granted', async () => {
  denied(await (await machine([])).clientCredentials(), 'invalid_scope');
});

test('the resource is compared as RFC 8707 means it, and named as it was registered', async () => {
  const odd = await server.resource({ uri: 'https://Odd.example.com' });
  for (const spelling of ['https://Odd.example.com', 'https://odd.example.com/', 'HTTPS://ODD.EXAMPLE.COM', odd.slug])
    assert.deepEqual(decodeJwt(ok(await app.clientCredentials({ resource: spelling })).access_token).aud, [odd.uri]);
  for (const other of [
    'https://odd.example.com/x',
    'http://odd.example.com',
    'https://odd.example.com:443/',
    'https://odd.example.com/?',
  ])
    denied(await app.clientCredentials({ resource: other }), 'invalid_target');
});

test('a hundred at once over two pods are a hundred rows [R9068-13]', async () => {
  const count = async () => (await server.sql('select 1 from issuances where client_id = $1', [app.clientId])).length;
  const before = await count();
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) => app.clientCredentials({ scope: 'tools/read' }, n % 2)),
  );
  const ids = new Set(answers.map((answer) => decodeJwt(ok(answer).access_token).jti));
  assert.equal(ids.size, 100);
  assert.equal(await count(), before + 100);
});

test('offline_access is accepted and means nothing to a machine', async () => {
  assert.equal(ok(await app.clientCredentials({ scope: 'tools/read offline_access' })).scope, 'tools/read');
});
