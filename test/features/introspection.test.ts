import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { decodeJwt, generateKeyPair, SignJWT } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, ok, postForm } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const newGuard = () =>
  server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'], ceiling: ['a'] });
const guard = await newGuard();
const otherGuard = await newGuard();
const resource = await server.resource({ runtimeClients: [guard.clientId] });
await server.resource({ runtimeClients: [otherGuard.clientId] });
const app = await server.client({ authMethod: 'client_secret_post' });
const wishes = { user, resource: resource.uri, scope: 'tools/read' };
const inactive = { active: false };

test('the resource a token is for learns what it may know (RFC 7662 §2.2) [R7662-03 R7662-10]', async () => {
  const { access_token } = await app.authorize(wishes);
  const { iat, exp, nbf, jti, auth_time } = decodeJwt(access_token);
  const expected = {
    active: true,
    scope: 'tools/read',
    client_id: app.clientId,
    sub: user.id,
    aud: resource.uri,
    iss: server.issuer,
    iat,
    exp,
    nbf,
    jti,
    auth_time,
    acr: 'pwd',
    token_type: 'Bearer',
  };
  for (const pod of [0, 1]) {
    const answer = await guard.introspect(access_token, pod);
    assert.deepEqual(ok(answer), expected);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
  }
  assert.deepEqual(ok(await app.introspect(access_token)), expected);
});

test('nobody else learns anything, and the attempt is recorded (RFC 7662 §2.2) [R7662-06] [threat I01]', async () => {
  const { access_token, refresh_token } = await app.authorize(wishes);
  assert.deepEqual(ok(await otherGuard.introspect(access_token)), inactive);
  for (const stranger of [guard, otherGuard]) assert.deepEqual(ok(await stranger.introspect(refresh_token)), inactive);
  const events = await server.sql(
    `select details from audit_events where action = 'token.introspect_denied' and client_id = $1`,
    [otherGuard.clientId],
  );
  assert.equal(events.length, 1);
});

test('a token for the issuer itself belongs to its client alone', async () => {
  const { access_token } = await app.authorize({ user, scope: 'tools/read' });
  assert.deepEqual(ok(await guard.introspect(access_token)), inactive);
  assert.equal(ok(await app.introspect(access_token)).active, true);
});

test("a refresh token is its client's, until it is spent (RFC 7662 §2.2)", async () => {
  const { refresh_token } = await app.authorize(wishes);
  const held = ok(await app.introspect(refresh_token));
  assert.equal(held.active, true);
  assert.equal(held.token_type, 'refresh_token');
  assert.equal(held.sub, user.id);
  const next = ok(await app.refresh(refresh_token));
  assert.deepEqual(ok(await app.introspect(refresh_token)), inactive);
  assert.equal(ok(await app.introspect(next.refresh_token)).active, true);
});

test('what is not a live token of ours is inactive, whatever it looks like (RFC 7662 §2.2) [O21-01 R7662-04 R7662-05 R7662-07] [threat F08 I03]', async () => {
  const { access_token } = await app.authorize(wishes);
  const [header, payload, signature] = access_token.split('.') as [string, string, string];
  const rewritten = (part: string, change: object) =>
    Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(part, 'base64url').toString()), ...change })).toString(
      'base64url',
    );
  const { privateKey } = await generateKeyPair('ES256');
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString());
  const forged = await new SignJWT({ ...decodeJwt(access_token) })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
    .sign(privateKey);
  for (const [name, token] of Object.entries({
    'a foreign signature': forged,
    'no signature': `${header}.${payload}.`,
    'alg none': `${rewritten(header, { alg: 'none' })}.${payload}.`,
    'alg HS256': `${rewritten(header, { alg: 'HS256' })}.${payload}.${signature}`,
    'another type': `${rewritten(header, { typ: 'JWT' })}.${payload}.${signature}`,
    'an unknown kid': `${rewritten(header, { kid: 'nobody' })}.${payload}.${signature}`,
    'a kid from the prototype': `${rewritten(header, { kid: '__proto__' })}.${payload}.${signature}`,
    'a key in the header': `${rewritten(header, { kid: undefined, jwk: {} })}.${payload}.${signature}`,
    'a changed payload': `${header}.${rewritten(payload, { sub: 'admin' })}.${signature}`,
    'a critical extension': `${rewritten(header, { crit: ['x'], x: 1 })}.${payload}.${signature}`,
    'five parts': `${header}.a.b.c.d`,
    'a costly PBES2 count': `${Buffer.from('{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2000000000}').toString('base64url')}.a.b.c.d`,
    'trailing padding': `${access_token}=`,
    'a line break': `${access_token}\n`,
    'sixty kilobytes': 'a'.repeat(60_000),
    nothing: '.',
  })) {
    const start = performance.now();
    assert.deepEqual(ok(await app.introspect(token)), inactive, name);
    assert.ok(performance.now() - start < 500, name);
  }
  assert.equal(ok(await app.introspect(access_token)).active, true);
});

test('a thousand made-up tokens are refused before the database hears of them, and one without end as well [threat I03]', async () => {
  const { access_token } = await app.authorize(wishes);
  const asked = () =>
    Promise.all(
      ['issuance_is_live', 'refresh_find'].map((operation) =>
        server.metric('authserver_db_operation_duration_seconds_count', { operation }),
      ),
    );
  const before = await asked();
  const random = (length: number) => randomBytes(length).toString('base64url');
  for (let wave = 0; wave < 10; wave += 1)
    await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const token = n % 2 === 0 ? `${random(20)}.${random(200)}.${random(64)}` : access_token.slice(0, -1 - n);
        assert.deepEqual(ok(await guard.introspect(token, n % 2)), inactive);
      }),
    );
  for (const token of ['a token with spaces', ` ${access_token}`, `${access_token} x`])
    assert.deepEqual(ok(await guard.introspect(token)), inactive);
  assert.equal((await guard.introspect('a'.repeat(1_000_000))).status, 413);
  assert.deepEqual(await asked(), before);
  assert.equal(ok(await guard.introspect(access_token)).active, true);
});

test('a token lives no longer than its user and its client (RFC 7662 §2.2) [threat I02]', async () => {
  const leaving = await server.user();
  const removed = await server.user();
  const closing = await server.client();
  const tokens = await Promise.all([
    app.authorize({ ...wishes, user: leaving }),
    app.authorize({ ...wishes, user: removed }),
    closing.authorize(wishes),
  ]);
  for (const { access_token } of tokens) assert.equal(ok(await guard.introspect(access_token)).active, true);
  await server.store.users.setStatus(leaving.id, 'disabled');
  await server.store.users.delete(removed.id);
  await server.change('client', closing.clientId, (tx) =>
    tx.clients.setStatus(closing.clientId, ['active'], 'suspended'),
  );
  for (const { access_token } of tokens)
    for (const pod of [0, 1]) assert.deepEqual(ok(await guard.introspect(access_token, pod)), inactive);
});

test('only confidential clients may ask (RFC 7662 §2.1) [R7662-01 R7662-02 R7662-08 R7662-11] [threat I01]', async () => {
  const open = await server.client();
  const { access_token } = await open.authorize(wishes);
  denied(await open.introspect(access_token), 'invalid_client');
  denied(await postForm(app.url('/oauth/introspect'), { token: access_token }), 'invalid_client');
  denied(
    await postForm(app.url('/oauth/introspect'), { token: access_token, client_id: app.clientId }),
    'invalid_client',
  );
  denied(await app.post('/oauth/introspect', {}), 'invalid_request');
  assert.deepEqual(
    ok(await guard.post('/oauth/introspect', { token: access_token, token_type_hint: 'x' })).active,
    true,
  );
});

test('an access token is not a credential here (RFC 6750 §2.1) [threat I01]', async () => {
  const { access_token } = await app.authorize(wishes);
  const answer = await postForm(
    app.url('/oauth/introspect'),
    { token: access_token },
    { authorization: `Bearer ${access_token}` },
  );
  denied(answer, 'invalid_client');
});
