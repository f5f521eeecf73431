/** What becomes of assertions, and of the tokens they became, when operators change what those rest on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { assertingClient, trade, trustIdp } from '../support/id-jag.ts';
import { startIdentityProviders } from '../support/identity-provider.ts';
import { denied, ok, type TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2, admin: true });
const { admin } = server;
const providers = await startIdentityProviders();
const { uri } = await server.resource();
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
  // Policies and mappings are asked when a token is made; what was made then is good for its time.
  await admin.subjectMapping.delete({ id: world.mapping.id });
  assert.equal(await isActive(world.app, another.access_token), true);
  assert.equal(
    decodeJwt(ok(await trade(world.app, await world.assertion())).access_token).sub,
    `${world.idp.issuer}:00u1`,
  );
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

test('a change that forbids nothing is our own trouble: the client comes again with the same assertion', async () => {
  const world = await newWorld();
  ok(await trade(world.app, await world.assertion()));
  await server.sql('update trusted_idps set version = version + 1 where id = $1', [world.idp.id]);
  const assertion = await world.assertion();
  const answer = await trade(world.app, assertion);
  denied(answer, 'temporarily_unavailable', 503);
  assert.ok(answer.headers.get('retry-after'));
  ok(await trade(world.app, assertion));
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
      issuance: { ...issuance, id: issuance.id.replace(/.$/, String(n)) },
      ...changes,
    });
  for (const mappedTo of ['', 'nobody', crypto.randomUUID()]) assert.equal(await redeem({ mappedTo }, 1), 'moved');
  assert.equal(await redeem({ rules: 'older' }, 1), 'moved');
  assert.equal(await redeem({ usableUntil: new Date(Date.now() - 1) }, 1), 'replayed');
  const [one, two] = await Promise.all([redeem({}, 1), redeem({}, 2)]);
  assert.deepEqual([one, two].sort(), ['done', 'replayed']);
  assert.equal(await redeem({}, 3), 'replayed');
});
