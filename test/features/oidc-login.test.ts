/** Sign-in at an OpenID provider: the way there and back, on two pods, with a provider that says what the test wants. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer, type TestUser } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import { type Misbehaviour, startOpenIdProvider } from '../support/openid-provider.ts';
import { answerConsent, deniedByPage, ok, pkce, signIn } from '../support/test-app.ts';

const client = { id: 'authserver', secret: 'the secret: of/authserver at the provider' };
let now = () => new Date();
const provider = await startOpenIdProvider(
  { id: client.id, secret: new URLSearchParams([['', client.secret]]).toString().slice(1) },
  () => now(),
);
const server = await startAuthServer({
  pods: 2,
  env: {
    OIDC_ENABLED: 'true',
    OIDC_ISSUER: provider.issuer,
    OIDC_CLIENT_ID: client.id,
    OIDC_CLIENT_SECRET_REF: 'CONNECTOR_IDP',
    OIDC_DISPLAY_NAME: 'Acme <staff>',
    OIDC_CONNECTOR_ID: 'ldap',
    SERVER_TRUSTED_PROXIES: '127.0.0.1/32,::1/128',
  },
  secrets: { CONNECTOR_IDP: client.secret },
});
now = () => server.clock.now();
const resource = await server.resource();
const app = await server.client();

let addresses = 0;
/** A person at an address of their own. */
const newBrowser = () => new TestBrowser({ 'x-forwarded-for': `198.51.100.${1 + (addresses++ % 250)}` });
const newSub = () => `sub-${randomBytes(4).toString('hex')}`;

const linkOf = (page: Page): string => {
  const href = /href="([^"]*\/oidc\/start[^"]*)"/.exec(page.html)?.[1]?.replaceAll('&#38;', '&');
  assert.ok(href, page.html);
  return new URL(href, page.url).href;
};

/** From the authorization request to the provider. */
const leave = async (browser: TestBrowser, params: Record<string, string> = {}) => {
  const { verifier, challenge } = pkce();
  const start = await browser.get(app.authorizeUrl(challenge, { resource: resource.uri, ...params }));
  const login = await browser.follow(start);
  const left = await browser.get(linkOf(login));
  assert.equal(left.status, 302, left.html);
  return { verifier, login, there: left.location as URL };
};

/** The whole way back, answered by another pod than the one that sent them. */
const comeBack = (browser: TestBrowser, there: URL, sub: string, how: Misbehaviour = {}) =>
  browser.get(atPod(provider.signIn(there, sub, how), 1));
const atPod = (url: string, pod: number): string => url.replace(app.url('', 0), app.url('', pod));

const userOf = async (sub: string) =>
  (
    await server.sql(
      `select id, email, name, provider, provider_issuer, role, status, version, password_hash from users where provider_sub = $1`,
      [sub],
    )
  )[0];

test('from the app to the provider and back to the app, across pods', async () => {
  const browser = newBrowser();
  const sub = newSub();
  const { verifier, login, there } = await leave(browser, { login_hint: 'ann@example.com' });
  assert.match(login.html, /Continue with Acme &#60;staff&#62;/);
  assert.equal(there.origin + there.pathname, `${provider.issuer}/authorize`);
  const asked = Object.fromEntries(there.searchParams);
  const { state, nonce, code_challenge, ...rest } = asked;
  assert.deepEqual(rest, {
    tenant: '7',
    response_type: 'code',
    client_id: client.id,
    redirect_uri: `${server.issuer}/oidc/callback`,
    scope: 'openid email profile',
    code_challenge_method: 'S256',
    max_age: '31536000',
    login_hint: 'ann@example.com',
    connector_id: 'ldap',
  });
  assert.match(nonce ?? '', /^[\w-]{43}$/);
  assert.match(code_challenge ?? '', /^[\w-]{43}$/);
  assert.doesNotMatch(Buffer.from(state?.split('.')[3] ?? '', 'base64url').toString('latin1'), /nonce|verifier/);

  const claims = { email: 'ann@example.com', name: 'Ann', auth_time: Math.floor(now().getTime() / 1000) - 3600 };
  const back = await comeBack(browser, there, sub, { claims });
  assert.equal(back.status, 303, back.html);
  assert.equal(back.location?.pathname, '/oauth/continue');
  const consent = await browser.follow(back);
  assert.match(consent.html, /ann@example\.com/);
  const callback = (await answerConsent(browser, consent, 'allow')).location;
  const code = callback?.searchParams.get('code') ?? '';
  const redirectUri = app.redirectUris[0] as string;
  const grant = { code, verifier, redirectUri, resource: resource.uri, callback: callback as URL };
  const token = decodeJwt(ok(await app.redeem(grant)).access_token);

  const user = await userOf(sub);
  assert.equal(token.sub, user?.id);
  assert.equal(token.auth_time, claims.auth_time, 'when they proved it there, not when they came here');
  assert.equal(token.acr, undefined, 'the provider does not say how');
  const { email, name, role, provider: kind, provider_issuer, password_hash } = user ?? {};
  assert.deepEqual(
    { email, name, role, kind, provider_issuer, password_hash },
    {
      email: 'ann@example.com',
      name: 'Ann',
      role: 'user',
      kind: 'oidc',
      provider_issuer: provider.issuer,
      password_hash: null,
    },
  );
});

test('the same person comes back to the same account, with their name and address as they are now', async () => {
  const sub = newSub();
  const arrive = async (claims: Record<string, unknown>) => {
    const browser = newBrowser();
    const { there } = await leave(browser);
    assert.equal((await comeBack(browser, there, sub, { claims })).status, 303);
    return userOf(sub);
  };
  const first = await arrive({ email: `${sub}@example.com`, name: 'First' });
  const second = await arrive({ email: `${sub}.new@example.com`, name: 'Second' });
  assert.deepEqual([second?.id, second?.email, second?.name], [first?.id, `${sub}.new@example.com`, 'Second']);
  const third = await arrive({ email: `${sub}.new@example.com`, name: 'Second' });
  assert.equal(third?.version, second?.version, 'nothing was new, so nothing was written');
  const fourth = await arrive({});
  assert.deepEqual([fourth?.email, fourth?.name], [second?.email, second?.name], 'what is not said stays');
  const other = await server.user();
  const fifth = await arrive({ email: other.email.toUpperCase() });
  assert.deepEqual(
    [fifth?.id, fifth?.email],
    [first?.id, second?.email],
    'the address of somebody else is not taken over',
  );
});

test('two first sign-ins of one person at once, on two pods, are one account', async () => {
  for (let round = 0; round < 5; round += 1) {
    const sub = newSub();
    const claims = { email: `${sub}@example.com`, name: 'Twice' };
    const arrive = async (pod: number) => {
      const browser = newBrowser();
      const { there } = await leave(browser);
      const back = atPod(provider.signIn(there, sub, { claims }), pod);
      return () => browser.get(back);
    };
    const both = await Promise.all([arrive(0), arrive(1), arrive(0), arrive(1)]);
    const answers = await Promise.all(both.map((go) => go()));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [303, 303, 303, 303],
    );
    assert.equal((await server.sql('select 1 from users where provider_sub = $1', [sub])).length, 1);
    const created = await server.sql(
      `select 1 from audit_events e join users u on u.id::text = e.actor_id::text
        where u.provider_sub = $1 and action = 'user.oidc_login' and details->>'created' = 'true'`,
      [sub],
    );
    assert.equal(created.length, 1);
  }
});

test('an account is never found by an address: a local one with it stays its owner’s [threat H11]', async () => {
  const alice = await server.user();
  const before = await server.sql('select * from users where id = $1', [alice.id]);
  for (const email of [alice.email, alice.email.toUpperCase()]) {
    const browser = newBrowser();
    const { there } = await leave(browser);
    const sub = newSub();
    const page = await comeBack(browser, there, sub, { claims: { email } });
    deniedByPage(page, 409);
    assert.match(page.html, /e-mail address is in use/);
    assert.ok(!browser.cookies.has('authserver_session'));
    assert.equal(await userOf(sub), undefined);
  }
  assert.deepEqual(await server.sql('select * from users where id = $1', [alice.id]), before);
});

test('an address that is not verified is nobody’s: the account has none, and takes none from anybody [threat H11]', async () => {
  const alice = await server.user();
  for (const email_verified of [false, 'false']) {
    const browser = newBrowser();
    const { there } = await leave(browser);
    const sub = newSub();
    const said = { email: alice.email, email_verified };
    const page = await comeBack(browser, there, sub, { claims: said, profile: said });
    assert.equal(page.status, 303, page.html);
    assert.equal((await userOf(sub))?.email, null);
    assert.doesNotMatch((await browser.follow(page)).html, new RegExp(alice.email));
  }
});

test('an e-mail address that only the userinfo endpoint tells, of the same person and nobody else', async () => {
  const arrive = async (how: Misbehaviour) => {
    const browser = newBrowser();
    const sub = newSub();
    const { there } = await leave(browser);
    return { sub, page: await comeBack(browser, there, sub, how) };
  };
  const good = await arrive({ profile: { email: 'userinfo@example.com', name: 'Usa' } });
  assert.equal(good.page.status, 303, good.page.html);
  const { email, name } = (await userOf(good.sub)) ?? {};
  assert.deepEqual([email, name], ['userinfo@example.com', 'Usa']);
  const asked = provider.count('/userinfo');
  const told = await arrive({ claims: { email: 'told@example.com' } });
  assert.equal(told.page.status, 303);
  assert.equal(provider.count('/userinfo'), asked, 'it is not asked what is known');
  const wrong = await arrive({ profile: { sub: 'somebody else', email: 'x@example.com' } });
  deniedByPage(wrong.page, 401);
  assert.equal(await userOf(wrong.sub), undefined);
  const ill = await arrive({ userinfo: (response) => response.writeHead(500).end() });
  deniedByPage(ill.page, 503);
});

test('names and addresses that are no such thing are not kept', async () => {
  for (const claims of [
    { email: 'no address', name: 'x'.repeat(300) },
    { email: 'a@b\u0000c', name: 'bell\u0007' },
    { email: 7, name: ['Ann'] },
    { email: `${'x'.repeat(250)}@example.com`, name: '   ' },
  ]) {
    const browser = newBrowser();
    const { there } = await leave(browser);
    const sub = newSub();
    const page = await comeBack(browser, there, sub, { claims, profile: claims });
    assert.equal(page.status, 303, page.html);
    const { email, name } = (await userOf(sub)) ?? {};
    assert.deepEqual([email, name], [null, '']);
  }
});

test('a disabled account is refused, and stays as it is', async () => {
  const sub = newSub();
  const browser = newBrowser();
  const { there } = await leave(browser);
  await comeBack(browser, there, sub, { claims: { name: 'Was here' } });
  const user = await userOf(sub);
  await server.store.users.setStatus(user?.id as string, 'disabled');
  const again = newBrowser();
  const second = await leave(again);
  const page = await comeBack(again, second.there, sub, { claims: { name: 'Is here' } });
  deniedByPage(page, 401);
  assert.ok(!again.cookies.has('authserver_session'));
  assert.equal((await userOf(sub))?.name, 'Was here');
  const events = await server.sql(
    `select details from audit_events where action = 'user.oidc_login_failed' and actor_id = $1`,
    [user?.id],
  );
  assert.deepEqual(events, [{ details: { reason: 'user_not_active' } }]);
});

test('a sign-in begins a new session and ends what the browser had before [threat H07]', async () => {
  const browser = newBrowser();
  const local = await server.user();
  const form = await browser.get(app.url('/login'));
  await signIn(browser, form, local);
  const before = browser.cookies.get('authserver_session') ?? '';
  const { there } = await leave(browser, { prompt: 'login' });
  const claims = { auth_time: Math.floor(now().getTime() / 1000) };
  assert.equal((await comeBack(browser, there, newSub(), { claims })).status, 303);
  assert.notEqual(browser.cookies.get('authserver_session'), before);
  const old = new TestBrowser();
  old.cookies.set('authserver_session', before);
  assert.equal((await old.get(app.url('/account'))).status, 303, 'the old session is over');
});

test('without a request that waits the account page follows, or the page that was wanted', async () => {
  const browser = newBrowser();
  for (const [path, leadsTo] of [
    ['/login', '/account'],
    ['/login?next=device&user_code=BCDF-GHJK', '/device?user_code=BCDF-GHJK'],
    ['/login?next=https://evil.example/', '/account'],
  ] as const) {
    const left = await browser.get(linkOf(await browser.get(app.url(path))));
    const back = await comeBack(browser, left.location as URL, newSub());
    const { pathname, search } = back.location as URL;
    assert.equal(pathname + search, leadsTo);
  }
});

test('a password that was typed there counts as one here', async () => {
  const acrOf = async (amr: unknown) => {
    const browser = newBrowser();
    const { there } = await leave(browser, { acr_values: 'pwd' });
    const back = await comeBack(browser, there, newSub(), { claims: { amr } });
    return browser.follow(back);
  };
  assert.equal(new URL((await acrOf(['pwd', 'otp'])).url).pathname, '/consent');
  for (const amr of [['otp'], 'pwd', undefined]) {
    const page = await acrOf(amr);
    assert.equal(page.location?.searchParams.get('error'), 'unmet_authentication_requirements', page.html);
  }
});

const person = async (): Promise<TestUser> => server.user();

test('the password form stands beside the button, and works', async () => {
  const browser = newBrowser();
  const login = await browser.get(app.url('/login'));
  assert.match(login.html, /name="password"/);
  assert.equal((await signIn(browser, login, await person())).status, 303);
});
