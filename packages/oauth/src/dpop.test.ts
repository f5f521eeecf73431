import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isThumbprint, sameHtu } from './dpop.ts';

const endpoint = 'https://auth.example.com/oauth/token';

const equal = [
  endpoint,
  'HTTPS://auth.example.com/oauth/token',
  'https://AUTH.Example.COM/oauth/token',
  'https://auth.example.com:443/oauth/token',
  'https://auth.example.com:/oauth/token',
  'https://auth.example.com/oauth/token?grant=1',
  'https://auth.example.com/oauth/token#part',
  'https://auth.example.com/oauth/token?a#b?c#d',
  'https://auth.example.com/%6fauth/token',
  'https://auth.example.com/oauth/x/../token',
  'https://auth.example.com/oauth/./token',
  'https://auth.example.com/../oauth/token',
  'https://auth.example.com/oauth/%2e%2E/oauth/token',
];

const different = [
  '',
  '/oauth/token',
  '//auth.example.com/oauth/token',
  'http://auth.example.com/oauth/token',
  'https://auth.example.com/oauth/token/',
  'https://auth.example.com/oauth/Token',
  'https://auth.example.com/oauth//token',
  'https://auth.example.com//oauth/token',
  'https://auth.example.com/oauth/introspect',
  'https://auth.example.com/oauth%2Ftoken',
  'https://auth.example.com/oauth/token%2F',
  'https://auth.example.com/oauth/token%3F',
  'https://auth.example.com/oauth/token;v=1',
  'https://auth.example.com/oauth\\token',
  'https:\\\\auth.example.com/oauth/token',
  'https:auth.example.com/oauth/token',
  'https:/auth.example.com/oauth/token',
  'https:///auth.example.com/oauth/token',
  'https://auth.example.com:8443/oauth/token',
  'https://auth.example.com:80/oauth/token',
  'https://auth.example.com./oauth/token',
  'https://auth.example.com.evil.test/oauth/token',
  'https://evil.test/https://auth.example.com/oauth/token',
  'https://auth.example.com@evil.test/oauth/token',
  'https://user@auth.example.com/oauth/token',
  'https://user:secret@auth.example.com/oauth/token',
  'https://%61uth.example.com/oauth/token',
  'https://аuth.example.com/oauth/token',
  'https://auth\u3002example.com/oauth/token',
  ' https://auth.example.com/oauth/token',
  'https://auth.example.com/oauth/token ',
  'https://auth.example.com/oauth/to\nken',
  'https://auth.exam\tple.com/oauth/token',
  'https://auth.example.com/oauth/token%',
  'https://auth.example.com/oauth/token%0',
  'ftp://auth.example.com/oauth/token',
  'javascript:https://auth.example.com/oauth/token',
];

for (const htu of equal) test(`${htu} is the endpoint in other words`, () => assert.ok(sameHtu(htu, endpoint)));
for (const htu of different)
  test(`${JSON.stringify(htu)} is another address`, () => assert.ok(!sameHtu(htu, endpoint)));

test('a port, a path and an address of an issuer are compared too', () => {
  assert.ok(sameHtu('http://localhost:9000/t/oauth/token', 'http://LOCALHOST:09000/t/oauth/token'));
  assert.ok(!sameHtu('http://localhost/t/oauth/token', 'http://localhost:9000/t/oauth/token'));
  assert.ok(sameHtu('http://localhost:80', 'http://localhost/'));
  assert.ok(sameHtu('http://[::1]:9000/oauth/token', 'http://[::1]:9000/oauth/token'));
  assert.ok(!sameHtu('http://[::1]/oauth/token', 'http://127.0.0.1/oauth/token'));
  assert.ok(!sameHtu('http://0x7f.1/oauth/token', 'http://127.0.0.1/oauth/token'));
});

/** The same comparison by the parser of the WHATWG, which knows dot segments, ports and hosts but not `%6F`. */
const byWhatwg = (htu: string, other: string): boolean => {
  const read = (text: string): string | undefined => {
    const url = URL.parse(text);
    if (!url || url.username || url.password) return undefined;
    const path = url.pathname.replace(/%[0-7][0-9a-f]|%[89a-f][0-9a-f]/gi, (escaped) => {
      const decoded = /^%[0-7]/.test(escaped) ? decodeURIComponent(escaped) : escaped;
      return /^[\w.~-]$/.test(decoded) ? decoded : escaped.toUpperCase();
    });
    return `${url.protocol}//${url.host}${path}`;
  };
  const left = read(htu);
  return left !== undefined && left === read(other);
};

/** Numbers that look random and are the same in every run. */
const sequence = (seed: number) => () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

test('whatever is taken for the endpoint is the endpoint to the WHATWG parser as well [threat E04]', () => {
  const random = sequence(9449);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const pieces = [
    ...[
      '/',
      '//',
      '\\',
      '.',
      '..',
      '/./',
      '/../',
      '%2e',
      '%2E%2e',
      '%2f',
      '%6f',
      '%6F',
      '%C3%A9',
      '%',
      '%zz',
      ':',
      '@',
    ],
    ...[':443', ':80', '?', '#', '?x=/../', ' ', '\t', '\n', '\0', 'é', ';', '[', ']', 'x', 'O', 'user@', '.evil.test'],
  ];
  let taken = 0;
  for (let round = 0; round < 50_000; round++) {
    let htu = pick(equal);
    for (let change = Math.floor(random() * 3); change >= 0; change--) {
      const at = Math.floor(random() * (htu.length + 1));
      htu = htu.slice(0, at) + (random() < 0.8 ? pick(pieces) : '') + htu.slice(at + (random() < 0.3 ? 1 : 0));
    }
    if (!sameHtu(htu, endpoint)) continue;
    taken++;
    assert.ok(byWhatwg(htu, endpoint), `${JSON.stringify(htu)} is ${URL.parse(htu)?.href}`);
  }
  assert.ok(taken > 1000, `only ${taken} of them were taken`);
});

test('every http URL the WHATWG parser wrote is its own equal', () => {
  const random = sequence(3986);
  const letters = "abcXYZ019-._~!$&'()*+,;=:@/";
  for (let round = 0; round < 5_000; round++) {
    const path = Array.from({ length: 12 }, () => letters[Math.floor(random() * letters.length)]).join('');
    const { href } = new URL(`https://host-${round % 7}.example:${round % 2 ? 443 : 8443}/${path}`);
    assert.ok(sameHtu(href, href), href);
    assert.ok(!sameHtu(href, `${href}x`), href);
  }
});

test('a thumbprint is 256 bits in base64url', () => {
  assert.ok(isThumbprint('0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'));
  for (const other of [
    '',
    '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4',
    `${'A'.repeat(43)}=`,
    'A'.repeat(44),
    '='.repeat(43),
  ])
    assert.ok(!isThumbprint(other), other);
});
