import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, ok, postForm, type TestApp } from '../support/test-app.ts';

const signedType = 'application/token-introspection+jwt';
const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const newGuard = () =>
  server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'], ceiling: ['a'] });
const [guard, otherGuard] = [await newGuard(), await newGuard()];
const resource = await server.resource({ runtimeClients: [guard.clientId] });
const app = await server.client();
const token = (await app.authorize({ user, resource: resource.uri, scope: 'tools/read' })).access_token;
const jwks = createRemoteJWKSet(new URL(`${server.issuer}/.well-known/jwks.json`));

const ask = (about: string, by: TestApp, accept = signedType, pod = 0) =>
  postForm(by.url('/oauth/introspect', pod), { token: about }, { authorization: by.basic(), accept });
const claimsOf = async (about: string, by: TestApp, pod = 0) => {
  const answer = await ask(about, by, signedType, pod);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), signedType);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  const jwt = String(answer.body.text);
  const { payload } = await jwtVerify(jwt, jwks, {
    issuer: server.issuer,
    audience: by.clientId,
    typ: 'token-introspection+jwt',
  });
  return { jwt, payload };
};

test('who accepts it gets the answer as a signed JWT, for itself alone [R9701-01 R9701-02 R9701-03]', async () => {
  for (const pod of [0, 1]) {
    const { jwt, payload } = await claimsOf(token, guard, pod);
    const { alg, typ, kid } = decodeProtectedHeader(jwt);
    assert.deepEqual([alg, typ, typeof kid], ['ES256', 'token-introspection+jwt', 'string']);
    assert.equal(payload.aud, guard.clientId);
    assert.ok(Math.abs(Number(payload.iat) - server.clock.now().getTime() / 1000) < 3);
    assert.deepEqual(payload.token_introspection, ok(await guard.introspect(token)));
  }
});

test('nothing outside the answer could make it pass for a token [R9701-04]', async () => {
  const { jwt, payload } = await claimsOf(token, guard);
  assert.deepEqual(Object.keys(payload).sort(), ['aud', 'iat', 'iss', 'token_introspection']);
  assert.deepEqual(ok(await guard.introspect(jwt)), { active: false });
  ok(await app.revoke(jwt));
  assert.equal(ok(await guard.introspect(token)).active, true);
});

test('who may not know gets a signed "inactive" and nothing more [R9701-05 R9701-06]', async () => {
  const gone = (await app.authorize({ user, resource: resource.uri })).access_token;
  ok(await app.revoke(gone));
  for (const [about, by] of [
    [token, otherGuard],
    [gone, guard],
    ['nonsense', guard],
  ] as const)
    assert.deepEqual((await claimsOf(about, by)).payload.token_introspection, { active: false });
});

test('an error stays JSON, and only confidential clients are answered [R9701-06]', async () => {
  const post = (form: Record<string, string>, headers: Record<string, string> = {}) =>
    postForm(guard.url('/oauth/introspect'), form, { accept: signedType, ...headers });
  denied(await post({ token }), 'invalid_client');
  denied(await post({ token, client_id: app.clientId }), 'invalid_client');
  denied(await post({}, { authorization: guard.basic() }), 'invalid_request');
});

test('everybody else gets JSON, as before', async () => {
  for (const accept of [
    'application/json',
    '*/*',
    'application/*',
    `${signedType};q=0`,
    `${signedType};q=0.1, application/json`,
  ]) {
    const answer = await ask(token, guard, accept);
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/, accept);
    assert.equal(ok(answer).active, true);
    assert.equal(answer.headers.get('vary')?.includes('accept'), true);
  }
});

test('the metadata names the algorithm it is signed with [R9701-07]', async () => {
  const metadata = (await (await fetch(`${server.issuer}/.well-known/oauth-authorization-server`)).json()) as {
    introspection_signing_alg_values_supported: string[];
  };
  const { jwt } = await claimsOf(token, guard);
  assert.deepEqual(metadata.introspection_signing_alg_values_supported, [decodeProtectedHeader(jwt).alg]);
  assert.equal(decodeJwt(jwt).iss, server.issuer);
});
