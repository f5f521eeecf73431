import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRegisteredRedirectUri, type RedirectKind, redirectKind, withResponseParams } from './redirect-uri.ts';

const kinds: [uri: string, kind: RedirectKind | undefined][] = [
  ['https://app.example.com/cb', 'https'],
  ['https://app.example.com', 'https'],
  ['https://app.example.com:8443/cb?tenant=1', 'https'],
  ['https://[2001:db8::1]/cb', 'https'],
  ['http://localhost/cb', 'loopback'],
  ['http://localhost:3334/callback', 'loopback'],
  ['http://127.0.0.1:1/cb', 'loopback'],
  ['http://[::1]:65535/cb', 'loopback'],
  ['com.example.app:/cb', 'private-use'],
  ['cursor://anysphere.cursor-retrieval/oauth/callback', 'private-use'],
  // never
  ['http://app.example.com/cb', undefined],
  ['http://localhost.evil.example/cb', undefined],
  ['http://localhost@evil.example/cb', undefined],
  ['http://localhost:0/cb', undefined],
  ['http://localhost:65536/cb', undefined],
  ['http://127.1/cb', undefined],
  ['http://127.0.0.2/cb', undefined],
  ['http://0.0.0.0/cb', undefined],
  ['https://user@app.example.com/cb', undefined],
  ['https://user:pw@app.example.com/cb', undefined],
  ['https://app.example.com/cb#fragment', undefined],
  ['https://app.example.com\\@evil.example/cb', undefined],
  ['https://app.example.com/c b', undefined],
  ['https://app.example.com/\u0000', undefined],
  ['https://app.example.com/\n', undefined],
  ['https://ápp.example.com/cb', undefined],
  ['https:///cb', undefined],
  ['https:app.example.com', undefined],
  ['//app.example.com/cb', undefined],
  ['/cb', undefined],
  ['', undefined],
  ['javascript:alert(1)', undefined],
  ['JavaScript:alert(1)', undefined],
  ['data:text/html,x', undefined],
  ['file:///etc/passwd', undefined],
  ['app:', undefined],
  [`https://app.example.com/${'a'.repeat(2000)}`, undefined],
];

for (const [uri, kind] of kinds)
  test(`${JSON.stringify(uri).slice(0, 80)} is ${kind ?? 'no redirect URI'}`, () =>
    assert.equal(redirectKind(uri), kind));

const comparisons: [registered: string, presented: string, equal: boolean][] = [
  ['https://app.example.com/cb', 'https://app.example.com/cb', true],
  ['https://app.example.com/cb', 'https://app.example.com/cb/', false],
  ['https://app.example.com/cb', 'https://app.example.com/cb?x=1', false],
  ['https://app.example.com/cb', 'https://APP.example.com/cb', false],
  ['https://app.example.com/cb', 'https://app.example.com:443/cb', false],
  ['https://app.example.com/cb', 'https://app.example.com/a/../cb', false],
  ['https://app.example.com/cb', 'https://app.example.com/%63b', false],
  // the port of a loopback address is the client's to choose (RFC 8252 §7.3)
  ['http://127.0.0.1/cb', 'http://127.0.0.1:49152/cb', true],
  ['http://localhost:3334/cb', 'http://localhost:1234/cb', true],
  ['http://localhost:3334/cb', 'http://localhost/cb', true],
  ['http://[::1]:1/cb', 'http://[::1]:2/cb', true],
  ['http://localhost/cb', 'http://127.0.0.1/cb', false],
  ['http://localhost/cb', 'http://localhost:1/other', false],
  ['http://localhost/cb', 'http://localhost:1/cb?x=1', false],
  ['http://localhost/cb', 'http://localhost:0/cb', false],
  ['http://localhost', 'http://localhost:1', true],
  ['http://localhost/cb', 'https://localhost:1/cb', false],
  ['https://app.example.com:1/cb', 'https://app.example.com:2/cb', false],
  ['com.example.app:/cb', 'com.example.app:/cb', true],
  ['com.example.app:/cb', 'com.example.app://cb', false],
  // a row that could no longer be registered gives nothing
  ['http://localhost:65536/cb', 'http://localhost:6/cb', false],
  ['javascript:alert(1)', 'javascript:alert(1)', false],
];

for (const [registered, presented, equal] of comparisons)
  test(`${registered} ${equal ? 'admits' : 'does not admit'} ${presented}`, () =>
    assert.equal(isRegisteredRedirectUri([registered], presented), equal));

test('response parameters join a query the client registered, and replace its copies of ours', () => {
  assert.equal(
    withResponseParams('https://a.example/cb', { code: 'c', state: undefined }),
    'https://a.example/cb?code=c',
  );
  assert.equal(
    withResponseParams('https://a.example/cb?keep=1&code=evil&state=evil', { code: 'c', state: 's', iss: 'https://i' }),
    'https://a.example/cb?keep=1&code=c&state=s&iss=https%3A%2F%2Fi',
  );
  assert.equal(withResponseParams('https://a.example/cb?', { code: 'c' }), 'https://a.example/cb?code=c');
  assert.equal(withResponseParams('app:/cb', { state: 'a b&c=d\r\n"' }), 'app:/cb?state=a%20b%26c%3Dd%0D%0A%22');
});
