import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });

const newWorld = async () => ({
  app: await server.client(),
  user: await server.user(),
  resource: await server.resource(),
});
type World = Awaited<ReturnType<typeof newWorld>>;

const withoutScopes = ({ resource }: World, ...gone: string[]) =>
  server.change('resource', resource.id, async (tx) => {
    const held = await tx.resources.find(resource.id);
    assert.ok(held);
    await tx.resources.update({ ...held, scopes: held.scopes.filter(({ name }) => !gone.includes(name)) });
  });

/** What may happen between two requests of a client, and what it is told then. */
const changes: Record<string, [code: string, change: (world: World) => Promise<unknown>]> = {
  'the user was disabled': ['invalid_grant', ({ user }) => server.store.users.setStatus(user.id, 'disabled')],
  'the user was deleted': ['invalid_grant', ({ user }) => server.store.users.delete(user.id)],
  'everything of the user was ended': ['invalid_grant', ({ user }) => server.store.users.moveEpoch(user.id)],
  'the consent was revoked': [
    'invalid_grant',
    async ({ user }) => {
      const [grant] = await server.store.consentGrants.listOfUser(user.id);
      assert.ok(grant);
      await server.store.consentGrants.revoke(grant.id, server.clock.now());
    },
  ],
  'the client was suspended': [
    'invalid_client',
    ({ app }) =>
      server.change('client', app.clientId, (tx) => tx.clients.setStatus(app.clientId, ['active'], 'suspended')),
  ],
  'the client was deleted': [
    'invalid_client',
    ({ app }) => server.change('client', app.clientId, (tx) => tx.clients.delete(app.clientId)),
  ],
  'the resource was deleted': [
    'invalid_grant',
    ({ resource }) => server.change('resource', resource.id, (tx) => tx.resources.delete(resource.id)),
  ],
};

const issued = async ({ app }: World) =>
  (await server.sql('select 1 from issuances where client_id = $1', [app.clientId])).length;

for (const [name, [code, change]] of Object.entries(changes)) {
  test(`a code is worth nothing after ${name} (RFC 6749 §4.1.2) [threat A10]`, async () => {
    const world = await newWorld();
    const grant = await world.app.code({ user: world.user, resource: world.resource.uri });
    await change(world);
    denied(await world.app.redeem(grant, {}, 1), code);
    assert.equal(await issued(world), 0);
  });

  test(`a refresh token is worth nothing after ${name} (RFC 9700 §4.14.2) [O21-51] [threat D07]`, async () => {
    const world = await newWorld();
    const tokens = await world.app.authorize({ user: world.user, resource: world.resource.uri });
    await change(world);
    denied(await world.app.refresh(tokens.refresh_token, {}, 1), code);
    assert.equal(await issued(world), 1);
  });
}

test('a code for a scope that left the catalog is worth nothing (RFC 6749 §4.1.2) [threat A10]', async () => {
  const world = await newWorld();
  const grant = await world.app.code({ user: world.user, resource: world.resource.uri });
  await withoutScopes(world, 'tools/write');
  denied(await world.app.redeem(grant, {}, 1), 'invalid_grant');
  assert.equal(await issued(world), 0);
});

test('a refresh loses what left the catalog, and ends when nothing is left (RFC 9700 §4.14.2) [threat D07]', async () => {
  const world = await newWorld();
  const first = await world.app.authorize({ user: world.user, resource: world.resource.uri });
  assert.equal(first.scope, 'tools/read tools/write');
  await withoutScopes(world, 'tools/write');
  const second = ok(await world.app.refresh(first.refresh_token, {}, 1));
  assert.equal(second.scope, 'tools/read');
  assert.equal(decodeJwt(second.access_token).scope, 'tools/read');
  await withoutScopes(world, 'tools/read', 'tools/write');
  denied(await world.app.refresh(second.refresh_token), 'invalid_scope');
});

test('a lowered ceiling cuts what a refresh gets (RFC 6749 §6)', async () => {
  const world = await newWorld();
  const first = await world.app.authorize({ user: world.user, resource: world.resource.uri });
  await server.change('client', world.app.clientId, async (tx) => {
    const client = await tx.clients.find(world.app.clientId);
    assert.ok(client);
    await tx.clients.update({ ...client, ceiling: ['tools/write'] });
  });
  assert.equal(ok(await world.app.refresh(first.refresh_token, {}, 1)).scope, 'tools/write');
});
