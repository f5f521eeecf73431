/** Answers of an OpenID provider, or of somebody who poses as one, that let nobody in. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { base64url } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import { type Misbehaviour, startOpenIdProvider } from '../support/openid-provider.ts';
import { deniedByPage } from '../support/test-app.ts';

const client = { id: 'authserver', secret: 'provider-secret' };
let now = () => new Date();
const provider = await startOpenIdProvider(client, () => now());
const server = await startAuthServer({
  pods: 2,
  env: {
    OIDC_ENABLED: 'true',
    OIDC_ISSUER: provider.issuer,
    OIDC_CLIENT_ID: client.id,
    OIDC_CLIENT_SECRET: client.secret,
    OIDC_DISPLAY_NAME: 'Acme',
    SERVER_TRUSTED_PROXIES: '127.0.0.1/32,::1/128',
  },
});
now = () => server.clock.now();
const resource = await server.resource();
const app = await server.client();
const seconds = () => Math.floor(now().getTime() / 1000);

let addresses = 0;
const newBrowser = () => new TestBrowser({ 'x-forwarded-for': `198.51.100.${1 + (addresses++ % 250)}` });
const newSub = () => `sub-${randomBytes(4).toString('hex')}`;
const linkOf = (page: Page): string =>
  new URL(/href="([^"]*\/oidc\/start[^"]*)"/.exec(page.html)?.[1]?.replaceAll('&#38;', '&') ?? '', page.url).href;

const leave = async (browser: TestBrowser, params: Record<string, string> = {}) => {
  const login = await browser.follow(await app.start({ resource: resource.uri, ...params }, browser));
  const left = await browser.get(linkOf(login));
  assert.equal(left.status, 302, left.html);
  return left.location as URL;
};

/** Nobody is signed in, nobody has an account, and the page tells nothing it should not. */
const letsNobodyIn = async (browser: TestBrowser, page: Page, sub: string, status: number): Promise<void> => {
  deniedByPage(page, status);
  assert.ok(!browser.cookies.has('authserver_session'), page.html);
  assert.doesNotMatch(page.html, /<script|provider-secret/);
  assert.deepEqual(await server.sql('select 1 from users where provider_sub = $1', [sub]), []);
};

const refused = async (how: Misbehaviour, status: number, params: Record<string, string> = {}): Promise<Page> => {
  const browser = newBrowser();
  const sub = newSub();
  const page = await browser.get(provider.signIn(await leave(browser, params), sub, how));
  await letsNobodyIn(browser, page, sub, status);
  return page;
};

const encode = (value: unknown) => base64url.encode(JSON.stringify(value));
const strangersKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

const badTokens: Record<string, () => Misbehaviour> = {
  'signed by somebody else': () => ({ key: strangersKey }),
  'signed by a key that has no name there': () => ({ key: strangersKey, header: { kid: 'nobody' } }),
  'signed with our client secret': () => ({
    key: new TextEncoder().encode(client.secret.padEnd(32, '.')),
    header: { alg: 'HS256' },
  }),
  'not signed at all': () => ({
    idToken: `${encode({ alg: 'none' })}.${encode({ iss: provider.issuer, sub: 'x', aud: client.id, exp: seconds() + 60, iat: seconds() })}.`,
  }),
  'no JWT': () => ({ idToken: 'a.b.c' }),
  'another kind of JWT': () => ({ header: { typ: 'at+jwt' } }),
  'of another issuer': () => ({ claims: { iss: 'https://evil.example' } }),
  'of an issuer with a slash more': () => ({ claims: { iss: `${provider.issuer}/` } }),
  'for another client': () => ({ claims: { aud: 'somebody-else' } }),
  'for us and others, without azp': () => ({ claims: { aud: [client.id, 'somebody-else'] } }),
  'for us and others, made for the other': () => ({ claims: { aud: [client.id, 'other'], azp: 'other' } }),
  'for us, made for another': () => ({ claims: { azp: 'other' } }),
  'without an audience': () => ({ claims: { aud: undefined } }),
  'with another nonce': () => ({ claims: { nonce: 'x'.repeat(43) } }),
  'without a nonce': () => ({ claims: { nonce: undefined } }),
  expired: () => ({ claims: { exp: seconds() - 31 } }),
  'without an end': () => ({ claims: { exp: undefined } }),
  'from the future': () => ({ claims: { iat: seconds() + 60, exp: seconds() + 90 } }),
  'from long ago': () => ({ claims: { iat: seconds() - 3_600 } }),
  'without its time': () => ({ claims: { iat: undefined } }),
  'not valid yet': () => ({ claims: { nbf: seconds() + 60 } }),
  'with the hash of another access token': () => ({ claims: { at_hash: 'x'.repeat(22) } }),
  'with a subject that is too long': () => ({ claims: { sub: 'x'.repeat(256) } }),
  'with a subject that is no text': () => ({ claims: { sub: 7 } }),
  'with an empty subject': () => ({ claims: { sub: '' } }),
  'with a subject that no database takes': () => ({ claims: { sub: 'a\u0000b' } }),
};
for (const [what, how] of Object.entries(badTokens))
  test(`an ID token ${what} lets nobody in (OpenID Connect Core §3.1.3.7) [threat H11]`, async () => {
    await refused(how(), 401);
  });

const badAnswers: Record<string, [how: Misbehaviour, status: number]> = {
  'without an ID token': [{ token: (response) => response.end('{"access_token":"x","token_type":"Bearer"}') }, 401],
  'that is no JSON': [{ token: (response) => response.end('<html>') }, 401],
  'with a token of another type': [
    { token: (response) => response.end('{"access_token":"x","token_type":"DPoP","id_token":"x"}') },
    401,
  ],
  'that is a fault of its own': [{ token: (response) => response.writeHead(500).end('secret') }, 503],
  'that sends us elsewhere': [
    { token: (response) => response.writeHead(307, { location: `${provider.issuer}/token` }).end() },
    503,
  ],
  'that is endless': [{ token: (response) => response.end('x'.repeat(300_000)) }, 503],
  'that is cut off': [{ token: (response) => response.destroy() }, 503],
  'that does not know the code': [
    { token: (response) => response.writeHead(400).end('{"error":"invalid_grant","error_description":"<script>"}') },
    401,
  ],
  'that does not know us': [{ token: (response) => response.writeHead(401).end('{"error":"invalid_client"}') }, 503],
};
for (const [what, [how, status]] of Object.entries(badAnswers))
  test(`an answer of the token endpoint ${what} lets nobody in`, async () => {
    await refused(how, status);
  });

test('an answer that belongs to no sign-in of this browser goes nowhere, not even to the provider [threat H11]', async () => {
  const asked = provider.count('/token');
  const browser = newBrowser();
  const there = await leave(browser);
  const sub = newSub();
  const state = there.searchParams.get('state') ?? '';
  const other = await leave(newBrowser());
  const backs: Misbehaviour['back'][] = [
    { state: undefined },
    { state: '' },
    { state: 'x' },
    { state: `${state.slice(0, -2)}AA` },
    { state: other.searchParams.get('state') ?? '' }, // another browser's
    { code: undefined },
    { error: '<script>alert(1)</script>' },
    { iss: 'https://evil.example' }, // mix-up (RFC 9207)
    { iss: `${provider.issuer}/` },
  ];
  for (const back of backs)
    await letsNobodyIn(browser, await browser.get(provider.signIn(there, sub, { back: back ?? {} })), sub, 400);
  const twice = `${provider.signIn(there, sub)}&state=${state}`;
  await letsNobodyIn(browser, await browser.get(twice), sub, 400);
  for (const cookie of [undefined, 'planted', 'A'.repeat(43)]) {
    const victim = newBrowser();
    if (cookie) victim.cookies.set('authserver_oidc_state', cookie);
    await letsNobodyIn(victim, await victim.get(provider.signIn(there, sub)), sub, 400);
  }
  assert.equal(provider.count('/token'), asked);
  assert.equal((await browser.get(provider.signIn(there, sub))).status, 303, 'none of it has spent the sign-in');
});

test('a sign-in is answered once, on whichever pod, and not after ten minutes [threat H11]', async () => {
  const browser = newBrowser();
  const there = await leave(browser);
  const [sub, second] = [newSub(), newSub()];
  const answers = await Promise.all(
    [0, 1, 0, 1].map((pod) => browser.get(provider.signIn(there, sub).replace(app.url('', 0), app.url('', pod)))),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [303, 400, 400, 400]);
  const later = newBrowser();
  later.cookies.set('authserver_oidc_state', browser.cookies.get('authserver_oidc_state') ?? '');
  await letsNobodyIn(later, await later.get(provider.signIn(there, second)), second, 400);

  const slow = newBrowser();
  const left = await leave(slow);
  server.clock.advance(601);
  await letsNobodyIn(slow, await slow.get(provider.signIn(left, second)), second, 400);
});

test('two tabs sign in beside each other', async () => {
  const browser = newBrowser();
  const first = await leave(browser);
  const second = await leave(newBrowserLike(browser));
  assert.equal((await browser.get(provider.signIn(first, newSub()))).status, 303);
  assert.equal((await browser.get(provider.signIn(second, newSub()))).status, 303);
});
const newBrowserLike = (browser: TestBrowser): TestBrowser => {
  const tab = new TestBrowser(browser.headers);
  for (const [name, value] of browser.cookies) tab.cookies.set(name, value);
  return tab;
};

test('a provider that says it names itself must do so (RFC 9207 §2.4)', async () => {
  let ownNow = now;
  const strict = await startOpenIdProvider(client, () => ownNow());
  strict.describe({ authorization_response_iss_parameter_supported: true });
  const own = await startAuthServer({
    env: {
      OIDC_ENABLED: 'true',
      OIDC_ISSUER: strict.issuer,
      OIDC_CLIENT_ID: client.id,
      OIDC_CLIENT_SECRET: client.secret,
      OIDC_SHOW_LOCAL_LOGIN: 'false',
    },
  });
  ownNow = () => own.clock.now();
  const browser = newBrowser();
  const go = async (back: Record<string, string>) => {
    const login = await browser.get(`${own.issuer}/login`);
    assert.doesNotMatch(login.html, /<form|authserver_login_nonce/);
    const left = await browser.get(linkOf(login));
    return browser.get(strict.signIn(left.location as URL, 'somebody', { back }));
  };
  deniedByPage(await go({}), 400);
  deniedByPage(await go({ iss: provider.issuer }), 400);
  assert.equal((await go({ iss: strict.issuer })).status, 303);
  assert.deepEqual([...browser.cookies.keys()].sort(), ['authserver_oidc_state', 'authserver_session']);

  for (const body of ['email=a@example.com&password=x', 'x'.repeat(100_000)]) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' };
    const answer = await fetch(`${own.issuer}/login`, { method: 'POST', headers, body, redirect: 'manual' });
    assert.equal(answer.status, 404);
  }
});

test('what the provider refuses is a page with a way back to the same sign-in', async () => {
  const browser = newBrowser();
  const sub = newSub();
  const there = await leave(browser);
  const back = { code: undefined, error: 'access_denied', error_description: '<script>alert(1)</script>' };
  const page = await browser.get(provider.signIn(there, sub, { back }));
  await letsNobodyIn(browser, page, sub, 400);
  assert.match(page.html, /not completed/);
  const again = await browser.get(
    new URL(/href="([^"]*\/login\?request=[^"]*)"/.exec(page.html)?.[1] ?? '', page.url).href,
  );
  const second = (await browser.get(linkOf(again))).location as URL;
  assert.equal((await browser.get(provider.signIn(second, sub))).location?.pathname, '/oauth/continue');
  for (const error of ['temporarily_unavailable', 'server_error'])
    await refused({ back: { code: undefined, error } }, 503);
});

test('a provider that is away: a page that says so, and sign-in once it is back', async () => {
  const browser = newBrowser();
  const there = await leave(browser);
  provider.goDown(true);
  const page = await browser.get(provider.signIn(there, newSub()));
  deniedByPage(page, 503);
  assert.match(page.html, /not your fault/);
  assert.equal(page.response.headers.get('retry-after'), '5');
  assert.equal((await browser.get(app.url('/login'))).status, 200);
  provider.goDown(false);
  assert.equal((await browser.get(provider.signIn(there, newSub()))).status, 303, 'the sign-in was not spent by that');
});

test('a server that has never reached its provider starts, says so, and recovers', async () => {
  const late = await startOpenIdProvider(client, () => now());
  late.goDown(true);
  const own = await startAuthServer({
    env: {
      OIDC_ENABLED: 'true',
      OIDC_ISSUER: late.issuer,
      OIDC_CLIENT_ID: client.id,
      OIDC_CLIENT_SECRET: client.secret,
    },
  });
  const browser = newBrowser();
  const start = `${own.issuer}/oidc/start`;
  deniedByPage(await browser.get(start), 503);
  const asked = late.requests.length;
  for (let n = 0; n < 20; n += 1) deniedByPage(await browser.get(start), 503);
  assert.equal(late.requests.length, asked, 'it is not asked for each of them');
  late.goDown(false);
  for (const wrong of [{ issuer: 'https://evil.example' }, { authorization_endpoint: 'javascript:alert(1)' }]) {
    late.describe(wrong);
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    deniedByPage(await browser.get(start), 503);
  }
  late.describe({});
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  assert.equal((await browser.get(start)).status, 302);
});

test('new keys of the provider are fetched once, and made-up ones are not fetched for', async () => {
  const sign = async (how: Misbehaviour = {}) => {
    const browser = newBrowser();
    return browser.get(provider.signIn(await leave(browser), newSub(), how));
  };
  await sign();
  server.clock.advance(31);
  provider.rotate();
  const before = provider.count('/keys');
  const answers = await Promise.all([sign(), sign(), sign()]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [303, 303, 303],
  );
  assert.equal(provider.count('/keys'), before + 1);
  for (let n = 0; n < 5; n += 1)
    assert.equal((await sign({ key: strangersKey, header: { kid: `k${n}` } })).status, 401);
  assert.equal(provider.count('/keys'), before + 1);
});

test('prompt and max_age reach the provider, and what it does is checked (RFC 9470 §4, OpenID Connect Core §3.1.2.1)', async () => {
  const asked = async (params: Record<string, string>) => {
    const browser = newBrowser();
    const there = await leave(browser, params);
    const come = (secondsAgo: number | undefined) => {
      const auth_time = secondsAgo === undefined ? undefined : seconds() - secondsAgo;
      return browser.get(provider.signIn(there, newSub(), { claims: { auth_time } }));
    };
    return { browser, there, come };
  };
  const login = await asked({ prompt: 'login' });
  assert.deepEqual([login.there.searchParams.get('prompt'), login.there.searchParams.get('max_age')], ['login', '0']);
  for (const secondsAgo of [3_600, 60, undefined]) deniedByPage(await login.come(secondsAgo), 401);
  const fresh = await login.browser.follow(await login.come(20)); // its clock may be half a minute behind
  assert.equal(new URL(fresh.url).pathname, '/consent', 'and they are not sent round once more');

  const recent = await asked({ max_age: '300' });
  assert.deepEqual([recent.there.searchParams.get('prompt'), recent.there.searchParams.get('max_age')], [null, '300']);
  for (const secondsAgo of [331, undefined]) deniedByPage(await recent.come(secondsAgo), 401);
  assert.equal(new URL((await recent.browser.follow(await recent.come(310))).url).pathname, '/consent');

  const choose = await asked({ prompt: 'select_account', login_hint: 'ann@example.com' });
  const { searchParams } = choose.there;
  assert.deepEqual([searchParams.get('prompt'), searchParams.get('login_hint')], ['login', null]);
  assert.equal(new URL((await choose.browser.follow(await choose.come(86_400))).url).pathname, '/consent');
});

test('who signs out here is asked at the provider which account it is to be', async () => {
  const browser = newBrowser();
  assert.equal((await browser.get(provider.signIn(await leave(browser), newSub()))).status, 303);
  const account = await browser.get(app.url('/account'));
  const out = await browser.post(app.url('/logout'), { csrf_token: account.field('csrf_token') });
  assert.equal(out.location?.pathname, '/login');
  const there = await leave(browser);
  assert.equal(there.searchParams.get('prompt'), 'login');
  assert.equal((await browser.get(provider.signIn(there, newSub()))).status, 303);
});

test('a client address that comes back all the time is slowed down', async () => {
  const browser = new TestBrowser({ 'x-forwarded-for': '203.0.113.9' });
  const answers: Page[] = [];
  for (let n = 0; n < 140; n += 1) answers.push(await browser.get(app.url('/oidc/callback?state=x&code=y')));
  const last = answers.at(-1) as Page;
  deniedByPage(last, 429);
  assert.ok(Number(last.response.headers.get('retry-after')) >= 1);
  assert.equal((await newBrowser().get(app.url('/oidc/callback?state=x&code=y'))).status, 400);
});

test('nobody but a browser that follows a link starts or ends a sign-in', async () => {
  for (const path of ['/oidc/start', '/oidc/callback?state=x&code=y'])
    for (const method of ['HEAD', 'POST', 'PUT']) {
      const answer = await fetch(app.url(path), { method, redirect: 'manual' });
      assert.equal(answer.status, 404, `${method} ${path}`);
    }
});

test('it is counted and written down, without codes, tokens or what strangers said', async () => {
  const before = await server.metric('authserver_login_attempts_total', { outcome: 'failure' });
  const succeeded = await server.metric('authserver_oidc_exchange_duration_seconds_count', { outcome: 'success' });
  const failed = await server.metric('authserver_oidc_exchange_duration_seconds_count', { outcome: 'failed' });
  await refused({ key: strangersKey }, 401);
  const browser = newBrowser();
  assert.equal((await browser.get(provider.signIn(await leave(browser), newSub()))).status, 303);
  assert.equal(await server.metric('authserver_login_attempts_total', { outcome: 'failure' }), before + 1);
  const seen = (outcome: string) => server.metric('authserver_oidc_exchange_duration_seconds_count', { outcome });
  assert.deepEqual([await seen('success'), await seen('failed')], [succeeded + 1, failed + 1]);
  const events = await server.sql(
    `select action, details from audit_events where action like 'user.oidc%' order by at desc limit 100`,
  );
  assert.ok(events.some(({ action }) => action === 'user.oidc_login'));
  for (const { action, details } of events)
    if (action === 'user.oidc_login_failed')
      assert.match((details as { reason?: string }).reason ?? 'many', /^[a-z_]+$/);
  assert.doesNotMatch(JSON.stringify(events), /script|eyJ/);
});
