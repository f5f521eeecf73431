import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Repositories } from '@authserver/store';
import { startAuthServer, type TestUser } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import { answerConsent, denied, type Form, ok, signIn, type TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const resource = await server.resource({ scopes: ['a', 'b', 'c'] });

const visit = async (app: TestApp, user: TestUser, params: Form, browser = new TestBrowser()): Promise<Page> => {
  const page = await browser.follow(await app.start({ resource: resource.uri, ...params }, browser));
  return page.url.includes('/login') ? browser.follow(await signIn(browser, page, user)) : page;
};
const answer = async (app: TestApp, user: TestUser, scope: string, tick: readonly string[]): Promise<void> => {
  const browser = new TestBrowser();
  const page = await visit(app, user, { scope }, browser);
  assert.ok((await answerConsent(browser, page, 'allow', tick)).location?.searchParams.get('code'));
};
const held = async (user: TestUser): Promise<string[]> =>
  [...((await server.store.consentGrants.listOfUser(user.id))[0]?.scopes ?? [])].sort();
/** A loopback client is asked every time. */
const newWorld = async () => ({
  app: await server.client({ redirectUris: ['http://127.0.0.1/cb'] }),
  user: await server.user(),
});

test('what was ticked is held, what was asked and unticked is not, what was not asked stays [MCP-44]', async () => {
  const { app, user } = await newWorld();
  await answer(app, user, 'a b', ['a']);
  assert.deepEqual(await held(user), ['a']);
  await answer(app, user, 'c', ['c']);
  assert.deepEqual(await held(user), ['a', 'c']);
  await answer(app, user, 'a b c', ['b', 'c']);
  assert.deepEqual(await held(user), ['b', 'c']);
});

test('a scope that is unticked later is gone from older grants at their next refresh, on every pod', async () => {
  const { app, user } = await newWorld();
  const older = await app.authorize({ user, resource: resource.uri, scope: 'a b' });
  await answer(app, user, 'a b c', ['a', 'c']);
  for (const pod of [0, 1]) denied(await app.refresh(older.refresh_token, { scope: 'b' }, pod), 'invalid_scope');
  const next = ok(await app.refresh(older.refresh_token, {}, 1));
  assert.equal(next.scope, 'a');
  await answer(app, user, 'b', ['b']); // allowed again: the older grant had it, so it has it again
  assert.deepEqual(
    ok(await app.refresh(next.refresh_token))
      .scope.split(' ')
      .sort(),
    ['a', 'b'],
  );
});

test('a code that waits gives no more than the latest answer allows', async () => {
  const { app, user } = await newWorld();
  const grant = await app.code({ user, resource: resource.uri, scope: 'a b' });
  await answer(app, user, 'a b', ['b']);
  const tokens = ok(await app.redeem(grant, {}, 1));
  assert.equal(tokens.scope, 'b');
  const empty = await app.code({ user, resource: resource.uri, scope: 'b' });
  await answer(app, user, 'b c', ['c']);
  denied(await app.redeem(empty), 'invalid_grant');
});

test('a refresh while the consent is being narrowed does not get what is taken away, and revokes nothing', async () => {
  const { app, user } = await newWorld();
  const { refresh_token } = await app.authorize({ user, resource: resource.uri, scope: 'a b' });
  const decision = { userId: user.id, clientId: app.clientId, resourceId: resource.id };
  const narrow = (tx: Repositories) => tx.consentGrants.narrow({ ...decision, asked: ['b'], now: server.clock.now() });
  let answered: ReturnType<TestApp['refresh']> | undefined;
  await server.store.transaction(async (tx) => {
    await narrow(tx);
    answered = app.refresh(refresh_token, {}, 1);
    await new Promise((resolve) => setTimeout(resolve, 150));
  });
  const less = ok(await (answered as ReturnType<TestApp['refresh']>));
  assert.equal(less.scope, 'a');
  assert.equal(ok(await app.refresh(less.refresh_token)).scope, 'a');
});

test('an answer is remembered for the hosts it was given for, and for no other of the same client [threat H04]', async () => {
  const [user, browser] = [await server.user(), new TestBrowser()];
  const redirectUris = ['https://app.example.com/cb', 'https://app.example.com/other', 'https://old.example.com/cb'];
  const [app, confidential] = [
    await server.client({ redirectUris }),
    await server.client({ redirectUris: [...redirectUris, 'http://127.0.0.1/cb'], authMethod: 'client_secret_basic' }),
  ];
  for (const client of [app, confidential]) {
    const asks = async (redirect_uri: string) =>
      (await visit(client, user, { redirect_uri }, browser)).location === undefined;
    const allow = async (redirect_uri: string) =>
      assert.ok((await answerConsent(browser, await visit(client, user, { redirect_uri }, browser), 'allow')).location);
    await allow('https://app.example.com/cb');
    assert.equal(await asks('https://app.example.com/cb'), false);
    assert.equal(await asks('https://app.example.com/other'), false);
    assert.equal(await asks('https://old.example.com/cb'), true);
    await allow('https://old.example.com/cb');
    for (const redirectUri of redirectUris) assert.equal(await asks(redirectUri), false, redirectUri);
  }
  const again = (port: number) => visit(confidential, user, { redirect_uri: `http://127.0.0.1:${port}/cb` }, browser);
  assert.ok((await answerConsent(browser, await again(41000), 'allow')).location);
  assert.ok((await again(41001)).location, 'the port of a loopback address is another every time');
});

test('a consent that was taken back and given again knows only the host it was given again for', async () => {
  const [user, browser] = [await server.user(), new TestBrowser()];
  const [first, second] = ['https://one.example.com/cb', 'https://two.example.com/cb'] as const;
  const app = await server.client({ redirectUris: [first, second] });
  const allow = async (redirect_uri: string) =>
    answerConsent(browser, await visit(app, user, { redirect_uri }, browser), 'allow');
  await allow(first);
  const [grant] = await server.store.consentGrants.listOfUser(user.id);
  await server.store.consentGrants.revoke(String(grant?.id), server.clock.now());
  await allow(second);
  assert.ok((await visit(app, user, { redirect_uri: second }, browser)).location);
  assert.equal((await visit(app, user, { redirect_uri: first }, browser)).location, undefined);
});

test('a small permission at another host brings it nothing that was allowed at the first, nor the other way round [threat H04]', async () => {
  const [first, second] = ['https://one.example.com/cb', 'https://two.example.com/cb'] as const;
  for (const [order, later, silent] of [
    ['a new host, then its wish', second, second],
    ['an old host, then a new permission at the new one', second, first],
  ] as const) {
    const [user, browser] = [await server.user(), new TestBrowser()];
    const app = await server.client({ redirectUris: [first, second] });
    const go = (redirect_uri: string, scope: string) => visit(app, user, { redirect_uri, scope }, browser);
    const allow = async (redirect_uri: string, scope: string) =>
      assert.ok((await answerConsent(browser, await go(redirect_uri, scope), 'allow')).location, order);
    const [before, now] = silent === second ? ['a c', 'a'] : ['a', 'c'];
    await allow(first, before);
    await allow(later, now);
    assert.equal((await go(silent, 'c')).location, undefined, order);
    await allow(silent, 'a c');
    assert.ok((await go(silent, 'c')).location, 'who has seen all of it is not asked again');
  }
});

test('who allows a client that has become another gives it only what they were asked, at every resource [threat H04]', async () => {
  const more = await server.resource({ scopes: ['x', 'admin'] });
  const [user, browser] = [await server.user(), new TestBrowser()];
  const app = await server.client({ authMethod: 'client_secret_basic' });
  const both = { resource: [resource.uri, more.uri] };
  const go = (params: Form) => visit(app, user, params, browser);
  assert.ok((await answerConsent(browser, await go({ ...both, scope: 'a c x admin' }), 'allow')).location);
  assert.ok((await go({ scope: 'c' })).location);
  await server.change('client', app.clientId, () =>
    server.sql('update clients set identity_changed_at = $2 where client_id = $1', [app.clientId, server.clock.now()]),
  );
  const page = await go({ ...both, scope: 'a x' });
  assert.doesNotMatch(page.html, /allowed before/);
  assert.ok((await answerConsent(browser, page, 'allow', ['a'])).location);
  assert.ok((await go({ scope: 'a' })).location);
  assert.equal((await go({ scope: 'c' })).location, undefined);
  for (const scope of ['x', 'admin'])
    assert.equal((await go({ resource: more.uri, scope })).location, undefined, scope);
});
