import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer, type TestUser } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import { deniedByPage, signIn } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const app = await server.client();
const cookie = 'authserver_session';

const signedIn = async (user: TestUser, browser = new TestBrowser()): Promise<TestBrowser> => {
  const answer = await signIn(browser, await browser.get(app.url('/login')), user);
  assert.equal(answer.status, 303);
  return browser;
};
const isSignedIn = async (browser: TestBrowser, pod = 0): Promise<boolean> =>
  (await browser.get(app.url('/', pod))).html.includes('Signed in');
const copyOf = (browser: TestBrowser): TestBrowser => {
  const copy = new TestBrowser();
  for (const [name, value] of browser.cookies) copy.cookies.set(name, value);
  return copy;
};
const csrf = (page: Page) => page.field('csrf_token');

test('the cookie is a random id, for http alone and for our own site (RFC 6265 §4.1.2) [threat H14]', async () => {
  const user = await server.user();
  const browser = new TestBrowser();
  const answer = await signIn(browser, await browser.get(app.url('/login')), user);
  const line = answer.response.headers.getSetCookie().find((value) => value.startsWith(cookie)) ?? '';
  assert.match(line, /^authserver_session=[A-Za-z0-9_-]{43}; Max-Age=86400; Path=\/; HttpOnly; SameSite=Lax$/);
  const stored = await server.sql('select row_to_json(browser_sessions)::text as row from browser_sessions');
  assert.ok(
    !stored
      .map(({ row }) => row)
      .join()
      .includes(String(browser.cookies.get(cookie))),
  );
});

test('a sign-in starts with a new id, and the old one is dead: none can be planted (RFC 9700 §4.7) [threat H07]', async () => {
  const user = await server.user();
  const planted = new TestBrowser();
  planted.cookies.set(cookie, 'a'.repeat(43));
  const attacker = copyOf(planted);
  await signedIn(user, planted);
  assert.notEqual(planted.cookies.get(cookie), 'a'.repeat(43));
  assert.equal(await isSignedIn(attacker), false);

  const before = copyOf(planted);
  await signedIn(user, planted);
  assert.equal(await isSignedIn(planted), true);
  assert.equal(await isSignedIn(before, 1), false);
});

test('signing out ends a copied cookie on every pod [threat H14]', async () => {
  const browser = await signedIn(await server.user());
  const thief = copyOf(browser);
  assert.equal(await isSignedIn(thief, 1), true);
  const home = await browser.get(app.url('/'));
  const out = await browser.post(app.url('/logout'), { csrf_token: csrf(home) });
  assert.equal(out.status, 303);
  assert.ok(!browser.cookies.has(cookie));
  for (const pod of [0, 1]) assert.equal(await isSignedIn(thief, pod), false);
});

test('signing out takes a page of ours: no other site can do it (RFC 9700 §4.7) [threat H14]', async () => {
  const browser = await signedIn(await server.user());
  const stranger = csrf(await (await signedIn(await server.user())).get(app.url('/')));
  for (const csrf_token of [undefined, '', 'x', stranger])
    deniedByPage(await browser.post(app.url('/logout'), { csrf_token }), 403);
  assert.equal((await browser.get(app.url('/logout'))).status, 404);
  assert.equal(await isSignedIn(browser), true);
});

test('a disabled user is signed out everywhere, at once', async () => {
  const user = await server.user();
  const browser = await signedIn(user);
  await server.store.users.setStatus(user.id, 'disabled');
  for (const pod of [0, 1]) assert.equal(await isSignedIn(browser, pod), false);
});

test('an operator ends all sessions of a user', async () => {
  const user = await server.user();
  const [one, two] = [await signedIn(user), await signedIn(user)];
  const bystander = await signedIn(await server.user());
  await server.store.browserSessions.endAllOfUser(user.id, server.clock.now());
  for (const browser of [one, two]) for (const pod of [0, 1]) assert.equal(await isSignedIn(browser, pod), false);
  assert.equal(await isSignedIn(bystander), true);
});

test('a session without a sign-in is nobody: guesses and old cookies count for nothing', async () => {
  for (const value of ['', 'x', 'b'.repeat(43), '%00', '../../etc']) {
    const browser = new TestBrowser();
    browser.cookies.set(cookie, value);
    assert.equal(await isSignedIn(browser), false);
  }
});

test('a session ends with its age', async () => {
  const browser = await signedIn(await server.user());
  server.clock.advance(86_390);
  assert.equal(await isSignedIn(browser), true);
  server.clock.advance(20);
  assert.equal(await isSignedIn(browser), false);
});
