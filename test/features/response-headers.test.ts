import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import { ok, raw, signIn } from '../support/test-app.ts';

const server = await startAuthServer();
const user = await server.user();
const resource = await server.resource();
const app = await server.client({ authMethod: 'client_secret_basic' });

const guarded = (headers: Headers, name: string) => {
  assert.equal(headers.get('x-content-type-options'), 'nosniff', name);
  assert.equal(headers.get('x-frame-options'), 'DENY', name);
  assert.equal(headers.get('referrer-policy'), 'no-referrer', name);
  const policy = headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'/, name);
  assert.match(policy, /frame-ancestors 'none'/, name);
  assert.doesNotMatch(policy, /unsafe|\*/, name);
  assert.equal(headers.get('server'), null, name);
  assert.equal(headers.get('x-powered-by'), null, name);
};

test('every answer carries the security headers [O21-60 R9700-09 R9700-13]', async () => {
  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/livez'],
    ['GET', '/login'],
    ['GET', '/nowhere'],
    ['GET', '/oauth/authorize'],
    ['GET', '/oauth/token'],
    ['POST', '/oauth/token'],
    ['POST', '/oauth/register'],
    ['OPTIONS', '/oauth/token'],
    ['GET', '/.well-known/jwks.json'],
    ['GET', '/.well-known/nothing'],
    ['GET', '/%'],
    ['POST', '/logout'],
  ] as const) {
    const { headers } = await raw(server.issuer, { path, method });
    guarded(headers, `${method} ${path}`);
    assert.equal(headers.get('strict-transport-security'), null); // plain http here
  }
});

test('so does the answer Node itself gives to a request without a host (RFC 9112 §3.2)', async () => {
  const { hostname, port } = new URL(server.issuer);
  const socket = connect(Number(port), hostname);
  socket.end('GET /livez HTTP/1.1\r\n\r\n');
  const [status, ...lines] = (await textOf(socket)).split('\r\n\r\n')[0]?.split('\r\n') ?? [];
  assert.equal(status, 'HTTP/1.1 400 Bad Request');
  const headers = new Headers(lines.map((line) => line.split(': ', 2) as [string, string]));
  guarded(headers, 'without a host');
  assert.equal(headers.get('connection'), 'close');
  assert.deepEqual(
    [...headers.keys()].filter((name) => !/^[a-z][a-z-]+$/.test(name)),
    [],
  );
});

test('over https browsers are told to stay there (RFC 6797)', async () => {
  const secure = await startAuthServer({ env: { SESSION_SECURE: 'true' } });
  const answer = await fetch(`${secure.issuer}/login`);
  assert.equal(answer.headers.get('strict-transport-security'), 'max-age=63072000; includeSubDomains');
  assert.match(answer.headers.getSetCookie().join(), /; Secure/);
});

test('what holds a token or a secret is never kept (RFC 6749 §5.1) [O21-28 R6749-02] [threat C13]', async () => {
  const grant = await app.code({ user, resource: resource.uri });
  const redeemed = await app.redeem(grant);
  const { access_token, refresh_token } = ok(redeemed);
  const registered = await fetch(app.url('/oauth/register'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'x', redirect_uris: ['https://a.example/cb'] }),
  });
  assert.equal(registered.status, 201);
  for (const { headers } of [
    redeemed,
    await app.refresh(refresh_token),
    await app.introspect(access_token),
    await app.introspect('nonsense'),
    await app.revoke(access_token),
    await app.redeem(grant),
    await app.token({}),
    registered,
    await app.post('/oauth/register', {}),
  ])
    assert.equal(headers.get('cache-control'), 'no-store');
  assert.equal(redeemed.headers.get('pragma'), 'no-cache');
  assert.match(redeemed.headers.get('content-type') ?? '', /^application\/json/);
});

test('every page of the browser half is never kept, holds no script, and every step on is 303 (RFC 9700 §4.12) [O21-55 O21-60 R9700-07 R9700-08] [threat H05] [threat C13]', async () => {
  const browser = new TestBrowser();
  const seen: Page[] = [];
  const see = (page: Page): Page => {
    seen.push(page);
    return page;
  };
  const start = see(await app.start({ resource: resource.uri }, browser));
  const login = see(await browser.follow(start));
  const signedIn = see(await signIn(browser, login, user));
  const authorize = see(await browser.get((signedIn.location as URL).href));
  see(await browser.follow(authorize));
  see(await browser.get(app.url('/consent?request=x')));
  see(await app.start({ client_id: 'client_nobody' }, browser));
  see(await app.start({ scope: 'bogus' }, browser));
  see(await browser.get(app.url('/')));
  see(await browser.post(app.url('/logout'), {}));
  for (const { response, html, url, location } of seen) {
    guarded(response.headers, url);
    assert.equal(response.headers.get('cache-control'), 'no-store', url);
    assert.doesNotMatch(html, /<script|javascript:|\son[a-z]+=|src="http/i, url);
    if (location) assert.equal(response.status, 303, url);
    else assert.match(response.headers.get('content-type') ?? '', /^text\/html; charset=utf-8$/);
  }
});

test('a page may post to us and lead to its client, and to nobody else (CSP3 form-action)', async () => {
  const browser = new TestBrowser();
  const login = await browser.follow(await app.start({ resource: resource.uri }, browser));
  assert.match(
    login.response.headers.get('content-security-policy') ?? '',
    /form-action 'self' https:\/\/app\.example\.com(;|$)/,
  );
  const plain = await browser.get(app.url('/login'));
  assert.match(plain.response.headers.get('content-security-policy') ?? '', /form-action 'self'(;|$)/);
});

test('every answer has a request id of our own making', async () => {
  const ids = new Set<string>();
  for (let n = 0; n < 3; n += 1) {
    const answer = await fetch(`${server.issuer}/livez`, { headers: { 'x-request-id': 'planted' } });
    ids.add(String(answer.headers.get('x-request-id')));
  }
  assert.equal(ids.size, 3);
  assert.ok(!ids.has('planted'));
});
