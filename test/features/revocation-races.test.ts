import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Repositories } from '@authserver/store';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const resource = await server.resource();

/** A revocation that has begun and commits a moment later, as an operator's does while requests go on. */
const whileRevoking = async <T>(
  revoke: (tx: Repositories) => Promise<unknown>,
  request: () => Promise<T>,
): Promise<T> => {
  let answer: Promise<T> | undefined;
  await server.store.transaction(async (tx) => {
    await revoke(tx);
    answer = request();
    await new Promise((resolve) => setTimeout(resolve, 150));
  });
  return answer as Promise<T>;
};

const everythingOf = (userId: string) => (tx: Repositories) => tx.users.moveEpoch(userId);
const consentsOf = (userId: string) => async (tx: Repositories) => {
  for (const grant of await tx.consentGrants.listOfUser(userId))
    await tx.consentGrants.revoke(grant.id, server.clock.now());
};
const disabling = (userId: string) => (tx: Repositories) => tx.users.setStatus(userId, 'disabled');

for (const [what, revoke] of Object.entries({
  'the user': everythingOf,
  'the consent': consentsOf,
  'a disabled user': disabling,
})) {
  test(`a code redeemed while a revocation of ${what} is under way gives nothing`, async () => {
    const user = await server.user();
    const app = await server.client();
    const grant = await app.code({ user, scope: 'tools/read', resource: resource.uri });
    denied(await whileRevoking(revoke(user.id), () => app.redeem(grant, {}, 1)), 'invalid_grant');
    assert.equal((await server.sql('select 1 from token_families where user_id = $1', [user.id])).length, 0);
  });

  test(`a refresh while a revocation of ${what} is under way gives nothing`, async () => {
    const user = await server.user();
    const app = await server.client();
    const tokens = await app.authorize({ user, scope: 'tools/read', resource: resource.uri });
    denied(await whileRevoking(revoke(user.id), () => app.refresh(tokens.refresh_token, {}, 1)), 'invalid_grant');
    denied(await app.refresh(tokens.refresh_token), 'invalid_grant');
  });
}

test('a repeated refresh while a revocation is under way gives nothing', async () => {
  const user = await server.user();
  const app = await server.client();
  const tokens = await app.authorize({ user, scope: 'tools/read', resource: resource.uri });
  ok(await app.refresh(tokens.refresh_token));
  denied(await whileRevoking(everythingOf(user.id), () => app.refresh(tokens.refresh_token, {}, 1)), 'invalid_grant');
});

test('a code of a session that was ended a moment later is dead with the session', async () => {
  const user = await server.user();
  const app = await server.client();
  const grant = await app.code({ user, scope: 'tools/read', resource: resource.uri });
  await server.store.users.moveEpoch(user.id);
  denied(await app.redeem(grant), 'invalid_grant');
});

test('consent given again after a revocation starts afresh; what was issued before stays dead', async () => {
  const user = await server.user();
  const app = await server.client();
  const before = await app.authorize({ user, scope: 'tools/read', resource: resource.uri });
  await server.store.transaction(consentsOf(user.id));
  const again = await app.authorize({ user, scope: 'tools/read', resource: resource.uri });
  denied(await app.refresh(before.refresh_token), 'invalid_grant');
  ok(await app.refresh(again.refresh_token));
});

test('refreshes and operators who end things at the same time never wait for each other in a circle', async () => {
  for (let round = 0; round < 2; round += 1) {
    const user = await server.user();
    const apps = await Promise.all(Array.from({ length: 6 }, () => server.client()));
    const tokens = await Promise.all(
      apps.map((app) => app.authorize({ user, scope: 'tools/read', resource: resource.uri })),
    );
    const everything = async (tx: Repositories) => {
      await tx.users.moveEpoch(user.id);
      await new Promise((resolve) => setTimeout(resolve, 100)); // the refreshes are waiting for the user by now
      await tx.tokenFamilies.revokeAll({ userId: user.id }, 'force_logout', server.clock.now());
    };
    const [, ...answers] = await Promise.all([
      server.store.transaction(everything),
      ...apps.map((app, index) => app.refresh(tokens[index]?.refresh_token ?? '', {}, index % 2)),
    ]);
    for (const answer of answers) assert.ok([200, 400].includes(answer.status), JSON.stringify(answer.body));
    for (const [index, app] of apps.entries())
      denied(await app.refresh(tokens[index]?.refresh_token ?? ''), 'invalid_grant');
  }
});

test('while one person is being signed out everywhere, the requests of others on the same pod are served', async () => {
  const [held, other] = [await server.user(), await server.user()];
  const app = await server.client();
  const wishes = { scope: 'tools/read', resource: resource.uri };
  const [heldTokens, otherTokens] = [
    await app.authorize({ ...wishes, user: held }),
    await app.authorize({ ...wishes, user: other }),
  ];
  const [heldGrant, otherGrant] = [
    await app.code({ ...wishes, user: held }),
    await app.code({ ...wishes, user: other }),
  ];
  const waiting = await server.store.transaction(async (tx) => {
    await tx.users.moveEpoch(held.id);
    const refused = [app.refresh(heldTokens.refresh_token), app.redeem(heldGrant)];
    // Sent at the same moment, so they share their statements; this transaction goes on when they are answered.
    ok(await app.refresh(otherTokens.refresh_token));
    ok(await app.redeem(otherGrant));
    return refused;
  });
  for (const answer of await Promise.all(waiting)) denied(answer, 'invalid_grant');
});

test('requests that share a statement are decided each by itself', async () => {
  const app = await server.client({ authMethod: 'client_secret_basic' });
  const wishes = { scope: 'tools/read', resource: resource.uri };
  const people = await Promise.all(Array.from({ length: 8 }, () => server.user()));
  const tokens = await Promise.all(people.map((user) => app.authorize({ ...wishes, user })));
  const codes = await Promise.all(people.map((user) => app.code({ ...wishes, user })));
  for (const user of people.slice(0, 3)) await server.store.users.moveEpoch(user.id);
  const refreshes = await Promise.all(tokens.map(({ refresh_token: token }) => app.refresh(token)));
  const redemptions = await Promise.all(codes.map((grant) => app.redeem(grant)));
  for (const answers of [refreshes, redemptions])
    assert.deepEqual(
      answers.map(({ status }) => status),
      people.map((_, index) => (index < 3 ? 400 : 200)),
    );
  const successors = refreshes.slice(3).map(({ body }) => body.refresh_token);
  assert.equal(new Set(successors).size, 5);
  for (const token of successors) ok(await app.refresh(token));
  const active = await Promise.all(redemptions.slice(3).map(({ body }) => app.introspect(body.access_token)));
  assert.deepEqual(
    active.map(({ body }) => body.sub),
    people.slice(3).map(({ id }) => id),
  );
});

const suspending = (clientId: string) => (tx: Repositories) => tx.clients.setStatus(clientId, ['active'], 'suspended');
/** As the admin API revokes a client. */
const revoking = (clientId: string) => async (tx: Repositories) => {
  await tx.consentGrants.revokeAllOfClient(clientId, server.clock.now());
  await tx.tokenFamilies.revokeAll({ clientId }, 'client_revoked', server.clock.now());
  await tx.clients.setStatus(clientId, ['active'], 'revoked');
};

test('a client that was suspended gets nothing, also on a pod that has not heard of it yet', async () => {
  const user = await server.user();
  const app = await server.client();
  const wishes = { user, scope: 'tools/read', resource: resource.uri };
  const tokens = await app.authorize(wishes);
  const grant = await app.code(wishes);
  for (const pod of [0, 1]) denied(await app.refresh('unknown', {}, pod), 'invalid_grant'); // both know it as active
  await server.store.transaction(suspending(app.clientId)); // no change is published
  for (const pod of [0, 1]) {
    denied(await app.redeem(grant, {}, pod), 'invalid_client');
    denied(await app.refresh(tokens.refresh_token, {}, pod), 'invalid_client');
  }
  await server.store.clients.setStatus(app.clientId, ['suspended'], 'active');
  ok(await app.redeem(grant, {}, 1));
  ok(await app.refresh(tokens.refresh_token, {}, 1));
});

test('a code redeemed, or a token refreshed, while the client is being revoked leaves nothing alive', async () => {
  const user = await server.user();
  const app = await server.client();
  const wishes = { user, scope: 'tools/read', resource: resource.uri };
  const tokens = await app.authorize(wishes);
  const grant = await app.code(wishes);
  const answers = await whileRevoking(revoking(app.clientId), () =>
    Promise.all([app.redeem(grant, {}, 1), app.refresh(tokens.refresh_token)]),
  );
  for (const { status } of answers) assert.ok([400, 401].includes(status), String(status));
  const live = await server.sql('select 1 from token_families where client_id = $1 and revoked_at is null', [
    app.clientId,
  ]);
  assert.equal(live.length, 0);
});

const deletions: Record<string, (tx: Repositories, world: { userId: string; clientId: string }) => Promise<unknown>> = {
  'the user': (tx, { userId }) => tx.users.delete(userId),
  'the client': async (tx, { clientId }) => {
    await tx.consentGrants.lockOf({ clientId });
    await tx.clients.delete(clientId);
  },
  'the client at once': (tx, { clientId }) => tx.clients.delete(clientId),
};

for (const [what, remove] of Object.entries(deletions))
  test(`a code redeemed, or a token refreshed, while a deletion of ${what} is under way leaves no family`, async () => {
    const user = await server.user();
    const app = await server.client();
    const wishes = { user, scope: 'tools/read', resource: resource.uri };
    const tokens = await app.authorize(wishes);
    const grant = await app.code(wishes);
    const answers = await whileRevoking(
      (tx) => remove(tx, { userId: user.id, clientId: app.clientId }),
      () => Promise.all([app.redeem(grant, {}, 1), app.refresh(tokens.refresh_token)]),
    );
    for (const { status } of answers) assert.ok([400, 401].includes(status), String(status));
    const families = await server.sql('select 1 from token_families where client_id = $1', [app.clientId]);
    assert.equal(families.length, 0, 'a deletion takes consents and their families along');
  });
