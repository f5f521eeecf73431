/** What becomes of assertions, and of the tokens they became, when operators change what those rest on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourceKey } from '@authserver/oauth';
import { decodeJwt } from 'jose';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { assertingClient, trade, trustIdp } from '../support/id-jag.ts';
import { startIdentityProviders } from '../support/identity-provider.ts';
import { denied, ok, type TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2, admin: true });
const { admin } = server;
const providers = await startIdentityProviders();
const gateway = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['urn:ietf:params:oauth:grant-type:token-exchange'],
});
const front = await server.resource({ runtimeClients: [gateway.clientId] });
const { uri } = front;
const behind = await server.resource();
await server.link(front, behind, { 'tools/read': ['tools/read'] });
const applied = () => new Promise((resolve) => setTimeout(resolve, 60));

/** An identity provider, a client and a person with an account, apart from those of other tests. */
const newWorld = async () => {
  const [idp, app, user] = [await trustIdp(server, providers), await assertingClient(server), await server.user()];
  const mapping = await admin.subjectMapping.create({
    body: { idp_id: idp.id, idp_subject: '00u1', local_user_id: user.id },
  });
  const claims = { resource: uri, scope: 'tools/read' };
  const assertion = () => idp.assertion(app.clientId, { claims });
  return { idp, app, user, mapping, assertion };
};
type World = Awaited<ReturnType<typeof newWorld>>;

const isActive = async (app: TestApp, token: string, pod = 1): Promise<unknown> =>
  (await app.introspect(token, pod)).body.active;
const written = async ({ app }: World) =>
  (await server.sql('select 1 from issuances where client_id = $1', [app.clientId])).length;

const ends: Record<string, [code: string, status: number, change: (world: World) => Promise<unknown>]> = {
  'the account was disabled': ['invalid_grant', 400, ({ user }) => admin.user.disable({ id: user.id })],
  'the account was deleted': [
    'invalid_grant',
    400,
    ({ user }) => admin.user.delete({ id: user.id, query: { force: 'true' } }),
  ],
  'the identity provider was disabled': [
    'invalid_grant',
    400,
    ({ idp }) => admin.idp.update({ id: idp.id, body: { enabled: false } }),
  ],
  'the identity provider was deleted': [
    'invalid_grant',
    400,
    ({ idp }) => admin.idp.delete({ id: idp.id, query: { cascade: 'true' } }),
  ],
  'the client was suspended': ['invalid_client', 401, ({ app }) => admin.client.suspend({ id: app.clientId })],
};
for (const [name, [code, status, change]] of Object.entries(ends))
  test(`when ${name} assertions are refused and tokens are dead, on every pod [threat I02 I13]`, async () => {
    const world = await newWorld();
    const { access_token } = ok(await trade(world.app, await world.assertion()));
    assert.equal(decodeJwt(access_token).sub, world.user.id);
    assert.equal(await isActive(world.app, access_token), true);
    await change(world);
    await applied();
    for (const pod of [0, 1]) denied(await trade(world.app, await world.assertion(), {}, pod), code, status);
    const { jti } = decodeJwt(access_token);
    assert.equal((await admin.issuance.get({ id: String(jti) })).status, 'revoked');
    if (code === 'invalid_grant') assert.equal(await isActive(world.app, access_token), false);
    assert.equal(await written(world), 1);
  });

test('a token can be revoked by its client, and ends with what it came from nowhere else [EMA-18]', async () => {
  const world = await newWorld();
  const { access_token } = ok(await trade(world.app, await world.assertion()));
  const another = ok(await trade(world.app, await world.assertion()));
  assert.equal((await world.app.revoke(access_token)).status, 200);
  assert.equal(await isActive(world.app, access_token), false);
  assert.equal(await isActive(world.app, another.access_token), true);
});

type Policy = Parameters<typeof admin.xaaPolicy.update>[0]['body'];
const policyOf = async ({ idp }: World) => {
  const [policy] = await admin.xaaPolicy.list({ query: { idp_id: idp.id } });
  return policy?.id ?? '';
};
const changePolicy = (body: Policy) => async (world: World) =>
  void (await admin.xaaPolicy.update({ id: await policyOf(world), body }));
const addPolicy =
  (body: object) =>
  async ({ idp }: World) =>
    void (await admin.xaaPolicy.create({ body: { idp_id: idp.id, priority: 1, ...body } as never }));
const remap =
  (local_user_id: string | null) =>
  async ({ mapping }: World) =>
    void (await admin.subjectMapping.update({ id: mapping.id, body: { local_user_id } }));
const elsewhere = await server.resource();
const stranger = await assertingClient(server);
const loud = uri.replace(/^https:..[^/]+/, (origin) => origin.toUpperCase());

/** What operators may do to the rules a token was given by, and whether it would still be given. */
const rules: Record<string, [change: (world: World) => Promise<unknown>, stands: boolean]> = {
  'the policy is deleted': [async (world) => admin.xaaPolicy.delete({ id: await policyOf(world) }), false],
  'the policy is disabled': [changePolicy({ enabled: false }), false],
  'the policy allows other scopes': [changePolicy({ scopes: ['tools/write'] }), false],
  'the policy allows no scope': [changePolicy({ scopes: [] }), false],
  'the policy is about another client': [changePolicy({ client_ids: [stranger.clientId] }), false],
  'the policy is about another resource': [changePolicy({ resources: [elsewhere.uri] }), false],
  'a policy that is asked before forbids it': [addPolicy({ scopes: [] }), false],
  'a policy that is asked before forbids others': [addPolicy({ scopes: [], client_ids: [stranger.clientId] }), true],
  'a policy that is asked later forbids it': [addPolicy({ scopes: [], priority: 101 }), true],
  'the policy is narrowed around it': [
    (world) => changePolicy({ scopes: ['tools/read'], client_ids: [world.app.clientId], resources: [loud] })(world),
    true,
  ],
  'the policy gets another name': [changePolicy({ name: 'Renamed' }), true],
  'the mapping is deleted': [({ mapping }) => admin.subjectMapping.delete({ id: mapping.id }), false],
  'the subject is somebody else': [async (world) => remap((await server.user()).id)(world), false],
  'the subject has no account': [remap(null), false],
};
for (const [name, [change, stands]] of Object.entries(rules))
  test(`when ${name}, a token ${stands ? 'stands' : 'ends with all that came of it'}, on every pod [threat I02 I13]`, async () => {
    const world = await newWorld();
    const { access_token } = ok(await trade(world.app, await world.assertion()));
    const child = ok(await gateway.exchange(access_token, { resource: behind.uri })).access_token;
    await change(world);
    for (const pod of [0, 1]) {
      assert.equal(await isActive(world.app, access_token, pod), stands);
      assert.equal(await isActive(gateway, child, pod), stands);
    }
    const again = await gateway.exchange(access_token, { resource: behind.uri });
    if (stands) ok(again);
    else denied(again, 'invalid_request');
    const { status } = await admin.issuance.get({ id: String(decodeJwt(access_token).jti) });
    assert.equal(status, stands ? 'active' : 'revoked');
  });

test('what a narrower policy ends comes back with the wider one, and is counted as ended meanwhile', async () => {
  const world = await newWorld();
  const { access_token } = ok(await trade(world.app, await world.assertion()));
  const yesterday = new Date(Date.now() - 24 * 3600 * 1000);
  const before = await server.store.issuances.countEndedSince(yesterday);
  await changePolicy({ scopes: ['tools/write'] })(world);
  assert.equal(await isActive(world.app, access_token), false);
  assert.equal(await server.store.issuances.countEndedSince(yesterday), before + 1);
  await changePolicy({ scopes: null })(world);
  assert.equal(await isActive(world.app, access_token), true);
  assert.equal(await server.store.issuances.countEndedSince(yesterday), before);
});

test('a subject that nobody had mapped ends with the account it gets, and not with the word that it has none', async () => {
  const world = await newWorld();
  await admin.subjectMapping.delete({ id: world.mapping.id });
  const { access_token } = ok(await trade(world.app, await world.assertion()));
  assert.equal(decodeJwt(access_token).sub, `${world.idp.issuer}:00u1`);
  const mapping = await admin.subjectMapping.create({ body: { idp_id: world.idp.id, idp_subject: '00u1' } });
  assert.equal(await isActive(world.app, access_token), true);
  await admin.subjectMapping.update({ id: mapping.id, body: { local_user_id: world.user.id } });
  assert.equal(await isActive(world.app, access_token), false);
});

test('each resource of a token has its own policy, and a token for the server itself one about all', async () => {
  const world = await newWorld();
  const { idp, app } = world;
  const two = await idp.assertion(app.clientId, { claims: { resource: [uri, elsewhere.uri], scope: 'tools/read' } });
  const both = ok(await trade(app, two)).access_token;
  const own = ok(await trade(app, await idp.assertion(app.clientId, { claims: { scope: 'tools/read' } }))).access_token;
  await addPolicy({ scopes: ['tools/write'], resources: [elsewhere.uri] })(world);
  assert.equal(await isActive(app, both), false);
  assert.equal(await isActive(app, own), true);
  await addPolicy({ scopes: ['tools/write'], priority: 2 })(world);
  assert.equal(await isActive(app, own), false);
});

test('the database compares resources as we do', async () => {
  for (const one of [
    ...[uri, loud, 'HTTPS://Mcp.Example.com', 'https://mcp.example.com/', 'https://mcp.example.com?a=B', 'urn:a:b'],
    ...[
      'https://mcp.example.com/A?b',
      'https://mcp.example.com:8443/x',
      'https://me@mcp.example.com/',
      'https://a/#b',
      '',
    ],
  ]) {
    const [row] = await server.sql<{ key: string | null }>('select resource_key($1) as key', [one]);
    assert.equal(row?.key ?? undefined, resourceKey(one), one);
  }
});

test('an identity provider that is trusted again has its tokens back', async () => {
  const world = await newWorld();
  const { access_token } = ok(await trade(world.app, await world.assertion()));
  await admin.idp.update({ id: world.idp.id, body: { enabled: false } });
  assert.equal(await isActive(world.app, access_token), false);
  await admin.idp.update({ id: world.idp.id, body: { enabled: true } });
  assert.equal(await isActive(world.app, access_token), true);
});

test('a policy that changed unheard of decides all the same, and the assertion is not spent (decision 0027)', async () => {
  const world = await newWorld();
  ok(await trade(world.app, await world.assertion()));
  // Written past the change feed: the pod goes by what it knew, and the statement that commits does not.
  const policy = async (scopes: string[] | null) =>
    server.sql('update xaa_policies set scopes = $2, version = version + 1 where idp_id = $1', [world.idp.id, scopes]);
  await policy([]);
  const assertion = await world.assertion();
  denied(await trade(world.app, assertion), 'access_denied', 403);
  assert.equal(await written(world), 1);
  await policy(null);
  // This pod knows the refusal by now; an operator's change would have told it.
  await admin.idp.update({ id: world.idp.id, body: { name: 'Again' } });
  const isHeard = async () => (await trade(world.app, await world.assertion())).status === 200;
  await soon('it is heard of', isHeard, 5000);
  ok(await trade(world.app, assertion));
});

test('a change that forbids nothing costs the client nothing', async () => {
  const world = await newWorld();
  ok(await trade(world.app, await world.assertion()));
  await server.sql('update trusted_idps set version = version + 1 where id = $1', [world.idp.id]);
  const assertion = await world.assertion();
  ok(await trade(world.app, assertion));
  denied(await trade(world.app, assertion), 'invalid_grant');
});

test('what a person is mapped to is compared where the assertion is spent', async () => {
  const world = await newWorld();
  const { access_token } = ok(await trade(world.app, await world.assertion()));
  const [held] = await server.sql<{ id: string }>('select * from issuances where id = $1', [
    decodeJwt(access_token).jti,
  ]);
  const issuance = await server.store.issuances.find(String(held?.id));
  const [trust] = (await server.store.trust.all()).filter(({ id }) => id === world.idp.id);
  assert.ok(issuance && trust);
  const redeem = (changes: object, n: number) =>
    server.store.assertions.redeem({
      ...{ issuer: world.idp.issuer, jti: 'by-hand', usableUntil: new Date(Date.now() + 60_000), idpId: world.idp.id },
      ...{ rules: trust.rules, idpSubject: '00u1', mappedTo: world.user.id },
      issuance: { ...issuance, id: `${issuance.id.slice(0, 24)}${String(n).padStart(12, '0')}` },
      ...changes,
    });
  for (const mappedTo of ['', 'nobody', crypto.randomUUID()]) assert.equal(await redeem({ mappedTo }, 1), 'moved');
  assert.equal(await redeem({ rules: 'older' }, 1), 'moved');
  assert.equal(await redeem({ usableUntil: new Date(Date.now() - 1) }, 1), 'replayed');
  const [one, two] = await Promise.all([redeem({}, 1), redeem({}, 2)]);
  assert.deepEqual([one, two].sort(), ['done', 'replayed']);
  assert.equal(await redeem({}, 3), 'replayed');
});
