import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyring, keyfileStore } from '@authserver/keys';
import { uuidv7 } from '@authserver/store';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, ok, postForm } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const guard = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['a'],
});
const resource = await server.resource({ runtimeClients: [guard.clientId] });
const app = await server.client({ authMethod: 'client_secret_post' });
const wishes = { user, resource: resource.uri, scope: 'tools/read' };
const inactive = { active: false };

const { signing } = server.config;
const keyring = createKeyring({
  store: keyfileStore({
    directory: signing.key_path,
    algorithm: signing.algorithm,
    maxTokenLifetimeSeconds: 3600,
    clock: server.clock,
  }),
  clock: server.clock,
});
await keyring.reload();

/** A token of this server with its row, as a grant of another kind would make it. */
const issued = async (claims: Record<string, unknown> = {}, parentId?: string) => {
  const now = server.clock.now();
  const id = uuidv7(now);
  const seconds = Math.floor(now.getTime() / 1000);
  const own = {
    iss: server.issuer,
    sub: user.id,
    aud: [resource.uri],
    client_id: app.clientId,
    scope: 'tools/read',
    jti: id,
    iat: seconds,
    nbf: seconds,
    exp: seconds + 600,
    ...claims,
  };
  await server.store.issuances.insertMany([
    {
      id,
      grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
      clientId: app.clientId,
      subject: user.id,
      subjectUserId: user.id,
      resourceId: resource.id,
      resource: resource.uri,
      scopes: ['tools/read'],
      issuedAt: now,
      expiresAt: new Date((seconds + 600) * 1000),
      familyId: undefined,
      consentGrantId: undefined,
      parentId,
      dpopJkt: undefined,
      agentId: undefined,
    },
  ]);
  return { id, token: await keyring.signJwt(JSON.stringify(own)) };
};

test('who acts for the user, and through whom, is passed on as the token has it [R7662-10]', async () => {
  const act = { sub: 'agent-2', client_id: 'agent-2', act: { sub: 'agent-1', 'https://example.com/x': [1] } };
  const { token } = await issued({
    act,
    agent_id: 'agent-2',
    agent_chain: ['agent-1', 'agent-2'],
    acr: 'pwd',
    auth_time: 7,
  });
  const seen = ok(await guard.introspect(token, 1));
  assert.deepEqual(
    { act: seen.act, agent_id: seen.agent_id, agent_chain: seen.agent_chain, acr: seen.acr, auth_time: seen.auth_time },
    { act, agent_id: 'agent-2', agent_chain: ['agent-1', 'agent-2'], acr: 'pwd', auth_time: 7 },
  );
});

test('a claim that is not what it should be makes the token none of ours', async () => {
  for (const claims of [
    { act: 'root' },
    { act: { act: { sub: 1 } } },
    { agent_chain: 'x' },
    { aud: resource.uri },
    { aud: [] },
  ])
    assert.deepEqual(ok(await app.introspect((await issued(claims)).token)), inactive, JSON.stringify(claims));
});

test('what is not yet valid, or has expired a second ago, is inactive [R7662-04 R7662-05] [threat I02]', async () => {
  const seconds = Math.floor(server.clock.now().getTime() / 1000);
  for (const claims of [{ nbf: seconds + 60 }, { exp: seconds - 1 }, { iss: 'https://other.example' }])
    assert.deepEqual(ok(await app.introspect((await issued(claims)).token)), inactive, JSON.stringify(claims));
  const { access_token } = await app.authorize(wishes);
  server.clock.advance(900);
  assert.deepEqual(ok(await app.introspect(access_token)), inactive);
});

test('a token of a pod whose clock is ahead by some seconds is good already', async () => {
  const seconds = Math.floor(server.clock.now().getTime() / 1000);
  const { token } = await issued({ iat: seconds + 20, nbf: seconds + 20 });
  assert.equal(ok(await guard.introspect(token)).active, true);
});

test('a token without a row here is not vouched for, however good its signature', async () => {
  const { id, token } = await issued();
  assert.equal(ok(await guard.introspect(token)).active, true);
  await server.sql('delete from issuances where id = $1', [id]);
  assert.deepEqual(ok(await guard.introspect(token)), inactive);
});

test('showing a token after its end leaves a trace, and so does asking about a token of others', async () => {
  const stranger = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['a'],
  });
  const { access_token } = await app.authorize(wishes);
  ok(await stranger.introspect(access_token));
  ok(await app.revoke(access_token));
  ok(await guard.introspect(access_token));
  const events = await server.sql<{ client_id: string; details: { reason: string } }>(
    `select client_id, details from audit_events where action = 'token.introspect_denied' and details->>'jti' = $1
      order by id`,
    [JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString()).jti],
  );
  assert.deepEqual(
    events.map(({ client_id, details }) => [client_id, details.reason]),
    [
      [stranger.clientId, 'caller_not_authorized_for_token'],
      [guard.clientId, 'token_revoked'],
    ],
  );
});

test('a hint of whatever kind changes no answer [R7662-01] [threat I03]', async () => {
  const { access_token, refresh_token } = await app.authorize(wishes);
  for (const token_type_hint of ['access_token', 'refresh_token', 'id_token', ' '])
    for (const token of [access_token, refresh_token])
      assert.equal(ok(await app.post('/oauth/introspect', { token, token_type_hint })).active, true, token_type_hint);
});

test('the question is a form with one token, posted, by a client that proves itself [R7662-02 R7662-08 R7662-11] [threat I01]', async () => {
  const { access_token: token } = await app.authorize(wishes);
  const url = app.url('/oauth/introspect');
  denied(await app.post('/oauth/introspect', { token: '' }), 'invalid_request');
  denied(await app.post('/oauth/introspect', { token: [token, token] }), 'invalid_request');
  denied(await postForm(url, { token }), 'invalid_client');
  denied(await postForm(url, { token, client_id: app.clientId, client_secret: 'wrong' }), 'invalid_client');
  assert.equal((await fetch(`${url}?token=${token}`, { headers: { authorization: guard.basic() } })).status, 405);
});

test('a token dies with each of its ancestors, at once and on every pod [threat I02]', async () => {
  const root = await issued();
  const child = await issued({}, root.id);
  const grandchild = await issued({}, child.id);
  for (const pod of [0, 1]) assert.equal(ok(await guard.introspect(grandchild.token, pod)).active, true);
  ok(await app.revoke(root.token));
  for (const { token } of [root, child, grandchild])
    for (const pod of [0, 1]) assert.deepEqual(ok(await guard.introspect(token, pod)), inactive);
  assert.equal((await server.store.issuances.find(grandchild.id))?.ended, true);
});

test('a descendant outlives neither an ancestor without a row nor a lineage nobody can oversee', async () => {
  const orphan = await issued({}, uuidv7(server.clock.now()));
  assert.deepEqual(ok(await guard.introspect(orphan.token)), inactive);
  let last = await issued();
  for (let depth = 0; depth < 32; depth += 1) last = await issued({}, last.id);
  assert.equal(ok(await guard.introspect(last.token)).active, true);
  last = await issued({}, last.id);
  assert.deepEqual(ok(await guard.introspect(last.token)), inactive);
});

test('the descendants of a token die also when it is revoked after it has expired', async () => {
  const root = await issued();
  server.clock.advance(500);
  const child = await issued({}, root.id);
  server.clock.advance(200);
  assert.equal(ok(await guard.introspect(child.token)).active, true);
  assert.equal((await app.revoke(root.token)).status, 200);
  assert.deepEqual(ok(await guard.introspect(child.token)), inactive);
});
