/** How the person is asked: `prompt`, `max_age`, `login_hint` (OpenID Connect Core §3.1.2.1), and answering once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import {
  answerConsent,
  deniedByPage,
  deniedByRedirect,
  type Form,
  ok,
  pkce,
  postForm,
  raw,
  signIn,
  type TestApp,
} from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const resource = await server.resource();
const app = await server.client();
const start = (browser: TestBrowser, params: Form = {}, of = app) =>
  of.start({ resource: resource.uri, ...params }, browser);
/** A browser whose person is signed in and has allowed the app everything. */
const known = async (of: TestApp = app): Promise<TestBrowser> => {
  const browser = new TestBrowser();
  await of.code({ user, resource: resource.uri }, browser);
  return browser;
};
const asksToSignIn = (page: Page) => /type="password"/.test(page.html);
const asksToAllow = (page: Page) => /Allow this app/.test(page.html);
const codeIn = (page: Page) => page.location?.searchParams.get('code');

test('prompt=none never shows a page: not signed in is login_required', async () => {
  deniedByRedirect(await start(new TestBrowser(), { prompt: 'none' }), app, 'login_required', server.issuer);
});

test('prompt=none gives a code when there is nothing to ask', async () => {
  assert.ok(codeIn(await start(await known(), { prompt: 'none' })));
});

test('prompt=none with anything new is consent_required [threat H04]', async () => {
  const browser = await known();
  const other = await server.client({ name: 'Test App' });
  deniedByRedirect(await start(browser, { prompt: 'none' }, other), other, 'consent_required', server.issuer);
  const wider = await server.resource();
  deniedByRedirect(
    await start(browser, { prompt: 'none', resource: wider.uri }),
    app,
    'consent_required',
    server.issuer,
  );
});

test('prompt=none where consent is asked every time is consent_required [O21-65]', async () => {
  const local = await server.client({ redirectUris: ['http://127.0.0.1/cb'] });
  const browser = await known(local);
  deniedByRedirect(await start(browser, { prompt: 'none' }, local), local, 'consent_required', server.issuer);
});

test('prompt=none with a sign-in that is too old is login_required', async () => {
  const browser = await known();
  server.clock.advance(100);
  deniedByRedirect(await start(browser, { prompt: 'none', max_age: '60' }), app, 'login_required', server.issuer);
  assert.ok(codeIn(await start(browser, { prompt: 'none', max_age: '3600' })));
});

test('prompt=none sends nobody to a client that registered itself, unless they have allowed it [threat B12] [O21-62]', async () => {
  const evil = await server.client({ source: 'dcr', redirectUris: ['https://evil.example/cb'], name: 'Evil' });
  const browser = await known();
  for (const page of [
    await start(new TestBrowser(), { prompt: 'none' }, evil),
    await start(browser, { prompt: 'none' }, evil),
    await start(browser, { prompt: 'none', scope: 'bogus' }, evil),
  ]) {
    deniedByPage(page);
    assert.ok(page.html.includes('evil.example'));
  }
  const chosen = await server.client({ source: 'dcr' });
  const friend = await known(chosen);
  assert.ok(codeIn(await start(friend, { prompt: 'none' }, chosen)));
  const more = { prompt: 'none', resource: (await server.resource()).uri };
  deniedByRedirect(await start(friend, more, chosen), chosen, 'consent_required', server.issuer);
  await server.sql('update consent_grants set revoked_at = now(), epoch = epoch + 1 where client_id = $1', [
    chosen.clientId,
  ]);
  deniedByPage(await start(friend, more, chosen));
});

test('prompt=none beside another is invalid_request', async () => {
  for (const prompt of ['none login', 'consent none', 'none none login', 'none create'])
    deniedByRedirect(await start(await known(), { prompt }), app, 'invalid_request', server.issuer);
});

for (const prompt of ['login', 'select_account', 'login consent'])
  test(`prompt=${prompt} asks the person to sign in again, once`, async () => {
    const browser = await known();
    const before = server.clock.now();
    const login = await browser.follow(await start(browser, { prompt }));
    assert.ok(asksToSignIn(login), login.html);
    // Looking at the page again, or leaving it for another tab, is no sign-in.
    assert.ok(asksToSignIn(await browser.follow(await browser.get(login.url.replace('/login?', '/oauth/continue?')))));
    const after = await browser.follow(await signIn(browser, login, user));
    const answer = prompt.includes('consent') ? await answerConsent(browser, after, 'allow') : after;
    assert.ok(codeIn(answer), answer.html);
    const [row] = await server.sql<{ auth_time: Date }>(
      'select auth_time from authorization_codes order by created_at desc limit 1',
    );
    assert.ok((row?.auth_time as Date) >= before);
  });

test('prompt=consent asks although everything was allowed before', async () => {
  const browser = await known();
  const page = await browser.follow(await start(browser, { prompt: 'consent' }));
  assert.ok(asksToAllow(page), page.html);
  assert.ok(codeIn(await answerConsent(browser, page, 'allow')));
});

test('a prompt nobody knows is ignored (OpenID Connect Core §3.1.2.1)', async () => {
  assert.ok(codeIn(await start(await known(), { prompt: 'create' })));
});

test('from prompt=login another user may come back', async () => {
  const browser = await known();
  const other = await server.user();
  const login = await browser.follow(await start(browser, { prompt: 'select_account' }));
  assert.doesNotMatch(login.html, new RegExp(user.email));
  const consent = await browser.follow(await signIn(browser, login, other));
  assert.ok(consent.html.includes(other.email));
});

test('max_age=0 asks every time, and ends [R9470-01]', async () => {
  const browser = await known();
  for (let round = 0; round < 2; round += 1) {
    const login = await browser.follow(await start(browser, { max_age: '0' }));
    assert.ok(asksToSignIn(login), login.html);
    assert.ok(codeIn(await browser.follow(await signIn(browser, login, user))));
  }
});

test('max_age asks a person whose sign-in is older [R9470-01]', async () => {
  const browser = await known();
  server.clock.advance(120);
  assert.ok(codeIn(await start(browser, { max_age: '600' })));
  assert.ok(asksToSignIn(await browser.follow(await start(browser, { max_age: '60' }))));
});

for (const max_age of ['-1', '1.5', 'x', '1e3', '99999999999'])
  test(`max_age=${max_age} is invalid_request`, async () => {
    deniedByRedirect(await start(new TestBrowser(), { max_age }), app, 'invalid_request', server.issuer);
  });

test('login_hint fills the form in, and stays text', async () => {
  const browser = new TestBrowser();
  const login = await browser.follow(await start(browser, { login_hint: '"><script>alert(1)</script>@x' }));
  assert.ok(!login.html.includes('<script'));
  assert.match(login.html, /value="&#34;&#62;&#60;script/);
  const long = await browser.follow(await start(browser, { login_hint: 'x'.repeat(255) }));
  assert.ok(!long.html.includes('x'.repeat(255)));
});

test('what OpenID Connect clients add is ignored [O21-20]', async () => {
  const more = { ui_locales: 'de fr', nonce: 'n', display: 'page', claims: '{"a":1}', foo: 'bar', id_token_hint: 'x' };
  assert.ok(codeIn(await start(await known(), more)));
});

test('one consent page, one answer: a second press gets a page and no code [threat H03]', async () => {
  for (const [first, second] of [
    ['allow', 'allow'],
    ['deny', 'allow'],
    ['allow', 'deny'],
  ] as const) {
    const browser = new TestBrowser();
    const consent = await browser.follow(
      await signIn(browser, await browser.follow(await start(browser, { prompt: 'consent' })), user),
    );
    assert.ok((await answerConsent(browser, consent, first)).location);
    const again = await answerConsent(browser, consent, second);
    deniedByPage(again);
    assert.match(again.html, /already been answered/);
  }
});

test('of many presses at once on two pods one counts [threat H03]', async () => {
  const browser = new TestBrowser();
  const consent = await browser.follow(
    await signIn(browser, await browser.follow(await start(browser, { prompt: 'consent' })), user),
  );
  const form = {
    csrf_token: consent.field('csrf_token'),
    request: consent.field('request'),
    action: 'allow',
    scopes: consent.checkboxes('scopes'),
  };
  const answers = await Promise.all([0, 1, 0, 1, 0, 1].map((pod) => browser.post(app.url('/consent', pod), form)));
  assert.equal(answers.filter(codeIn).length, 1);
});

test('a request as long as addresses get, with a state to match, comes back whole [O21-35]', async () => {
  const browser = new TestBrowser();
  const state = `${'s'.repeat(7_000)} +&=#%/?`;
  const begun = await start(browser, { state });
  assert.ok(app.authorizeUrl(pkce().challenge, { state, resource: resource.uri }).length > 7_300);
  const callback = await app.throughPages(browser, begun, { user });
  assert.equal(callback.searchParams.get('state'), state);
  assert.ok(callback.searchParams.get('code'));
});

test('POST works like GET, from another site too (RFC 6749 §3.1)', async () => {
  const { verifier, challenge } = pkce();
  const query = new URL(app.authorizeUrl(challenge, { resource: resource.uri })).searchParams;
  const signedIn = await known();
  const stranger = new TestBrowser();
  // A form on another site brings no SameSite cookie; the redirect that follows does.
  const posted = await stranger.post(app.url('/oauth/authorize'), Object.fromEntries(query));
  assert.equal(posted.status, 303);
  const answer = await signedIn.follow(posted);
  const code = codeIn(answer);
  assert.ok(code, answer.html);
  const redirectUri = app.redirectUris[0] as string;
  const callback = answer.location as URL;
  const tokens = ok(await app.redeem({ code, verifier, redirectUri, resource: resource.uri, callback }));
  assert.equal(decodeJwt(tokens.access_token).sub, user.id);
  const silent = await stranger.post(app.url('/oauth/authorize'), { ...Object.fromEntries(query), prompt: 'none' });
  deniedByRedirect(await stranger.follow(silent), app, 'login_required', server.issuer);
  deniedByRedirect(
    await stranger.post(app.url('/oauth/authorize'), { ...Object.fromEntries(query), scope: 'bogus' }),
    app,
    'invalid_scope',
    server.issuer,
  );
  const evil = { ...Object.fromEntries(query), redirect_uri: 'https://evil.example/' };
  deniedByPage(await stranger.post(app.url('/oauth/authorize'), evil));
});

test('no other site may read what the endpoint answers [O21-23]', async () => {
  const headers = { origin: 'https://evil.example' };
  const url = app.authorizeUrl(pkce().challenge, { resource: resource.uri });
  for (const answer of [await raw(url, { headers }), await raw(url, { method: 'OPTIONS', headers })])
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  const posted = await postForm(app.url('/oauth/authorize'), { client_id: app.clientId }, headers);
  assert.equal(posted.headers.get('access-control-allow-origin'), null);
});

test('over https the cookie of the login form is the host’s own (RFC 6265bis §4.1.3.2) [threat H14]', async () => {
  const secure = await startAuthServer({ env: { SESSION_SECURE: 'true' } });
  const response = await fetch(`${secure.issuer}/login`);
  const [cookie = ''] = response.headers.getSetCookie();
  assert.match(cookie, /^__Host-authserver_login_nonce=/);
  assert.match(cookie, /; Secure/);
  assert.match(cookie, /; Path=\/(;|$)/);
  assert.doesNotMatch(cookie, /Domain/i);
  const browser = new TestBrowser();
  const login = await browser.get(`${secure.issuer}/login`);
  const signedIn = await signIn(browser, login, await secure.user());
  assert.equal(signedIn.status, 303);
  assert.match(
    signedIn.response.headers.getSetCookie().join('\n'),
    /^__Host-authserver_session=[^;]+;.*; Path=\/;.*; Secure/m,
  );
  assert.equal((await browser.get(`${secure.issuer}/account`)).status, 200);

  // What a sister host can set beside it: a session of the attacker's, at a longer path and so before the person's.
  const tossed = browser.cookies.get('__Host-authserver_session');
  const victim = new TestBrowser();
  victim.cookies.set('authserver_session', String(tossed));
  assert.equal((await victim.get(`${secure.issuer}/account`)).location?.pathname, '/login');
});

test('an answer in silence goes only to a host that the person has allowed before [threat B12]', async () => {
  const redirectUris = ['https://one.example/cb', 'https://evil.example/cb'];
  const client = await server.client({ source: 'dcr', redirectUris });
  const friend = await known(client);
  const wrong = { prompt: 'none', scope: 'bogus' };
  deniedByRedirect(await start(friend, wrong, client), client, 'invalid_scope', server.issuer);
  deniedByPage(await start(friend, { ...wrong, redirect_uri: redirectUris[1] }, client));
});

test('what travels sealed is taken to the letter: no other spelling of it opens anything [threat H03]', async () => {
  const browser = new TestBrowser();
  const sealed = (await start(browser)).location?.searchParams.get('request') ?? '';
  assert.equal((await browser.get(`${server.issuer}/login?request=${sealed}`)).status, 200);
  for (const blank of ['%0d%0a', '%0a', '%20', '%09', '%22', '=']) {
    const odd = `${sealed.slice(0, -30)}${blank}${sealed.slice(-30)}`;
    deniedByPage(await browser.get(`${server.issuer}/login?request=${odd}`));
    deniedByPage(await browser.get(`${server.issuer}/oauth/continue?request=${odd}`));
  }
});
