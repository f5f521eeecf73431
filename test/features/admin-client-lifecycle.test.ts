import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { denied, ok, TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true, pods: 2 });
const { admin } = server;
const user = await server.user();
const guard = await server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'] });
const resource = await server.resource({ runtimeClients: [guard.clientId] });
const confidential = { authMethod: 'client_secret_basic' as const };
const machine = () => server.client({ ...confidential, grantTypes: ['client_credentials'], ceiling: ['tools/read'] });
const forResource = { resource: resource.uri, scope: 'tools/read' };
const active = async (token: string) =>
  Promise.all([0, 1].map(async (pod) => ok(await guard.introspect(token, pod)).active));
const patch = (id: string, verb: string) => server.adminRequest('PATCH', `/admin/clients/${id}/${verb}`);
const onBothPods = (what: string, holds: (pod: number) => Promise<boolean>) =>
  soon(what, async () => (await Promise.all([0, 1].map(holds))).every(Boolean));

test('the states of a client: every allowed move, and every other one is a conflict without a trace', async () => {
  const moves = { suspend: 'suspended', reactivate: 'active', revoke: 'revoked' } as const;
  const allowed: Record<string, (keyof typeof moves)[]> = {
    active: ['suspend', 'revoke'],
    suspended: ['reactivate', 'revoke'],
    revoked: [],
  };
  for (const from of ['active', 'suspended', 'revoked'])
    for (const [verb, to] of Object.entries(moves) as [keyof typeof moves, string][]) {
      const { clientId } = await server.client();
      if (from === 'suspended') await admin.client.suspend({ id: clientId });
      if (from === 'revoked') await admin.client.revoke({ id: clientId });
      if (allowed[from]?.includes(verb)) {
        const answer = await patch(clientId, verb);
        assert.deepEqual([answer.status, answer.body], [200, { status: to }], `${from} ${verb}`);
        assert.equal((await admin.client.get({ id: clientId })).status, to);
      } else {
        const trace = await traceOf(server, async () => {
          assert.match(refused(await patch(clientId, verb), 'conflict'), new RegExp(from), `${from} ${verb}`);
        });
        assert.deepEqual(trace, nothing);
        assert.equal((await admin.client.get({ id: clientId })).status, from);
      }
    }
});

test('of ten at once, one suspends', async () => {
  const { clientId } = await server.client();
  const answers = await Promise.all(Array.from({ length: 10 }, () => patch(clientId, 'suspend')));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(9).fill(409)]);
});

test('a suspended client gets nothing, on both pods; reactivated it goes on with what it had', async () => {
  const app = await server.client(confidential);
  const tokens = await app.authorize({ user, ...forResource });
  await admin.client.suspend({ id: app.clientId });
  await onBothPods('suspension', async (pod) => (await app.introspect('x', pod)).status === 401);
  denied(await app.refresh(tokens.refresh_token), 'invalid_client');
  denied(await app.refresh(tokens.refresh_token, {}, 1), 'invalid_client');
  assert.deepEqual(await active(tokens.access_token), [false, false]);
  await admin.client.reactivate({ id: app.clientId });
  await onBothPods('reactivation', async (pod) => (await app.introspect('x', pod)).status === 200);
  assert.deepEqual(await active(tokens.access_token), [true, true]);
  ok(await app.refresh(tokens.refresh_token));
});

test('revoking a client ends its families and every token at once, for good', async () => {
  const app = await server.client();
  const job = await machine();
  const tokens = await app.authorize({ user, ...forResource });
  const { access_token } = ok(await job.clientCredentials(forResource));
  assert.deepEqual(await active(tokens.access_token), [true, true]);
  await admin.client.revoke({ id: app.clientId });
  await admin.client.revoke({ id: job.clientId });
  assert.deepEqual(await active(tokens.access_token), [false, false]);
  assert.deepEqual(await active(access_token), [false, false]);
  await onBothPods('revocation', async (pod) => (await job.clientCredentials(forResource, pod)).status === 401);
  denied(await app.refresh(tokens.refresh_token), 'invalid_client');
  const [family] = await server.sql('select revoked_reason from token_families where client_id = $1', [app.clientId]);
  assert.equal(family?.revoked_reason, 'client_revoked');
});

test('rotating a secret ends the old one on both pods, and only the answer has the new one', async () => {
  const job = await machine();
  ok(await job.clientCredentials(forResource));
  ok(await job.clientCredentials(forResource, 1));
  const rotated = await admin.client.rotateSecret({ id: job.clientId });
  assert.equal(rotated.client_id, job.clientId);
  assert.notEqual(rotated.client_secret, job.clientSecret);
  await onBothPods('the old secret', async (pod) => (await job.clientCredentials(forResource, pod)).status === 401);
  const renewed = new TestApp(
    server.pods.map(({ url }) => url),
    {
      ...job,
      clientId: job.clientId,
      clientSecret: rotated.client_secret,
      authMethod: job.authMethod,
      redirectUris: [],
    },
  );
  for (const pod of [0, 1]) {
    ok(await renewed.clientCredentials(forResource, pod));
    denied(await job.clientCredentials(forResource, pod), 'invalid_client');
  }
  assert.equal((await server.sql('select 1 from client_secrets where client_id = $1', [job.clientId])).length, 1);
});

test('a public client has no secret to rotate', async () => {
  const { clientId } = await server.client();
  const trace = await traceOf(server, async () =>
    assert.match(
      refused(await server.adminRequest('POST', `/admin/clients/${clientId}/rotate-secret`), 'invalid_request'),
      /public/,
    ),
  );
  assert.deepEqual(trace, nothing);
});

test('a narrowed ceiling cuts the next refresh', async () => {
  const app = await server.client({ ceiling: ['tools/read', 'tools/write'] });
  const tokens = await app.authorize({ user, resource: resource.uri, scope: 'tools/read tools/write' });
  await admin.client.update({ id: app.clientId, body: { scope: 'tools/read' } });
  let refreshToken = tokens.refresh_token;
  await soon('the ceiling', async () => {
    const renewed = ok(await app.refresh(refreshToken));
    refreshToken = renewed.refresh_token;
    return renewed.scope === 'tools/read';
  });
});

test('a removed redirect URI is refused on both pods', async () => {
  const app = await server.client({ redirectUris: ['https://app.example.com/old'] });
  assert.equal((await app.start()).status, 303);
  await admin.client.update({ id: app.clientId, body: { redirect_uris: ['https://app.example.com/new'] } });
  await soon('the redirect URI', async () => (await app.start()).status === 400);
});

test('a client with nothing live is deleted without force, and is gone', async () => {
  const { clientId } = await server.client();
  const answer = await server.adminRequest('DELETE', `/admin/clients/${clientId}`);
  assert.deepEqual([answer.status, answer.body], [204, { text: '' }]);
  refused(await server.adminRequest('GET', `/admin/clients/${clientId}`), 'not_found');
  refused(await server.adminRequest('DELETE', `/admin/clients/${clientId}`), 'not_found');
});

for (const [kind, start] of Object.entries({
  'a refresh token family': async () => {
    const app = await server.client();
    return { app, token: (await app.authorize({ user, ...forResource })).access_token };
  },
  'a machine token': async () => {
    const app = await machine();
    return { app, token: ok(await app.clientCredentials(forResource)).access_token };
  },
}))
  test(`a client that holds ${kind} is deleted only with force=true, and takes its tokens along`, async () => {
    const { app, token } = await start();
    const path = `/admin/clients/${app.clientId}`;
    const trace = await traceOf(server, async () => {
      for (const query of ['', '?force=false'])
        assert.match(refused(await server.adminRequest('DELETE', path + query), 'conflict'), /force=true/);
      for (const query of ['?force=1', '?force=TRUE', '?force=', '?force=true&force=true'])
        refused(await server.adminRequest('DELETE', path + query), 'invalid_request');
    });
    assert.deepEqual(trace, nothing);
    assert.deepEqual(await active(token), [true, true], 'a refused deletion ends nothing');

    assert.equal((await server.adminRequest('DELETE', `${path}?force=true`)).status, 204);
    assert.deepEqual(await active(token), [false, false]);
    await onBothPods('deletion', async (pod) => (await app.token({ grant_type: 'refresh_token' }, pod)).status === 401);
    assert.equal(
      (await server.sql('select 1 from issuances where client_id = $1', [app.clientId])).length,
      1,
      'evidence',
    );
  });

test('what has ended does not stand in the way of a deletion', async () => {
  const app = await server.client();
  const tokens = await app.authorize({ user, ...forResource });
  ok(await app.revoke(tokens.refresh_token));
  const job = await machine();
  ok(await job.revoke(ok(await job.clientCredentials(forResource)).access_token));
  for (const { clientId } of [app, job]) await admin.client.delete({ id: clientId });
});
