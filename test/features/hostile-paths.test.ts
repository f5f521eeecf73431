import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { raw } from '../support/test-app.ts';

const server = await startAuthServer();
const url = server.issuer;
const port = Number(new URL(url).port);

for (const path of [
  '//',
  '///oauth/token',
  '/oauth//token',
  '/oauth/token/',
  '/oauth/./token',
  '/oauth/../oauth/token',
  '/oauth/token;x=1',
  '/oauth/token%00',
  '/oauth/token%2f',
  '/OAUTH/TOKEN',
  '/%',
  '/%zz',
  '/%E0%A4%A',
  '/%ff%fe',
  '/..%2f..%2fetc%2fpasswd',
  '/..%5c..%5cetc%5cpasswd',
  '/.env',
  '/.git/config',
  '/admin/clients',
  '/metrics',
  '/debug',
  '/favicon.ico',
  '/login/',
  '/login%20',
  '/consent/x',
  '/?x=%',
  `/${'a'.repeat(7000)}`,
  '/.well-known',
  '/.well-known/%',
  '/oauth/return',
  '/oauth/return?to=x&to=y',
  '/login?request=x&request=y',
  '/consent?request=x&request=y',
  'http://evil.example/oauth/token',
  'http://evil.example/',
  '*',
])
  test(`GET ${path.slice(0, 40)} is answered, calmly (RFC 9110 §15.5)`, async () => {
    for (const accept of ['text/html', 'application/json', '*/*']) {
      const answer = await raw(url, { path, headers: { accept } });
      assert.ok(answer.status < 500, `${answer.status} ${answer.text}`);
      assert.doesNotMatch(answer.text, /node_modules|at async|evil\.example|FST_/);
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff', answer.text);
    }
  });

test('an unknown method is not a fault of ours (RFC 9110 §9.1)', async () => {
  for (const method of ['TRACE', 'PROPFIND', 'LOCK', 'PURGE', 'OPTIONS', 'HEAD', 'DELETE'])
    for (const path of ['/', '/oauth/token', '/oauth/authorize', '/login', '/.well-known/jwks.json']) {
      const answer = await raw(url, { path, method });
      assert.ok(answer.status < 500, `${method} ${path}: ${answer.status}`);
    }
});

test('up to 8 KiB of request target survive sign-in and consent; what is longer is refused, not cut [threat L03]', async () => {
  const app = await server.client();
  const resource = await server.resource();
  const user = await server.user();
  const state = 's'.repeat(7_500);
  const browser = new TestBrowser();
  const callback = await app.throughPages(browser, await app.start({ state, resource: resource.uri }, browser), {
    user,
  });
  assert.equal(callback.searchParams.get('state'), state);
  const long = [
    await raw(app.authorizeUrl('a'.repeat(43), { state: 's'.repeat(64_000) })),
    await raw(url, { headers: { cookie: 'x'.repeat(32_000) } }),
  ];
  for (const { status } of long) assert.ok([414, 431].includes(status), String(status));
});

test('hostile cookies are nobody (RFC 6265 §5.4)', async () => {
  for (const value of ['', '%00', '%zz', '"', 'x'.repeat(8_000), '__proto__', '\u00ff', 'a; authserver_session=b'])
    for (const path of ['/', '/login', '/consent?request=x']) {
      const answer = await raw(url, {
        path,
        headers: { cookie: `authserver_session=${value}; authserver_login_nonce=${value}` },
      });
      assert.ok(answer.status < 500, `${path} ${value.slice(0, 9)}: ${answer.status}`);
      assert.doesNotMatch(answer.text, /Signed in/);
    }
});

/** What the server says to bytes as they are. */
const exchange = (bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, 'localhost', () => socket.write(bytes));
    let text = '';
    socket.setTimeout(1_500, () => socket.destroy());
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });

const post = (headers: string, body: string) =>
  `POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n${headers}\r\n\r\n${body}`;

for (const [name, bytes] of Object.entries({
  'both lengths': post(
    'Content-Length: 4\r\nTransfer-Encoding: chunked',
    '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n',
  ),
  'two lengths': post('Content-Length: 1\r\nContent-Length: 2', 'ab'),
  'an unknown coding': post('Transfer-Encoding: xchunked', 'ab'),
  'a folded header': post('Content-Length: 1\r\nX-Folded: a\r\n b', 'a'),
  'a bare line feed': 'POST /oauth/token HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n',
  'no host': 'GET / HTTP/1.1\r\n\r\n',
}))
  test(`a request with ${name} ends the connection (RFC 9112 §6.1) [threat L09]`, async () => {
    const answer = await exchange(bytes);
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1);
  });
