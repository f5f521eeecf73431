import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true, pods: 2 });
const { admin } = server;
const user = await server.user();
const guard = await server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'] });
const resource = await server.resource({ runtimeClients: [guard.clientId] });
const wishes = { user, resource: resource.uri, scope: 'tools/read' };
const app = await server.client();
const job = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read'],
});
const tokens = await app.authorize(wishes);
const machineToken = ok(await job.clientCredentials({ resource: resource.uri, scope: 'tools/read' })).access_token;
const jtiOf = (token: string) => String(decodeJwt(token).jti);
const active = async (token: string) =>
  Promise.all([0, 1].map(async (pod) => ok(await guard.introspect(token, pod)).active));
const list = (query: string) => server.adminRequest('GET', `/admin/issuances?${query}`);
const found = async (query: Record<string, string | number>) =>
  (await admin.issuance.list({ query })).issuances.map(({ id }) => id);

test('an issuance is the whole story of one token', async () => {
  const claims = decodeJwt(tokens.access_token);
  const issuance = await admin.issuance.get({ id: jtiOf(tokens.access_token) });
  assert.deepEqual(issuance, {
    id: claims.jti,
    jti: claims.jti,
    grant_type: 'authorization_code',
    subject: user.id,
    subject_user_id: user.id,
    client_id: app.clientId,
    resource_id: resource.id,
    resource: resource.uri,
    scopes: ['tools/read'],
    backend_kind: 'mint',
    revocable: true,
    issued_at: issuance.issued_at,
    expires_at: issuance.expires_at,
    status: 'active',
    agent_chain: [],
    consent_client_id: app.clientId,
  });
  const numericDate = (time: string) => Math.floor(Date.parse(time) / 1000);
  assert.deepEqual([numericDate(issuance.issued_at), numericDate(issuance.expires_at)], [claims.iat, claims.exp]);
  assert.equal((await admin.issuance.get({ id: jtiOf(machineToken) })).subject_user_id, undefined);
});

test('issuances are found by user, client, resource and token; all filters must match', async () => {
  const [mine, machine] = [jtiOf(tokens.access_token), jtiOf(machineToken)];
  assert.deepEqual(await found({ user: user.id }), [mine]);
  assert.deepEqual(await found({ client: job.clientId }), [machine]);
  for (const reference of [resource.slug, resource.id])
    assert.deepEqual(await found({ resource: reference }), [machine, mine], 'newest first');
  assert.deepEqual(await found({ resource: resource.slug, limit: 1 }), [machine]);
  assert.deepEqual(await found({ jti: mine }), [mine]);
  assert.deepEqual(await found({ jti: mine, client: app.clientId, user: user.id, resource: resource.slug }), [mine]);
  for (const query of [
    { jti: mine, client: job.clientId },
    { jti: mine, user: crypto.randomUUID() },
    { jti: mine, resource: 'nobody' },
    { client: app.clientId, resource: 'nobody' },
    { user: user.id, client: job.clientId },
    { user: 'no-uuid' },
    { client: 'nobody' },
    { jti: 'nobody' },
  ])
    assert.deepEqual(await found(query), [], JSON.stringify(query));
});

test('the list says from when on and how many', async () => {
  const answer = await admin.issuance.list({ query: { client: app.clientId } });
  assert.equal(answer.count, 1);
  assert.ok(Math.abs(Date.parse(answer.since) - (Date.now() - 24 * 3600_000)) < 60_000, '24 hours unless said');
  const since = new Date(Date.now() - 3600_000).toISOString();
  assert.equal((await admin.issuance.list({ query: { client: app.clientId, since } })).since, since);
  assert.deepEqual(await found({ client: app.clientId, since: new Date(Date.now() + 1000).toISOString() }), []);
  const offset = since.replace('Z', '+00:00');
  assert.equal((await list(`client=${app.clientId}&since=${encodeURIComponent(offset)}`)).status, 200);
});

for (const [name, query] of Object.entries({
  'no filter': '',
  'an empty user': 'user=',
  'only a limit': 'limit=5',
  'a limit of nothing': 'user=u&limit=0',
  'a limit above 5000': 'user=u&limit=5001',
  'a limit that is no number': 'user=u&limit=many',
  'a span instead of a moment': 'user=u&since=24h',
  'a moment without a zone': 'user=u&since=2026-01-01T00:00:00',
  'more than 30 days': `user=u&since=${new Date(Date.now() - 31 * 24 * 3600_000).toISOString()}`,
  'a filter there is not': 'user=u&scope=a',
  'the same filter twice': 'user=a&user=b',
}))
  test(`${name} is refused`, async () => {
    refused(await list(query), 'invalid_request');
  });

test('a revoked token is inactive on both pods at once; its refresh token goes on', async () => {
  const first = await app.authorize(wishes);
  const id = jtiOf(first.access_token);
  assert.deepEqual(await active(first.access_token), [true, true]);
  const { audit, changes } = await traceOf(server, async () => {
    const answer = await server.adminRequest('DELETE', `/admin/issuances/${id}`);
    assert.deepEqual([answer.status, answer.body], [204, { text: '' }]);
  });
  assert.deepEqual(await active(first.access_token), [false, false]);
  assert.ok((await admin.issuance.get({ id })).revoked_at);
  assert.equal(ok(await guard.introspect(ok(await app.refresh(first.refresh_token)).access_token)).active, true);

  assert.deepEqual(changes, [{ kind: 'revocation', key: id }]);
  assert.deepEqual(
    audit.map(({ action, client_id, details }) => [action, client_id, details.id, details.subject_user_id]),
    [['issuance.revoked_admin', app.clientId, id, user.id]],
  );
});

test('revoking what is revoked or was never issued is as good as done, and leaves no trace', async () => {
  const { access_token } = await app.authorize(wishes);
  await admin.issuance.revoke({ id: jtiOf(access_token) });
  const trace = await traceOf(server, async () => {
    for (const id of [jtiOf(access_token), crypto.randomUUID(), 'nobody'])
      assert.equal((await server.adminRequest('DELETE', `/admin/issuances/${id}`)).status, 204);
  });
  assert.deepEqual(trace, nothing);
});

test('the counts of the last day follow', async () => {
  const before = await admin.system.stats();
  const { access_token } = await app.authorize(wishes);
  assert.equal((await admin.system.stats()).active_tokens_24h, before.active_tokens_24h + 1);
  await admin.issuance.revoke({ id: jtiOf(access_token) });
  const after = await admin.system.stats();
  assert.equal(after.active_tokens_24h, before.active_tokens_24h);
  assert.equal(after.revoked_tokens, before.revoked_tokens + 1);
  assert.equal(after.users, 1);
});

test('a consent is listed, and revoking it ends everything under it and nothing else [O21-58]', async () => {
  const other = await server.resource({ runtimeClients: [guard.clientId] });
  const elsewhere = await app.authorize({ ...wishes, resource: other.uri });
  const mine = await app.authorize(wishes);
  const code = await app.code(wishes);
  const { consent_grants, broker_grants } = await admin.grant.listUserGrants({ id: user.id });
  assert.deepEqual(broker_grants, []);
  const consent = consent_grants.find(({ resource_id }) => resource_id === resource.id);
  assert.ok(consent);
  assert.deepEqual(
    [consent.user_id, consent.client_id, consent.scopes, consent.revoked_at],
    [user.id, app.clientId, ['tools/read'], undefined],
  );

  const families = 'select 1 from token_families where consent_grant_id = $1 and revoked_at is null';
  const live = (await server.sql(families, [consent.id])).length;

  const { audit, changes } = await traceOf(server, async () => {
    assert.equal((await server.adminRequest('DELETE', `/admin/grants/consent/${consent.id}`)).status, 204);
  });
  assert.deepEqual(await server.sql(families, [consent.id]), []);
  assert.deepEqual(await active(mine.access_token), [false, false]);
  for (const pod of [0, 1]) denied(await app.refresh(mine.refresh_token, {}, pod), 'invalid_grant');
  denied(await app.redeem(code, {}, 1), 'invalid_grant');
  assert.deepEqual(await active(elsewhere.access_token), [true, true]);
  ok(await app.refresh(elsewhere.refresh_token));
  const later = (await admin.grant.listUserGrants({ id: user.id })).consent_grants;
  assert.ok(later.find(({ id }) => id === consent.id)?.revoked_at, 'still listed');
  assert.deepEqual(changes, [{ kind: 'revocation', key: consent.id }]);
  assert.deepEqual(
    audit.map(({ action, details }) => [action, details.id, details.user_id, details.revoked_families]),
    [['consent_grant.revoked_admin', consent.id, user.id, live]],
  );
});

test('a revoked consent is asked for again', async () => {
  const stranger = await server.user();
  const asks = { ...wishes, user: stranger };
  await app.authorize(asks);
  const [consent] = (await admin.grant.listUserGrants({ id: stranger.id })).consent_grants;
  await admin.grant.revokeConsent({ id: String(consent?.id) });
  const again = await app.authorize(asks);
  assert.equal(ok(await guard.introspect(again.access_token)).active, true);
  const trace = await traceOf(server, () => admin.grant.revokeConsent({ id: crypto.randomUUID() }));
  assert.deepEqual(trace, nothing);
});

test('the status of a token tells what introspection would, whatever ended it', async () => {
  const other = await server.user();
  const used = await server.client({ authMethod: 'client_secret_basic' });
  const { access_token } = await used.authorize({ user: other, scope: 'tools/read', resource: resource.uri });
  const statusOf = async () => (await admin.issuance.get({ id: jtiOf(access_token) })).status;
  assert.equal(await statusOf(), 'active');
  await admin.user.forceLogout({ id: other.id });
  assert.equal(await statusOf(), 'revoked');
  assert.deepEqual((await used.introspect(access_token)).body, { active: false });
});
