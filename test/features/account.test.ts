/** The page about oneself: what apps may do, where one is signed in, and the end of either. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer, type TestUser } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import { denied, deniedByPage, ok, signIn } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const resource = await server.resource({ slug: 'notes', scopes: ['tools/read', 'tools/write'] });
const anyApp = await server.client();
const at = (pod = 0) => anyApp.url('/account', pod);

const signedIn = async (user: TestUser, browser = new TestBrowser()): Promise<TestBrowser> => {
  await signIn(browser, await browser.get(anyApp.url('/login')), user);
  return browser;
};

/** The forms of a page, by the value of their button; each with its hidden fields. */
const formsOf = (page: Page, action: string): Record<string, string>[] =>
  [...page.html.matchAll(/<form[\s\S]*?<\/form>/g)]
    .map(([form]) => form)
    .filter((form) => form.includes(`name="action" value="${action}"`))
    .map((form) => ({
      ...Object.fromEntries(
        [...form.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]),
      ),
      action,
    }));
const press = async (browser: TestBrowser, action: string, index = 0): Promise<Page> => {
  const form = formsOf(await browser.get(at()), action)[index];
  assert.ok(form, `no form for ${action}`);
  return browser.follow(await browser.post(at(), form));
};

const audited = async (action: string, userId: string) =>
  server.sql<{ details: Record<string, unknown>; client_id: string | null }>(
    'select details, client_id from audit_events where action = $1 and actor_id = $2',
    [action, userId],
  );

test('it wants somebody signed in, and the sign-in leads back', async () => {
  const browser = new TestBrowser();
  const start = await browser.get(at());
  assert.equal(start.status, 303);
  const login = await browser.follow(start);
  assert.match(login.html, /to see your apps/);
  const answer = await browser.post(anyApp.url('/login'), {
    ...(({ email, password }) => ({ email, password }))(await server.user()),
    csrf_token: login.field('csrf_token'),
    next: login.field('next'),
  });
  assert.equal(answer.location?.pathname, '/account');
});

test('a sign-in that was for nothing in particular ends here, and never elsewhere', async () => {
  for (const next of [undefined, '//evil.test', 'https://evil.test/', '/\\evil.test', 'login']) {
    const user = await server.user();
    const browser = new TestBrowser();
    const login = await browser.get(
      `${anyApp.url('/login')}?${new URLSearchParams(next === undefined ? {} : { next })}`,
    );
    const answer = await browser.post(anyApp.url('/login'), {
      email: user.email,
      password: user.password,
      csrf_token: login.field('csrf_token'),
      next,
    });
    assert.equal(answer.location?.href, at(), next ?? 'nothing');
  }
});

test('it is kept out of caches, frames and other origins [threat H05]', async () => {
  const browser = await signedIn(await server.user());
  const { response, html } = await browser.get(at());
  assert.equal(response.headers.get('cache-control'), 'no-store');
  assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'.*frame-ancestors 'none'/);
  assert.equal(response.headers.get('x-frame-options'), 'DENY');
  assert.equal(response.headers.get('access-control-allow-origin'), null);
  assert.match(html, /You have not allowed any app/);
});

test('a consent taken back ends its tokens on every pod at once, and nobody else’s [O21-58] [threat I02]', async () => {
  const user = await server.user();
  const app = await server.client({ name: 'Note Taker', authMethod: 'client_secret_basic' });
  const other = await server.client({ name: 'Other App', authMethod: 'client_secret_basic' });
  const grant = { user, scope: 'tools/read', resource: resource.uri };
  const [tokens, others] = [await app.authorize(grant), await other.authorize(grant)];
  const pendingCode = await app.code(grant);
  assert.equal((await app.introspect(tokens.access_token, 1)).body.active, true);

  const browser = await signedIn(user);
  const listed = await browser.get(at(1));
  assert.match(listed.html, /Note Taker/);
  assert.match(listed.html, /tools\/read/);
  assert.match(listed.html, /https:\/\/notes\.example\.com\/mcp/);
  assert.match(listed.html, /last token <time/);
  const [consent] = await server.sql<{ id: string }>(
    'select id from consent_grants where user_id = $1 and client_id = $2',
    [user.id, app.clientId],
  );
  const form = formsOf(listed, 'end_app').find((one) => one.consent === consent?.id);
  const after = await browser.follow(await browser.post(at(), form ?? {}));
  assert.match(after.html, /role="status">The app no longer has access/);
  assert.doesNotMatch(after.html, /Note Taker/);
  assert.match(after.html, /Other App/);

  for (const pod of [1, 0]) {
    assert.deepEqual((await app.introspect(tokens.access_token, pod)).body, { active: false });
    denied(await app.refresh(tokens.refresh_token, {}, pod), 'invalid_grant');
    denied(await app.redeem(pendingCode, {}, pod), 'invalid_grant');
  }
  assert.equal((await other.introspect(others.access_token)).body.active, true);
  ok(await other.refresh(others.refresh_token));

  const [event] = await audited('consent.revoked_user', user.id);
  assert.equal(event?.client_id, app.clientId);
  assert.equal(event?.details.id, consent?.id);
  assert.equal(
    (await server.sql("select 1 from changes where kind = 'revocation' and key = $1", [consent?.id])).length,
    1,
  );

  const start = await app.start({ scope: 'tools/read', resource: resource.uri }, browser);
  assert.equal(start.location?.pathname, '/consent', 'the app must ask again');
});

test('all apps at once: every token of the user is dead, the session is not', async () => {
  const user = await server.user();
  const apps = await Promise.all([1, 2].map(() => server.client({ authMethod: 'client_secret_basic' })));
  const tokens = [];
  for (const app of apps) tokens.push(await app.authorize({ user, scope: 'tools/read', resource: resource.uri }));
  const browser = await signedIn(user);
  const page = await press(browser, 'end_apps');
  assert.match(page.html, /No app has access any longer/);
  for (const [index, app] of apps.entries()) {
    assert.deepEqual((await app.introspect(tokens[index]?.access_token ?? '', 1)).body, { active: false });
    denied(await app.refresh(tokens[index]?.refresh_token ?? '', {}, 1), 'invalid_grant');
  }
  const again = await apps[0]?.authorize({ user, scope: 'tools/read', resource: resource.uri });
  assert.equal(
    (await apps[0]?.introspect(again?.access_token ?? ''))?.body.active,
    true,
    'what is allowed later lives',
  );
});

test('one other browser, and then all of them, are signed out on every pod; this one is not', async () => {
  const user = await server.user();
  const agents = ['Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0', 'curl/8', 'curl/9'];
  const [mine, second, third] = await Promise.all(
    agents.map((agent) => signedIn(user, new TestBrowser({ 'user-agent': agent }))),
  );
  assert.ok(mine && second && third);
  const isSignedIn = async (browser: TestBrowser, pod: number) => (await browser.get(at(pod))).status === 200;
  const page = await mine.get(at());
  assert.match(page.html, /Firefox on Linux\s*<span class="badge good">this browser/);
  assert.equal(formsOf(page, 'end_session').length, 2, 'not for this browser');

  await press(mine, 'end_session');
  const left = [await isSignedIn(second, 1), await isSignedIn(third, 1)];
  assert.equal(left.filter(Boolean).length, 1);
  await press(mine, 'end_other_sessions');
  for (const browser of [second, third]) for (const pod of [0, 1]) assert.equal(await isSignedIn(browser, pod), false);
  assert.equal(await isSignedIn(mine, 1), true);
  assert.deepEqual(
    (await audited('user.sessions_ended', user.id)).map(({ details }) => details.sessions),
    [1, 1],
  );
});

test('ids of somebody else change nothing, and are answered like ones that have ended', async () => {
  const [alice, bob] = [await server.user(), await server.user()];
  const app = await server.client({ authMethod: 'client_secret_basic' });
  const tokens = await app.authorize({ user: alice, scope: 'tools/read', resource: resource.uri });
  const hers = await signedIn(alice);
  await signedIn(alice);
  const page = await hers.get(at());
  const consent = formsOf(page, 'end_app')[0]?.consent;
  const session = formsOf(page, 'end_session')[0]?.session;
  assert.ok(consent && session);

  const his = await signedIn(bob);
  const csrf_token = (await his.get(at())).field('csrf_token');
  for (const form of [
    { action: 'end_app', consent },
    { action: 'end_app', consent: '00000000-0000-7000-8000-000000000000' },
    { action: 'end_app', consent: "' or 1=1 --" },
    { action: 'end_app' },
    { action: 'end_session', session },
    { action: 'end_session', session: 'A'.repeat(43) },
    { action: 'end_session', session: '\0' },
    { action: 'end_apps' },
    { action: 'end_other_sessions' },
  ]) {
    const answer = await his.post(at(), { csrf_token, ...form });
    assert.equal(answer.location?.search, '?done=nothing', JSON.stringify(form));
  }
  assert.equal((await app.introspect(tokens.access_token)).body.active, true);
  assert.equal(formsOf(await hers.get(at()), 'end_session').length, 2, 'all her sessions are there');
  assert.equal((await audited('consent.revoked_user', bob.id)).length, 0);
  assert.equal((await audited('user.sessions_ended', bob.id)).length, 0);
});

test('a post takes a page of ours: no other site, and no other session, can make it (RFC 9700 §4.7) [threat H01]', async () => {
  const user = await server.user();
  const app = await server.client();
  await app.authorize({ user, scope: 'tools/read', resource: resource.uri });
  const browser = await signedIn(user);
  const foreign = (await (await signedIn(user)).get(at())).field('csrf_token');
  for (const csrf_token of [undefined, '', 'x', foreign])
    deniedByPage(await browser.post(at(), { csrf_token, action: 'end_apps' }), 403);
  assert.equal(formsOf(await browser.get(at()), 'end_app').length, 1);
  assert.equal((await new TestBrowser().post(at(), { action: 'end_apps' })).location?.pathname, '/login');
  const csrf_token = (await browser.get(at())).field('csrf_token');
  deniedByPage(await browser.post(at(), { csrf_token, action: 'delete_everything' }), 400);
});

test('names that strangers chose stay text', async () => {
  const user = await server.user();
  const name = `<img src=x onerror=alert(1)>\u202emoc.${'W'.repeat(90)}`;
  const app = await server.client({ name, source: 'dcr' });
  await app.authorize({ user, scope: 'tools/read', resource: resource.uri });
  const browser = await signedIn(user, new TestBrowser({ 'user-agent': '<script>alert(1)</script> Firefox/1 Linux' }));
  const { html } = await browser.get(at());
  assert.doesNotMatch(html, /<img|<script|\u202e/);
  assert.match(html, /&#60;img/);
  assert.match(html, /Firefox on Linux/);
  assert.match(html, /Registered itself under this name/);
  assert.doesNotMatch((await browser.get(`${at()}?done=<script>`)).html, /role="status"/);
});
