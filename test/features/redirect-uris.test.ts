import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { answerConsent, denied, deniedByPage, deniedByRedirect, ok, raw, read, signIn } from '../support/test-app.ts';

const server = await startAuthServer();
const user = await server.user();
const resource = await server.resource();
const app = await server.client({
  redirectUris: ['https://app.example.com/cb', 'http://127.0.0.1/cb', 'http://localhost/cb', 'http://[::1]:8080/cb'],
});
const native = await server.client({ redirectUris: ['com.example.app:/cb'] });

const register = async (redirectUris: unknown, applicationType = 'native') =>
  read(
    await fetch(app.url('/oauth/register'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        client_name: 'App',
        redirect_uris: redirectUris,
        application_type: applicationType,
        token_endpoint_auth_method: 'none',
      }),
    }),
  );

const unregistered = [
  'https://evil.example/cb',
  'https://app.example.com/cb/',
  'https://app.example.com/CB',
  'https://app.example.com:443/cb',
  'https://app.example.com:8443/cb',
  'http://app.example.com/cb',
  'http://app.example.com:81/cb',
  'HTTPS://app.example.com/cb',
  'https://APP.example.com/cb',
  'https://app.example.com/cb?x=1',
  'https://app.example.com/cb?code=stolen&state=s1',
  'https://app.example.com/cb#f',
  'https://app.example.com/cb%23f',
  'https://app.example.com/cb/../cb',
  'https://app.example.com/%63b',
  'https://app.example.com@evil.example/cb',
  'https://app.example.com\\@evil.example/cb',
  'https://app.example.com.evil.example/cb',
  'https://app.example.com/cb\n',
  ' https://app.example.com/cb',
  'http://127.0.0.1:7777/cb?x=1',
  'http://127.0.0.1:7777/other',
  'https://127.0.0.1:1/cb',
  'http://127.0.0.2/cb',
  'http://0.0.0.0/cb',
  'http://[::]/cb',
  'http://2130706433/cb',
  'http://127.1/cb',
  'http://[::ffff:127.0.0.1]/cb',
  'http://127.0.0.1:0/cb',
  'http://127.0.0.1:99999/cb',
  'http://127.0.0.1:/cb',
  'http://localhost.evil.example/cb',
  'http://user@localhost/cb',
  'javascript:alert(1)',
  'data:text/html,x',
  'com.example.app:/cb',
];
for (const redirectUri of unregistered)
  test(`never sent to ${JSON.stringify(redirectUri)} (RFC 9700 §2.1, RFC 8252 §7.3) [O21-09 MCP-16 O21-12 R9700-01] [threat B06] [threat B08] [threat B01]`, async () => {
    const page = await app.start({ redirect_uri: redirectUri });
    deniedByPage(page);
    assert.ok(!page.html.includes('evil.example'), 'the page repeats the address');
  });

for (const redirectUri of [
  'https://app.example.com/cb',
  'http://127.0.0.1:51234/cb',
  'http://127.0.0.1/cb',
  'http://localhost:51234/cb',
  'http://[::1]:51234/cb',
])
  test(`a code may go to ${redirectUri}, and the token request repeats it (RFC 8252 §7.3) [O21-10 R9700-01] [threat B08]`, async () => {
    const grant = await app.code({ user, resource: resource.uri, redirectUri });
    assert.ok(grant.callback.href.startsWith(redirectUri));
    if (redirectUri.includes('51234'))
      denied(await app.redeem(grant, { redirect_uri: redirectUri.replace('51234', '51235') }), 'invalid_grant');
    ok(await app.redeem(grant));
  });

test('a private-use scheme works for a native app (RFC 8252 §7.1)', async () => {
  const grant = await native.code({ user, resource: resource.uri });
  assert.ok(grant.callback.href.startsWith('com.example.app:/cb?'));
  ok(await native.redeem(grant));
});

for (const redirectUri of [
  'http://app.example.com/cb',
  'https://app.example.com/cb#f',
  'https://user:pw@app.example.com/cb',
  'https:///cb',
  'https://app.example.com\\cb',
  'https://app.example.com/c b',
  'https://app.example.com/cb\u0000',
  'http://127.0.0.2/cb',
  'http://0.0.0.0/cb',
  'http://[::]/cb',
  'http://127.1/cb',
  'http://localhost.evil.example/cb',
  'http://127.0.0.1:99999/cb',
  'http://2130706433/cb',
  'http://[::ffff:127.0.0.1]/cb',
  'http://user@localhost/cb',
  'javascript:alert(1)',
  'data:text/html,x',
  'file:///etc/passwd',
  'blob:https://app.example.com/x',
  '/cb',
  'cb',
  '',
])
  test(`${JSON.stringify(redirectUri)} cannot be registered (RFC 7591 §3.2.2) [MCP-20 O21-06 R7591-07 R9700-05] [threat B06 B08]`, async () => {
    denied(await register([redirectUri]), 'invalid_redirect_uri');
  });

test('a private-use scheme makes a client native, whatever it says (RFC 7591 §3.2.1)', async () => {
  for (const said of ['web', 'native'])
    assert.equal((await register(['com.example.app:/cb'], said)).body.application_type, 'native');
});

test('a registered query is kept, and our parameters are added once (RFC 6749 §3.1.2) [O21-07] [threat B06]', async () => {
  const redirectUri = 'https://app.example.com/cb?tenant=a%20b&state=planted&code=planted';
  const asking = await server.client({ redirectUris: [redirectUri] });
  const { callback } = await asking.code({ user, resource: resource.uri });
  assert.equal(callback.searchParams.get('tenant'), 'a b');
  assert.deepEqual(callback.searchParams.getAll('state'), ['the-state']);
  assert.equal(callback.searchParams.getAll('code').length, 1);
  assert.notEqual(callback.searchParams.get('code'), 'planted');
});

test('no error is built before the redirect URI is known to be good (RFC 6749 §4.1.2.1) [O21-12 MCP-17 O21-62] [threat B11] [threat B01]', async () => {
  const evil = 'https://evil.example/cb';
  deniedByPage(await app.start({ redirect_uri: evil, response_type: 'zzz' }));
  deniedByPage(await app.start({ redirect_uri: evil, scope: undefined }));
  deniedByPage(await app.start({ redirect_uri: evil, client_id: 'client_nobody' }));
  deniedByPage(await app.start({ redirect_uri: evil, code_challenge: undefined }));
  deniedByPage(await app.start({ redirect_uri: undefined }));
  deniedByPage(await app.start({ redirect_uri: '' }));
});

test('a self-registered client cannot use us to bounce people: a page names the destination (RFC 9700 §4.11.2) [O21-62 MCP-18] [threat B12]', async () => {
  const evil = await server.client({ source: 'dcr', redirectUris: ['https://evil.example/cb'], name: 'Your Bank' });
  const browser = new TestBrowser();
  const page = await evil.start({ scope: 'bogus' }, browser);
  deniedByPage(page);
  assert.match(page.html, /evil\.example/);
  const href = /href="([^"]*\/oauth\/return\?to=[^"]*)"/.exec(page.html)?.[1];
  assert.ok(href);
  const back = await browser.get(new URL(href, page.url).href);
  deniedByRedirect(back, evil, 'invalid_scope', server.issuer);
  deniedByPage(await browser.get(`${evil.url('/oauth/return')}?to=https://evil.example/`));
});

test('login and consent answer 303, so that a form is never posted again elsewhere (RFC 9700 §4.12) [O21-55 R9700-07] [threat B14]', async () => {
  const browser = new TestBrowser();
  const login = await browser.follow(await app.start({ resource: resource.uri }, browser));
  const signedIn = await signIn(browser, login, await server.user());
  assert.equal(signedIn.status, 303);
  const consent = await browser.follow(signedIn);
  assert.equal((await answerConsent(browser, consent, 'allow')).status, 303);
});

test('a person who signs in is never taken to another site by a sealed request (RFC 9700 §4.11)', async () => {
  const { search } = new URL(app.authorizeUrl('a'.repeat(43), { resource: resource.uri }));
  // A request line in absolute form (RFC 9112 §3.2.2) puts a host of the attacker's choice into the request target.
  const sealed = await raw(app.url('/'), { path: `http://evil.example/oauth/authorize${search}` });
  const location = sealed.headers.get('location');
  if (!location) return assert.ok(sealed.status >= 400 && sealed.status < 500);
  const browser = new TestBrowser();
  const login = await browser.get(new URL(location, app.url('/')).href);
  const after = await signIn(browser, login, await server.user());
  assert.equal(after.location?.origin, new URL(server.issuer).origin);
});
