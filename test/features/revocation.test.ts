import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, ok, pkce, postForm } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const guard = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['a'],
});
const resource = await server.resource({ runtimeClients: [guard.clientId] });
const app = await server.client();
const wishes = { user, resource: resource.uri };
const active = async (token: string) =>
  Promise.all([0, 1].map(async (pod) => ok(await guard.introspect(token, pod)).active));

test('revoking a refresh token ends its family, access tokens included, on every pod (RFC 7009 §2.1) [R7009-01 R7009-05 R7009-09 R7009-10] [threat I04]', async () => {
  const first = await app.authorize(wishes);
  const second = ok(await app.refresh(first.refresh_token));
  const answer = await app.revoke(second.refresh_token);
  assert.equal(answer.status, 200);
  assert.equal(answer.body.text, '');
  denied(await app.refresh(second.refresh_token, {}, 1), 'invalid_grant');
  for (const { access_token } of [first, second]) assert.deepEqual(await active(access_token), [false, false]);
});

test('a spent refresh token revokes its family as well (RFC 7009 §2.1)', async () => {
  const first = await app.authorize(wishes);
  const second = ok(await app.refresh(first.refresh_token));
  ok(await app.revoke(first.refresh_token, 1));
  denied(await app.refresh(second.refresh_token), 'invalid_grant');
});

test('revoking an access token ends it alone; its refresh token goes on (RFC 7009 §2.1) [R7009-01 R7009-06]', async () => {
  const { access_token, refresh_token } = await app.authorize(wishes);
  assert.deepEqual(await active(access_token), [true, true]);
  ok(await app.revoke(access_token));
  assert.deepEqual(await active(access_token), [false, false]);
  assert.deepEqual(await active(ok(await app.refresh(refresh_token)).access_token), [true, true]);
});

test('a machine may revoke its own token (RFC 7009 §2)', async () => {
  const { access_token } = ok(await guard.clientCredentials());
  assert.deepEqual(await active(access_token), [true, true]);
  ok(await guard.revoke(access_token, 1));
  assert.deepEqual(await active(access_token), [false, false]);
});

test('a token of somebody else stays alive, and the answer does not tell (RFC 7009 §2.1) [R7009-03 R7009-04] [threat I04]', async () => {
  const stranger = await server.client();
  const { access_token, refresh_token } = await app.authorize(wishes);
  for (const token of [access_token, refresh_token, 'nonsense', pkce().verifier, 'a.b.c', `${access_token}x`]) {
    const answer = await stranger.revoke(token);
    assert.equal(answer.status, 200);
    assert.equal(answer.body.text, '');
  }
  assert.deepEqual(await active(access_token), [true, true]);
  ok(await app.refresh(refresh_token));
});

test('token_type_hint is a hint: a wrong or unknown one changes nothing (RFC 7009 §2.1) [R7009-02]', async () => {
  for (const token_type_hint of ['access_token', 'refresh_token', 'nonsense']) {
    const { access_token, refresh_token } = await app.authorize(wishes);
    ok(await app.post('/oauth/revoke', { token: refresh_token, token_type_hint }));
    assert.deepEqual(await active(access_token), [false, false]);
  }
});

test('no token is invalid_request; no, a wrong or a suspended client is invalid_client (RFC 7009 §2.2.1) [R7009-03 R7009-08] [threat I04]', async () => {
  denied(await app.post('/oauth/revoke', {}), 'invalid_request');
  denied(await app.post('/oauth/revoke', { token: '' }), 'invalid_request');
  const { access_token } = await app.authorize(wishes);
  const anonymous = (form: Record<string, string>) =>
    postForm(app.url('/oauth/revoke'), { token: access_token, ...form });
  denied(await anonymous({}), 'invalid_client');
  denied(await anonymous({ client_id: 'client_nobody' }), 'invalid_client');
  denied(await anonymous({ client_id: guard.clientId }), 'invalid_client');
  denied(await anonymous({ client_id: guard.clientId, client_secret: 'wrong' }), 'invalid_client');
  const suspended = await server.client();
  await server.change('client', suspended.clientId, (tx) =>
    tx.clients.setStatus(suspended.clientId, ['active'], 'suspended'),
  );
  denied(await suspended.revoke(access_token), 'invalid_client');
  assert.deepEqual(await active(access_token), [true, true]);
});

test('revoking twice is a success, and one event (RFC 7009 §2.2) [R7009-04] [threat I04]', async () => {
  const { refresh_token } = await app.authorize(wishes);
  const events = async () =>
    (await server.sql(`select 1 from audit_events where action = 'token.revoked' and client_id = $1`, [app.clientId]))
      .length;
  const before = await events();
  await Promise.all([0, 1, 0, 1].map((pod) => app.revoke(refresh_token, pod).then(ok)));
  assert.equal(await events(), before + 1);
});

test('access and refresh token may be revoked one after the other, in either order [threat I04]', async () => {
  const held = await app.authorize(wishes);
  ok(await app.revoke(held.access_token));
  ok(await app.revoke(held.refresh_token));
  denied(await app.refresh(held.refresh_token), 'invalid_grant');
  const next = await app.authorize(wishes);
  ok(await app.revoke(next.refresh_token));
  ok(await app.revoke(next.access_token));
  for (const { access_token } of [held, next]) assert.deepEqual(await active(access_token), [false, false]);
});

test('an operator ends all tokens of a user, a consent or a client with one marker', async () => {
  for (const kind of ['user', 'consent', 'client'] as const) {
    const person = await server.user();
    const client = await server.client();
    const { access_token } = await client.authorize({ ...wishes, user: person });
    const [grant] = await server.store.consentGrants.listOfUser(person.id);
    const key = { user: person.id, consent: String(grant?.id), client: client.clientId }[kind];
    await server.store.revocationMarkers.set(kind, key, server.clock.now());
    assert.deepEqual(await active(access_token), [false, false], kind);
    server.clock.advance(1);
    const later = await client.authorize({ ...wishes, user: person });
    assert.deepEqual(await active(later.access_token), [true, true], `${kind}, later`);
  }
});
