/** What an operator sees as tokens, and how one is ended: families, and tokens that belong to none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pages } from '@authserver/admin-api';
import { decodeJwt } from 'jose';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true, pods: 2 });
const { admin } = server;
const guard = await server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'] });
const resource = await server.resource({ runtimeClients: [guard.clientId] });
const user = await server.user();
const app = await server.client();
const job = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read', 'tools/write'],
});
const wishes = { user, resource: resource.uri, scope: 'tools/read' };
const machineToken = async () =>
  ok(await job.clientCredentials({ resource: resource.uri, scope: 'tools/read tools/write' })).access_token;
const jtiOf = (token: string) => String(decodeJwt(token).jti);
const active = async (token: string) =>
  Promise.all([0, 1].map(async (pod) => ok(await guard.introspect(token, pod)).active));
const list = async (query: Parameters<typeof admin.token.list>[0] = {}) => (await admin.token.list(query)).tokens;
const familyOf = async (token: string): Promise<string> => {
  const [row] = await server.sql<{ family_id: string }>('select family_id from issuances where id = $1', [
    jtiOf(token),
  ]);
  return String(row?.family_id);
};

test('families and machine tokens are in one list, newest first, with what is known of each', async () => {
  const machine = await machineToken();
  const { access_token } = await app.authorize(wishes);
  const answer = await admin.token.list();
  const [family, alone] = answer.tokens;
  assert.equal(answer.total, 2);
  assert.deepEqual(family, {
    jti: await familyOf(access_token),
    type: 'authorization_code',
    client_id: app.clientId,
    user_id: user.id,
    scope: 'tools/read',
    resource: resource.uri,
    status: 'active',
    created_at: family?.created_at,
    expires_at: family?.expires_at,
  });
  assert.deepEqual(alone, {
    jti: jtiOf(machine),
    type: 'client_credentials',
    client_id: job.clientId,
    scope: 'tools/read tools/write',
    resource: resource.uri,
    status: 'active',
    created_at: alone?.created_at,
    expires_at: alone?.expires_at,
  });
  assert.ok(String(family?.created_at) >= String(alone?.created_at));
});

test('tokens are listed by client and by user', async () => {
  const other = await server.user();
  const theirs = await app.authorize({ ...wishes, user: other });
  const jtis = async (query: object) => (await list({ query })).map(({ jti }) => jti);
  assert.deepEqual(await jtis({ user_id: other.id }), [await familyOf(theirs.access_token)]);
  assert.ok((await list({ query: { client_id: job.clientId } })).every(({ client_id }) => client_id === job.clientId));
  assert.deepEqual(await jtis({ client_id: app.clientId, user_id: other.id }), [await familyOf(theirs.access_token)]);
  for (const query of [
    { client_id: job.clientId, user_id: other.id },
    { client_id: 'nobody' },
    { user_id: 'no-uuid' },
    { user_id: crypto.randomUUID() },
  ])
    assert.deepEqual(await admin.token.list({ query }), { tokens: [], total: 0 });

  const { tokens, total } = await admin.user.tokens({ id: other.id });
  assert.deepEqual([tokens, total], [await list({ query: { user_id: other.id } }), 1]);
  for (const id of [crypto.randomUUID(), 'nobody'])
    refused(await server.adminRequest('GET', `/admin/users/${id}/tokens`), 'not_found');
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'client=x', 'user_id=', 'cursor=x', 'offset=-1']) {
    refused(await server.adminRequest('GET', `/admin/tokens?${query}`), 'invalid_request');
    if (!query.startsWith('user'))
      refused(await server.adminRequest('GET', `/admin/users/${other.id}/tokens?${query}`), 'invalid_request');
  }
});

test('both kinds are paged together: a page has its size, and pages by cursor and by offset are the same', async () => {
  for (let n = 0; n < 3; n += 1) {
    await machineToken();
    await app.authorize(wishes);
    await machineToken();
  }
  const whole = await list({ query: { limit: 1000 } });
  assert.ok(whole.length > 9);
  assert.deepEqual(
    whole.map(({ jti }) => jti),
    whole
      .map(({ jti }) => jti)
      .sort()
      .reverse(),
    'ids are in the order of time',
  );
  const sizes: number[] = [];
  const totals: (number | undefined)[] = [];
  const paged: typeof whole = [];
  for await (const { tokens, total } of pages(admin.token.list, { query: { limit: 4 } })) {
    sizes.push(tokens.length);
    totals.push(total);
    paged.push(...tokens);
  }
  assert.deepEqual(paged, whole);
  assert.deepEqual(sizes.slice(0, -1), new Array(sizes.length - 1).fill(4));
  assert.deepEqual(totals, [whole.length, ...new Array(sizes.length - 1).fill(undefined)]);
  for (let offset = 0; offset < whole.length; offset += 4) {
    const { tokens, total } = await admin.token.list({ query: { limit: 4, offset } });
    assert.deepEqual([tokens, total], [whole.slice(offset, offset + 4), whole.length]);
  }
});

test('a revoked family is dead on every pod at once, with its access tokens, and is audited', async () => {
  const first = await app.authorize(wishes);
  const refreshed = ok(await app.refresh(first.refresh_token));
  const jti = await familyOf(first.access_token);
  const { audit, changes } = await traceOf(server, () => admin.token.revoke({ jti }));
  assert.deepEqual(await active(first.access_token), [false, false]);
  assert.deepEqual(await active(refreshed.access_token), [false, false]);
  for (const pod of [0, 1]) denied(await app.refresh(refreshed.refresh_token, {}, pod), 'invalid_grant');
  assert.deepEqual(changes, [{ kind: 'revocation', key: jti }]);
  assert.deepEqual(
    audit.map(({ action, client_id, details }) => [action, client_id, details.family, details.jti, details.user_id]),
    [['token.revoked', app.clientId, jti, undefined, user.id]],
  );
  const [listed] = (await list({ query: { user_id: user.id } })).filter((token) => token.jti === jti);
  assert.equal(listed?.status, 'revoked', 'a family stays listed');
});

test('a revoked machine token is dead on every pod at once and no longer listed; its sisters live', async () => {
  const [token, sister] = [await machineToken(), await machineToken()];
  const jti = jtiOf(token);
  const { audit, changes } = await traceOf(server, () => admin.token.revoke({ jti }));
  assert.deepEqual(
    [await active(token), await active(sister)],
    [
      [false, false],
      [true, true],
    ],
  );
  assert.deepEqual(changes, [{ kind: 'revocation', key: jti }]);
  assert.deepEqual(
    audit.map(({ action, client_id, details }) => [action, client_id, details.jti, details.family]),
    [['token.revoked', job.clientId, jti, undefined]],
  );
  assert.ok(!(await list()).some((listed) => listed.jti === jti));
});

test('one access token of a family can be revoked by its jti; the family goes on', async () => {
  const first = await app.authorize(wishes);
  await admin.token.revoke({ jti: jtiOf(first.access_token) });
  assert.deepEqual(await active(first.access_token), [false, false]);
  assert.deepEqual(await active(ok(await app.refresh(first.refresh_token)).access_token), [true, true]);
});

test('what was never issued is not found; what is revoked already is as good as done and leaves no trace', async () => {
  const first = await app.authorize(wishes);
  const [family, token] = [await familyOf(first.access_token), jtiOf(await machineToken())];
  await admin.token.revoke({ jti: family });
  await admin.token.revoke({ jti: token });
  const trace = await traceOf(server, async () => {
    for (const jti of [family, token])
      assert.equal((await server.adminRequest('DELETE', `/admin/tokens/${jti}`)).status, 204);
    for (const jti of [crypto.randomUUID(), 'nobody', family.toUpperCase(), user.id])
      refused(await server.adminRequest('DELETE', `/admin/tokens/${encodeURIComponent(jti)}`), 'not_found');
  });
  assert.deepEqual(trace, nothing);
});

test('an expired machine token is not listed, an expired family says so', async () => {
  const token = jtiOf(await machineToken());
  const family = await familyOf((await app.authorize(wishes)).access_token);
  await server.sql(`update issuances set expires_at = now() - interval '1 second' where id = $1`, [token]);
  await server.sql(`update token_families set expires_at = now() - interval '1 second' where id = $1`, [family]);
  const listed = await list({ query: { limit: 1000 } });
  assert.ok(!listed.some(({ jti }) => jti === token));
  assert.equal(listed.find(({ jti }) => jti === family)?.status, 'expired');
});

test('the status of a family tells what a refresh would find, whatever ended it', async () => {
  const someone = await server.user();
  const statusAfter = async (end: (made: { clientId: string; consent: string }) => Promise<unknown>) => {
    const mine = await server.client();
    await mine.authorize({ ...wishes, user: someone });
    const [consent] = (await admin.grant.listUserGrants({ id: someone.id })).consent_grants;
    assert.equal((await admin.user.tokens({ id: someone.id })).tokens[0]?.status, 'active');
    await end({ clientId: mine.clientId, consent: String(consent?.id) });
    return (await admin.user.tokens({ id: someone.id })).tokens[0]?.status;
  };
  assert.equal(await statusAfter(({ consent }) => admin.grant.revokeConsent({ id: consent })), 'revoked');
  assert.equal(await statusAfter(({ clientId }) => admin.client.suspend({ id: clientId })), 'revoked');
  assert.equal(await statusAfter(({ clientId }) => admin.client.revoke({ id: clientId })), 'revoked');
  assert.equal(await statusAfter(() => admin.user.forceLogout({ id: someone.id })), 'revoked');
  assert.equal(await statusAfter(() => admin.user.disable({ id: someone.id })), 'revoked');
});

test('the statistics count what was really ended, as introspection sees it', async () => {
  const brute = async () => {
    const [row] = await server.sql<{ ended: number; issued: number }>(
      `select count(*) filter (where issuance_ended(i))::int as ended, count(*)::int as issued from issuances i
        where id >= uuidv7_floor(now() - interval '24 hours')`,
    );
    return row;
  };
  const agree = async (what: string) => {
    const { revoked_tokens, active_tokens_24h, clients, users, connections } = await admin.system.stats();
    const counted = await brute();
    assert.deepEqual([revoked_tokens, active_tokens_24h + revoked_tokens], [counted?.ended, counted?.issued], what);
    const [rows] = await server.sql(
      'select (select count(*) from clients)::int as clients, (select count(*) from users)::int as users',
    );
    assert.deepEqual({ clients, users }, rows);
    assert.equal(connections, 0);
    return revoked_tokens;
  };
  let before = await agree('at first');
  const endings: [string, (made: { clientId: string; userId: string; token: string }) => Promise<unknown>][] = [
    ['its own revocation', ({ token }) => admin.token.revoke({ jti: jtiOf(token) })],
    ['its family', async ({ token }) => admin.token.revoke({ jti: await familyOf(token) })],
    ['its client suspended', ({ clientId }) => admin.client.suspend({ id: clientId })],
    ['its client revoked', ({ clientId }) => admin.client.revoke({ id: clientId })],
    ['its client deleted', ({ clientId }) => admin.client.delete({ id: clientId, query: { force: 'true' } })],
    ['its user logged out', ({ userId }) => admin.user.forceLogout({ id: userId })],
    ['its user disabled', ({ userId }) => admin.user.disable({ id: userId })],
    ['its user deleted', ({ userId }) => admin.user.delete({ id: userId, query: { force: 'true' } })],
    [
      'its consent',
      async ({ userId }) => {
        const [consent] = (await admin.grant.listUserGrants({ id: userId })).consent_grants;
        await admin.grant.revokeConsent({ id: String(consent?.id) });
      },
    ],
  ];
  for (const [what, end] of endings) {
    const [someone, mine] = [await server.user(), await server.client()];
    const { access_token } = await mine.authorize({ ...wishes, user: someone });
    assert.equal(await agree(`${what}: issued`), before);
    await end({ clientId: mine.clientId, userId: someone.id, token: access_token });
    const now = await agree(what);
    assert.equal(now, before + 1, what);
    before = now;
  }

  const place = await server.resource();
  const mine = await server.client();
  await mine.authorize({ user, resource: place.uri, scope: 'tools/read' });
  ok(await job.clientCredentials({ resource: place.uri, scope: 'tools/read' }));
  await agree('a resource in use');
  await admin.resource.delete({ id: place.id });
  assert.equal(await agree('a resource deleted'), before + 2);
});
