import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSelfDescription } from './self-description.ts';

const redirects = ['https://app.example.com/cb', 'http://127.0.0.1/cb'];
const read = (metadata: Record<string, unknown>) => readSelfDescription(metadata, redirects);

test('what a client says about itself is kept as it said it, translations too (RFC 7591 §2.2)', () => {
  const sound = {
    client_uri: 'https://app.example.com/',
    logo_uri: 'https://app.example.com/logo.png',
    'tos_uri#ja-Jpan-JP': 'https://app.example.com/ja',
    policy_uri: 'https://app.example.com/privacy',
    'client_name#ja': 'クライアント',
    contacts: ['ops@example.com'],
    software_id: '4NRB1-0XZABZI9E6-5SM3R',
    software_version: '2.1',
  };
  assert.deepEqual(read({ ...sound, client_name: 'App', x_foo: 1, redirect_uris: redirects }), sound);
});

for (const [name, metadata] of Object.entries({
  'a page of somebody else': { logo_uri: 'https://bank.example/logo.png' },
  'a page on a loopback address': { client_uri: 'http://127.0.0.1/' },
  'a script': { tos_uri: 'javascript:alert(1)' },
  'a metadata service': { policy_uri: 'http://169.254.169.254/latest' },
  'user info': { client_uri: 'https://app.example.com@evil.example/' },
  'a page that is no text': { client_uri: ['https://app.example.com/'] },
  'a name in no language': { 'client_name#': 'App', 'client_name#a': 'App', 'client_name#ja#fr': 'App' },
  'a name with control characters': { 'client_name#ja': 'a\nb', 'client_name#fr': 'a\ud800' },
  'a name without end': { 'client_name#ja': 'a'.repeat(256) },
  'contacts that are no list': { contacts: 'ops@example.com' },
  'contacts that are no texts': { contacts: [['ops@example.com']] },
  'too many contacts': { contacts: ['a', 'b', 'c', 'd', 'e', 'f'] },
  'a version that is a number': { software_version: 2 },
  'a version in Japanese': { 'software_version#ja': '2' },
  'what would change the object': JSON.parse('{"__proto__": "x", "constructor#ja": "x"}') as Record<string, unknown>,
}))
  test(`${name} is not kept (RFC 7591 §5)`, () => assert.deepEqual(read(metadata), {}));

test('translations do not add up without end', () => {
  const many = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [
      `client_name#a${String.fromCharCode(97 + (index % 26))}-${index + 10}`,
      'x',
    ]),
  );
  assert.equal(Object.keys(read(many)).length, 20);
});
