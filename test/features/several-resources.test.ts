import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Repositories } from '@authserver/store';
import { decodeJwt } from 'jose';
import { startAuthServer, type TestResource, type TestUser } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { answerConsent, denied, deniedByRedirect, ok, signIn, type TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2, admin: true });
const guard = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['mail:read', 'mail:send', 'files:read', 'search'],
});
const mail = await server.resource({ scopes: ['mail:read', 'mail:send', 'search'] });
const files = await server.resource({ scopes: ['files:read', 'search'], runtimeClients: [guard.clientId] });
const both = [mail.uri, files.uri];
const all = 'mail:read mail:send search files:read';

const audiences = (token: string) => decodeJwt(token).aud;
const active = async (token: string, by: TestApp) =>
  Promise.all([0, 1].map(async (pod) => ok(await by.introspect(token, pod)).active));
const consentAt = async ({ id }: TestUser, resource: TestResource) => {
  const held = (await server.store.consentGrants.listOfUser(id)).find(({ resourceId }) => resourceId === resource.id);
  assert.ok(held);
  return held;
};
const newWorld = async () => {
  const [app, user] = await Promise.all([server.client({ authMethod: 'client_secret_post' }), server.user()]);
  return { app, user, wishes: { user, resource: both } };
};

test('one consent page and one token for two resources, with the spellings that are registered [R8707-03 R8707-08]', async () => {
  const { app, user } = await newWorld();
  const asked = [files.uri.replace('https://', 'HTTPS://'), mail.uri];
  const browser = new TestBrowser();
  const login = await browser.follow(await app.start({ resource: asked }, browser));
  const page = await browser.follow(await signIn(browser, login, user));
  for (const text of [mail.uri, files.uri, mail.slug, files.slug]) assert.ok(page.html.includes(text), text);
  assert.deepEqual(page.checkboxes('scopes').sort(), all.split(' ').sort());

  const tokens = await app.authorize({ user, resource: asked });
  assert.deepEqual(audiences(tokens.access_token), [files.uri, mail.uri]);
  assert.deepEqual(tokens.scope.split(' ').sort(), all.split(' ').sort());
  const [row] = await server.sql('select resource, further_targets from issuances where id = $1', [
    decodeJwt(tokens.access_token).jti,
  ]);
  assert.ok(row);
  assert.equal(row.resource, files.uri);
  assert.deepEqual(
    (row.further_targets as { resource: string }[]).map(({ resource }) => resource),
    [mail.uri],
  );
  assert.deepEqual([...(await consentAt(user, mail)).scopes].sort(), ['mail:read', 'mail:send', 'search']);
  assert.deepEqual([...(await consentAt(user, files)).scopes].sort(), ['files:read', 'search']);
});

test('each token request chooses among what was granted, and widens nothing [R8707-04 R8707-06 R8707-07]', async () => {
  const { app, wishes } = await newWorld();
  const first = ok(await app.redeem(await app.code(wishes), { resource: files.uri }));
  assert.deepEqual(audiences(first.access_token), [files.uri]);
  assert.deepEqual(first.scope.split(' ').sort(), ['files:read', 'search']);

  const second = ok(await app.refresh(first.refresh_token, { resource: mail.uri, scope: 'mail:read' }, 1));
  assert.deepEqual(audiences(second.access_token), [mail.uri]);
  assert.equal(second.scope, 'mail:read');
  const third = ok(await app.refresh(second.refresh_token));
  assert.deepEqual(audiences(third.access_token), both);
  assert.deepEqual(third.scope.split(' ').sort(), all.split(' ').sort());
  const wider = await app.refresh(third.refresh_token, { resource: files.uri, scope: 'mail:read' });
  denied(wider, 'invalid_scope');
  ok(await app.refresh(third.refresh_token, { resource: both, scope: 'mail:read' }));
});

test('what was not granted is invalid_target, and costs neither the code nor the refresh token [R8707-05]', async () => {
  const { app, user } = await newWorld();
  const grant = await app.code({ user, resource: mail.uri });
  for (const resource of [files.uri, both, server.issuer, 'https://nobody.example/'])
    denied(await app.redeem(grant, { resource }), 'invalid_target');
  const tokens = ok(await app.redeem(grant));
  for (const resource of [files.uri, both, `${mail.uri}/`])
    denied(await app.refresh(tokens.refresh_token, { resource }), 'invalid_target');
  assert.deepEqual(audiences(ok(await app.refresh(tokens.refresh_token)).access_token), [mail.uri]);
});

test('one unknown resource among several is invalid_target, and so are too many [R8707-02]', async () => {
  const { app } = await newWorld();
  const many = Array.from({ length: 11 }, () => mail.uri);
  for (const resource of [[mail.uri, 'https://nobody.example/mcp'], [mail.uri, '/mcp'], many])
    deniedByRedirect(await app.start({ resource }), app, 'invalid_target', server.issuer);
  for (const resource of [[mail.uri, 'https://nobody.example/mcp'], many])
    denied(await guard.clientCredentials({ resource }), 'invalid_target');
});

test('the same resource named twice is one', async () => {
  const { app, user } = await newWorld();
  const tokens = await app.authorize({ user, resource: [mail.uri, mail.uri.replace('https', 'HTTPS')] });
  assert.deepEqual(audiences(tokens.access_token), [mail.uri]);
});

test('every resource must be asked for something', async () => {
  const { app } = await newWorld();
  deniedByRedirect(await app.start({ resource: both, scope: 'files:read' }), app, 'invalid_scope', server.issuer);
  denied(await guard.clientCredentials({ resource: both, scope: 'files:read' }), 'invalid_scope');
});

test('a resource of which nothing was ticked is not part of the grant', async () => {
  const { app, wishes } = await newWorld();
  const grant = await app.code({ ...wishes, tick: ['mail:read'] });
  denied(await app.redeem(grant, { resource: files.uri }), 'invalid_target');
  const tokens = ok(await app.redeem(grant, { resource: undefined }));
  assert.deepEqual(audiences(tokens.access_token), [mail.uri]);
  assert.equal(tokens.scope, 'mail:read');
});

test('unticking all of a resource takes back what was held there', async () => {
  const app = await server.client({ redirectUris: ['http://127.0.0.1/cb'] }); // asked every time
  const user = await server.user();
  const before = await app.authorize({ user, resource: files.uri });
  await app.code({ user, resource: both, tick: ['mail:read'] });
  assert.deepEqual((await consentAt(user, files)).scopes, []);
  denied(await app.refresh(before.refresh_token, {}, 1), 'invalid_scope');
});

test('a scope that was allowed at one resource is not carried to another that offers it later [R9068-08]', async () => {
  const { app, user } = await newWorld();
  const [here, there] = [await server.resource({ scopes: ['notes', 'x'] }), await server.resource({ scopes: ['y'] })];
  const { refresh_token } = await app.authorize({ user, resource: [here.uri, there.uri] });
  await server.change('resource', there.id, async (tx) => {
    const held = await tx.resources.find(there.id);
    assert.ok(held);
    const scopes = ['y', 'notes'].map((name) => ({ name, description: '', upstream: '', default: false }));
    await tx.resources.update({ ...held, scopes });
  });
  const together = ok(await app.refresh(refresh_token));
  assert.deepEqual(together.scope.split(' ').sort(), ['x', 'y']);
  denied(await app.refresh(together.refresh_token, { scope: 'notes' }), 'invalid_scope');
  const alone = ok(await app.refresh(together.refresh_token, { resource: here.uri }));
  assert.deepEqual(alone.scope.split(' ').sort(), ['notes', 'x']);
});

test('what was taken back at a resource stays out of a token for it, although it is offered there no longer', async () => {
  const app = await server.client({ redirectUris: ['http://127.0.0.1/cb'] }); // asked every time
  const user = await server.user();
  const [here, there] = [await server.resource({ scopes: ['s'] }), await server.resource({ scopes: ['s', 't'] })];
  const { refresh_token } = await app.authorize({ user, resource: [here.uri, there.uri] });
  await app.code({ user, resource: there.uri, tick: ['t'] });
  await server.change('resource', there.id, async (tx) => {
    const held = await tx.resources.find(there.id);
    assert.ok(held);
    await tx.resources.update({ ...held, scopes: held.scopes.filter(({ name }) => name !== 's') });
  });
  const together = ok(await app.refresh(refresh_token));
  assert.equal(together.scope, 't');
  assert.equal(ok(await app.refresh(together.refresh_token, { resource: here.uri })).scope, 's');
});

test('each resource may ask about a token that names it, and the other one about none of its own [R7662-06]', async () => {
  const { app, wishes } = await newWorld();
  const grant = await app.code(wishes);
  const tokens = ok(await app.redeem(grant));
  const seen = ok(await guard.introspect(tokens.access_token));
  assert.equal(seen.active, true);
  assert.deepEqual(seen.aud, both);
  const forMail = ok(await app.refresh(tokens.refresh_token, { resource: mail.uri }));
  assert.deepEqual(ok(await guard.introspect(forMail.access_token)), { active: false });
});

test('a consent for several is remembered, and only what is missing is asked for', async () => {
  const { app, user } = await newWorld();
  const browser = new TestBrowser();
  const visit = async (resource: string[]) => {
    const page = await browser.follow(await app.start({ resource }, browser));
    return page.url.includes('/login') ? browser.follow(await signIn(browser, page, user)) : page;
  };
  assert.ok((await answerConsent(browser, await visit([mail.uri]), 'allow')).location);
  const page = await visit(both);
  assert.match(page.html, /asks in addition to/);
  assert.match(page.html, /<details>[\s\S]*value="mail:read"/);
  assert.ok((await answerConsent(browser, page, 'allow')).location?.searchParams.get('code'));
  for (const again of [both, both.toReversed(), [files.uri]])
    assert.ok((await visit(again)).location?.searchParams.get('code'), again.join(' '));
});

for (const [what, resource] of [
  ['first', mail],
  ['second', files],
] as const) {
  test(`when the consent at the ${what} resource is taken back, everything of the grant ends`, async () => {
    const { app, user, wishes } = await newWorld();
    const tokens = await app.authorize(wishes);
    const part = ok(await app.refresh(tokens.refresh_token, { resource: resource === mail ? files.uri : mail.uri }));
    const code = await app.code(wishes);
    await server.admin.grant.revokeConsent({ id: (await consentAt(user, resource)).id });
    for (const { access_token } of [tokens, part]) assert.deepEqual(await active(access_token, app), [false, false]);
    denied(await app.refresh(part.refresh_token, {}, 1), 'invalid_grant');
    denied(await app.redeem(code, {}, 1), 'invalid_grant');
  });

  test(`a code redeemed, or a token refreshed, while the consent at the ${what} resource is taken back gives nothing`, async () => {
    const { app, user, wishes } = await newWorld();
    const tokens = await app.authorize(wishes);
    const code = await app.code(wishes);
    const consent = await consentAt(user, resource);
    const answers = await whileRevoking(
      (tx) => tx.consentGrants.revoke(consent.id, server.clock.now()),
      () => Promise.all([app.redeem(code, {}, 1), app.refresh(tokens.refresh_token)]),
    );
    for (const answer of answers) denied(answer, 'invalid_grant');
    assert.equal((await server.sql('select 1 from token_families where user_id = $1', [user.id])).length, 1);
  });
}

test('when one of the resources is deleted, everything of the grant ends', async () => {
  const { app, user } = await newWorld();
  const doomed = await server.resource({ scopes: ['doomed'] });
  const wishes = { user, resource: [mail.uri, doomed.uri] };
  const tokens = await app.authorize(wishes);
  const machine = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['mail:read', 'doomed'],
  });
  const own = ok(await machine.clientCredentials({ resource: wishes.resource }));
  assert.deepEqual(await active(own.access_token, machine), [true, true]);
  await server.admin.resource.delete({ id: doomed.id });
  assert.deepEqual(await active(own.access_token, machine), [false, false]);
  assert.deepEqual(await active(tokens.access_token, app), [false, false]);
  denied(await app.refresh(tokens.refresh_token, {}, 1), 'invalid_grant');
});

test('a code for several resources is redeemed once, however many race', async () => {
  const { app, wishes } = await newWorld();
  const grant = await app.code(wishes);
  const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => app.redeem(grant, {}, index % 2)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
});

test('parallel refreshes for several resources get the same successor', async () => {
  const { app, wishes } = await newWorld();
  const { refresh_token } = await app.authorize(wishes);
  const answers = await Promise.all([0, 1, 0, 1].map((pod) => app.refresh(refresh_token, {}, pod).then(ok)));
  assert.equal(new Set(answers.map((answer) => answer.refresh_token)).size, 1);
});

test('several windows of one person may allow several resources at once', async () => {
  for (let round = 0; round < 4; round += 1) {
    const { app, user, wishes } = await newWorld();
    const first = await Promise.all(Array.from({ length: 6 }, () => app.authorize(wishes)));
    const next = await Promise.all(first.map(({ refresh_token }, index) => app.refresh(refresh_token, {}, index % 2)));
    for (const answer of next) ok(answer);
    assert.equal((await server.store.consentGrants.listOfUser(user.id)).length, 2);
  }
});

test('those who redeem, allow and take back several consents never wait for each other in a circle', async () => {
  const { app, user, wishes } = await newWorld();
  const tokens = await Promise.all(Array.from({ length: 4 }, () => app.authorize(wishes)));
  const grants = await server.store.consentGrants.listOfUser(user.id);
  const takeAllBack = (tx: Repositories) => tx.consentGrants.revokeAllOfUser(user.id, server.clock.now());
  const allowAgain = (order: readonly (typeof grants)[number][]) => async (tx: Repositories) => {
    await tx.consentGrants.lockHeld(
      user.id,
      app.clientId,
      order.map(({ resourceId }) => resourceId),
    );
    for (const { id, userId, clientId, resourceId, scopes } of order) {
      const decision = { id, userId, clientId, resourceId, asked: scopes, allowed: scopes };
      await tx.consentGrants.allow({ ...decision, now: server.clock.now() });
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  };
  const outcomes = await Promise.allSettled([
    server.store.transaction(allowAgain(grants)),
    ...tokens.map(({ refresh_token }, index) => app.refresh(refresh_token, {}, index % 2)),
    server.store.transaction(allowAgain(grants.toReversed())),
    server.store.transaction(takeAllBack),
  ]);
  for (const outcome of outcomes) {
    assert.equal(outcome.status, 'fulfilled');
    if (outcome.value && typeof outcome.value === 'object')
      assert.ok([200, 400].includes(outcome.value.status), JSON.stringify(outcome.value.body));
  }
});

test('a machine may name several resources too [R8707-08]', async () => {
  const tokens = ok(await guard.clientCredentials({ resource: both }));
  assert.deepEqual(audiences(tokens.access_token), both);
  assert.deepEqual(tokens.scope.split(' ').sort(), all.split(' ').sort());
  assert.deepEqual(await active(tokens.access_token, guard), [true, true]);
});

test('an operator finds such a token under each of its resources', async () => {
  const tokens = ok(await guard.clientCredentials({ resource: both }));
  const { jti } = decodeJwt(tokens.access_token);
  for (const resource of [mail, files])
    for (const query of [
      `resource=${resource.slug}&client=${guard.clientId}`,
      `resource=${resource.slug}&jti=${jti}`,
    ]) {
      const { body } = await server.adminRequest('GET', `/admin/issuances?${query}`);
      const rows = (body as { issuances: { jti: string; resources?: string[] }[] }).issuances;
      assert.deepEqual(rows.find((row) => row.jti === jti)?.resources, both, query);
    }
});

/** A revocation that has begun and commits a moment later, as an operator's does while requests go on. */
async function whileRevoking<T>(revoke: (tx: Repositories) => Promise<unknown>, request: () => Promise<T>): Promise<T> {
  let answer: Promise<T> | undefined;
  await server.store.transaction(async (tx) => {
    await revoke(tx);
    answer = request();
    await new Promise((resolve) => setTimeout(resolve, 150));
  });
  return answer as Promise<T>;
}
