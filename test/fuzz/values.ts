/** Values that somebody forgot to expect. */
import type { Random } from './random.ts';

/** Shows up raw in a page, or as a header, when something was not escaped. */
export const markupCanary = '<fuzz-canary>';
export const headerCanary = 'x-fuzz-canary';

const texts = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\u0001\u001f\u007f',
  '\ud800',
  '\udc00\ud800',
  '\u202e\u2066',
  '日本語😀',
  'ﬀİıſK',
  'e\u0301'.repeat(50),
  `"'${markupCanary}&amp;`,
  `${markupCanary}<script>alert(1)</script>`,
  `a\r\n${headerCanary}: 1\r\n\r\n`,
  `a\n${headerCanary}: 1`,
  "'; drop table users; --",
  '$1',
  '%s%n',
  '../../etc/passwd',
  '..\\..',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  '[object Object]',
  'undefined',
  'null',
  'NaN',
  '-1',
  '0',
  '1e999',
  '9007199254740993',
  '99999999999999999999999999',
  '2147483648',
  '1.5',
  'true',
  '[]',
  '{}',
  '{"a":1}',
  '%',
  '%zz',
  '%00',
  '%E0%A4%A',
  '+',
  '*',
  'a b  c',
  'none',
] as const;

/** Addresses outside the reserved names and ranges would make the server call strangers. */
const uris = [
  'https://client.example/client.json',
  'https://client.example/a/../b',
  'https://client.example:0/x',
  'https://client.example/#f',
  'https://user:pw@client.example/x',
  'https://10.0.0.1/client.json',
  'https://[::1]/client.json',
  'https://169.254.169.254/latest/meta-data',
  'https://127.1/x',
  'https://client.example\\@evil.example/',
  'http://client.example/client.json',
  'https://xn--a.example/x',
  `https://client.example/${'a'.repeat(600)}`,
  'https:',
  'https://',
  'https:///x',
  '//evil.example',
  '/relative',
  'javascript:alert(1)',
  'data:text/html,x',
  'urn:ietf:params:oauth:request_uri:x',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'http://127.0.0.1:99999/cb',
  'https://app.example.com/cb#',
] as const;

export const hostile = (random: Random): string => {
  const kind = random.below(12);
  if (kind < 5) return random.pick(texts);
  if (kind < 7) return random.pick(uris);
  if (kind === 7) return jwt(random);
  if (kind === 8)
    return random.pick(['a', '%', 'é', ' ', '\0', '{', '['])?.repeat(random.pick([10, 300, 2_000, 8_000]));
  if (kind === 9) return String.fromCodePoint(...Array.from({ length: random.below(20) }, () => random.below(0xffff)));
  if (kind === 10)
    return random.bytes(random.below(60)).toString(random.pick(['base64', 'base64url', 'hex', 'latin1']));
  return random.pick(texts) + random.pick(texts);
};

/** One character replaced, left out, doubled or added. */
export const spoiled = (random: Random, text: string): string => {
  const at = random.below(text.length + 1);
  const rest = random.chance(0.5) ? text.slice(at + 1) : text.slice(at);
  return text.slice(0, at) + random.pick(['', 'A', '.', '=', ' ', '\0', '%', 'é', '~']) + rest;
};

const base64url = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Something with the shape of a JWT, from plausible to absurd. */
export const jwt = (random: Random): string => {
  const key = {
    kty: 'EC',
    crv: 'P-256',
    x: random.bytes(32).toString('base64url'),
    y: random.bytes(32).toString('base64url'),
  };
  const header = random.pick<unknown>([
    { alg: 'ES256', typ: 'at+jwt', kid: 'x' },
    { alg: 'ES256', typ: 'dpop+jwt', jwk: key },
    { alg: 'ES256', typ: 'dpop+jwt', jwk: { ...key, d: 'x' } },
    { alg: 'RS256', typ: 'dpop+jwt', jwk: { kty: 'RSA', n: 'A'.repeat(4_000), e: 'AQAB' } },
    { alg: 'EdDSA', typ: 'dpop+jwt', jwk: { kty: 'OKP', crv: 'Ed25519', x: 'A' } },
    { alg: 'ES256', typ: 'dpop+jwt', jwk: null },
    { alg: 'none' },
    { alg: 'HS256', typ: 'JWT' },
    { alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2_000_000_000 },
    { alg: 'dir', enc: 'A256GCM', zip: 'DEF' },
    { alg: 'ES256', crit: ['x'], x: 1 },
    { alg: ['ES256'], typ: { a: 1 } },
    { alg: 'ES256', jku: 'https://client.example/jwks', x5u: 'https://client.example/x' },
    [],
    null,
    '{"alg":"ES256"',
    `{"alg":"ES256","a":${'['.repeat(2_000)}`,
  ]);
  const now = Math.floor(Date.now() / 1000);
  const claims = random.pick<unknown>([
    { iss: 'x', sub: 'x', aud: 'x', exp: now + 60, iat: now, jti: 'x' },
    { htm: 'POST', htu: 'https://as.example/oauth/token', iat: now, jti: 'x' },
    { htm: 'POST', htu: '%', iat: 1e300, jti: '\0' },
    { iss: random.pick(uris), sub: random.pick(uris), aud: ['x', 7], exp: 1e30, jti: 'x'.repeat(3_000) },
    { exp: '1', nbf: -1, iat: null, jti: {} },
    7,
    null,
    '{',
  ]);
  const parts = [
    base64url(header),
    base64url(claims),
    random.bytes(random.pick([0, 1, 64, 256])).toString('base64url'),
  ];
  if (random.chance(0.1)) parts.push('x', 'y');
  return random.chance(0.1) ? parts.slice(1).join('.') : parts.join('.');
};

/** Any JSON, not too deep. */
export const json = (random: Random, depth = 0): unknown => {
  const kind = random.below(depth > 3 ? 5 : 7);
  if (kind < 2) return hostile(random);
  if (kind === 2) return random.pick([0, -1, 1.5, 1e308, 2 ** 53, 1e21]);
  if (kind === 3) return random.pick([null, true, false]);
  if (kind === 4) return random.pick<unknown>([[], {}, '', [[]], [null]]);
  const length = random.below(4);
  if (kind === 5) return Array.from({ length }, () => json(random, depth + 1));
  return Object.fromEntries(Array.from({ length }, () => [hostile(random), json(random, depth + 1)]));
};
