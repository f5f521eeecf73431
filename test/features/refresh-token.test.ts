import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const resource = await server.resource();
const app = await server.client();
const guard = await server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'] });
const guarded = await server.resource({ runtimeClients: [guard.clientId] });
const wishes = { user, scope: 'tools/read', resource: resource.uri };
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('a refresh rotates the token and keeps subject, audience and scope (RFC 6749 §6) [MCP-21 R9700-10]', async () => {
  const first = await app.authorize(wishes);
  const second = ok(await app.refresh(first.refresh_token));
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.notEqual(second.access_token, first.access_token);
  const { sub, aud, scope, client_id } = decodeJwt(second.access_token);
  assert.deepEqual(
    { sub, aud, scope, client_id },
    { sub: user.id, aud: [resource.uri], scope: 'tools/read', client_id: app.clientId },
  );
});

for (const jitterMs of [50, 0, 0])
  test(`twenty refreshes within ${jitterMs} ms over two pods get the same successor, in one lineage [threat D02]`, async () => {
    const { refresh_token } = await app.authorize(wishes);
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        await pause(Math.random() * jitterMs);
        return app.refresh(refresh_token, {}, index % 2);
      }),
    );
    const successors = new Set(answers.map((answer) => ok(answer).refresh_token));
    assert.equal(successors.size, 1);
    const lineage = await server.sql(
      `select 1 from refresh_tokens where family_id =
         (select family_id from refresh_tokens where token_hash = sha256($1::bytea))`,
      [refresh_token],
    );
    assert.equal(lineage.length, 2);
    const [successor] = successors;
    ok(await app.refresh(successor as string, {}, 1));
  });

test('a lost answer is made good: the repeat gets the same successor, on any pod (RFC 9700 §4.14.2) [threat D12]', async () => {
  const { refresh_token } = await app.authorize(wishes);
  const lost = ok(await app.refresh(refresh_token, {}, 0));
  const repeated = ok(await app.refresh(refresh_token, {}, 1));
  assert.equal(repeated.refresh_token, lost.refresh_token);
  assert.notEqual(decodeJwt(repeated.access_token).jti, decodeJwt(lost.access_token).jti);
});

test('once the successor was used, a repeat is theft even within the window (RFC 9700 §4.14.2) [O21-52 R9700-10] [threat D03]', async () => {
  const reuse = await server.metric('authserver_refresh_token_reuse_total');
  const first = await app.authorize(wishes);
  const second = ok(await app.refresh(first.refresh_token));
  const third = ok(await app.refresh(second.refresh_token));
  denied(await app.refresh(first.refresh_token, {}, 1), 'invalid_grant');
  for (const { refresh_token } of [second, third]) denied(await app.refresh(refresh_token), 'invalid_grant');
  assert.equal(await server.metric('authserver_refresh_token_reuse_total'), reuse + 1);
});

test('reuse after the window revokes the whole family, access tokens included (RFC 9700 §4.14.2) [MCP-21 O21-52] [threat D01]', async () => {
  const first = await app.authorize({ user, resource: guarded.uri });
  const second = ok(await app.refresh(first.refresh_token));
  assert.equal((await guard.introspect(second.access_token)).body.active, true);
  server.clock.advance(11);
  denied(await app.refresh(first.refresh_token, {}, 1), 'invalid_grant');
  denied(await app.refresh(second.refresh_token, {}, 0), 'invalid_grant');
  for (const pod of [0, 1])
    for (const { access_token } of [first, second])
      assert.deepEqual((await guard.introspect(access_token, pod)).body, { active: false });
  const markers = await server.sql(`select 1 from changes where kind = 'revocation' and key like 'family:%'`);
  assert.ok(markers.length > 0);
});

test('the window does not raise the dead: a revoked family stays revoked (RFC 7009 §2.1) [threat D04]', async () => {
  const first = await app.authorize(wishes);
  const second = ok(await app.refresh(first.refresh_token));
  ok(await app.revoke(second.refresh_token, 1));
  denied(await app.refresh(first.refresh_token), 'invalid_grant');
});

test('the window does not raise the dead: a disabled user stays out [threat D04]', async () => {
  const leaving = await server.user();
  const first = await app.authorize({ ...wishes, user: leaving });
  ok(await app.refresh(first.refresh_token));
  await server.store.users.setStatus(leaving.id, 'disabled');
  denied(await app.refresh(first.refresh_token, {}, 1), 'invalid_grant');
});

test('a refresh may narrow and never widen, and a refused one does not rotate (RFC 6749 §6, RFC 8707 §2.2) [O21-29 O21-50 R8707-06 R9700-10] [threat D05]', async () => {
  const other = await server.resource();
  const narrow = await app.authorize(wishes);
  denied(await app.refresh(narrow.refresh_token, { scope: 'tools/read tools/write' }), 'invalid_scope');
  denied(await app.refresh(narrow.refresh_token, { scope: 'tools/admin' }), 'invalid_scope');
  denied(await app.refresh(narrow.refresh_token, { resource: other.uri }), 'invalid_target');
  denied(await app.refresh(narrow.refresh_token, { resource: [resource.uri, other.uri] }), 'invalid_target');
  server.clock.advance(11);
  const unchanged = ok(await app.refresh(narrow.refresh_token, { audience: other.uri, authorization_details: '[]' }));
  assert.deepEqual(decodeJwt(unchanged.access_token).aud, [resource.uri]);
});

test('a narrowed refresh leaves the grant as it was consented to (RFC 6749 §6) [O21-53]', async () => {
  const first = await app.authorize({ user, resource: resource.uri });
  const second = ok(await app.refresh(first.refresh_token, { scope: 'tools/read' }));
  assert.equal(second.scope, 'tools/read');
  assert.equal(ok(await app.refresh(second.refresh_token)).scope, 'tools/read tools/write');
});

test("a stranger with somebody's refresh token gets nothing and ends nothing (RFC 6749 §10.4) [O21-49] [threat D06]", async () => {
  const stranger = await server.client();
  const confidential = await server.client({ authMethod: 'client_secret_basic' });
  const first = await app.authorize(wishes);
  for (let insists = 0; insists < 5; insists += 1) denied(await stranger.refresh(first.refresh_token), 'invalid_grant');
  denied(await confidential.refresh(first.refresh_token), 'invalid_grant');
  denied(await confidential.refresh(first.refresh_token, { client_id: app.clientId }), 'invalid_request');
  const second = ok(await app.refresh(first.refresh_token));
  server.clock.advance(11);
  denied(await stranger.refresh(first.refresh_token, {}, 1), 'invalid_grant');
  ok(await app.refresh(second.refresh_token));
  const told = await server.sql(
    `select client_id, details->>'presented_by' as by from audit_events
      where action = 'refresh_token.foreign' and details->>'family' =
        (select family_id::text from refresh_tokens where token_hash = sha256($1::bytea))`,
    [first.refresh_token],
  );
  for (const by of [stranger, confidential])
    assert.ok(told.some((event) => event.client_id === app.clientId && event.by === by.clientId));
  assert.ok(told.length <= 4, 'insisting writes no more than a line a pod');
});

test('a client that may not refresh gets no refresh token (RFC 6749 §1.5)', async () => {
  const once = await server.client({ grantTypes: ['authorization_code'] });
  const tokens = await once.authorize(wishes);
  assert.equal(tokens.refresh_token, undefined);
  const { refresh_token } = await app.authorize(wishes);
  denied(await once.refresh(refresh_token), 'unauthorized_client');
});

test('a refresh token and its successor are stored as hashes alone', async () => {
  const first = await app.authorize(wishes);
  const second = ok(await app.refresh(first.refresh_token));
  const rows = await server.sql('select row_to_json(refresh_tokens)::text as row from refresh_tokens');
  const stored = rows.map(({ row }) => row).join();
  for (const { refresh_token } of [first, second]) {
    assert.ok(!stored.includes(refresh_token));
    assert.ok(!stored.includes(Buffer.from(refresh_token).toString('hex')));
  }
});
