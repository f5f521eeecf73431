import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { fittingKeys, isAssertionType, PublicJwks, readAssertionClaims } from './client-assertion.ts';

const now = new Date('2026-01-01T00:00:00Z');
const seconds = now.getTime() / 1000;
const expected = { clientId: 'client_a', issuer: 'https://auth.example', now };
const claims = { iss: 'client_a', sub: 'client_a', aud: 'https://auth.example', exp: seconds + 60, jti: 'once' };

const good: Record<string, object> = {
  'with what is required': {},
  'with the issuer as the one member of an array': { aud: ['https://auth.example'] },
  'with sane nbf and iat': { nbf: seconds, iat: seconds - 5 },
  'with clocks that differ a little': { exp: seconds - 20, nbf: seconds + 20, iat: seconds + 20 },
  'with claims nobody asked for': { scope: 'x', htm: 'POST' },
};
for (const [name, change] of Object.entries(good))
  test(`an assertion ${name} is good`, () => {
    const read = readAssertionClaims({ ...claims, ...change }, expected);
    assert.ok(typeof read === 'object', String(read));
    assert.equal(read.jti, 'once');
    assert.ok(read.expiresAt > now);
  });

const bad: Record<string, [change: object, problem: RegExp]> = {
  'another iss': [{ iss: 'client_b' }, /iss and sub/],
  'another sub': [{ sub: 'client_b' }, /iss and sub/],
  'no iss': [{ iss: undefined }, /iss is missing/],
  'no sub': [{ sub: undefined }, /sub is missing/],
  'no aud': [{ aud: undefined }, /aud is missing/],
  'the token endpoint as aud': [{ aud: 'https://auth.example/oauth/token' }, /issuer alone/],
  'a trailing slash on aud': [{ aud: 'https://auth.example/' }, /issuer alone/],
  'two audiences': [{ aud: ['https://auth.example', 'https://other.example'] }, /issuer alone/],
  'the issuer twice': [{ aud: ['https://auth.example', 'https://auth.example'] }, /issuer alone/],
  'an empty aud': [{ aud: [] }, /issuer alone/],
  'no exp': [{ exp: undefined }, /exp is missing/],
  'exp as a string': [{ exp: String(seconds + 60) }, /exp is missing or malformed/],
  'exp beyond reason': [{ exp: 1e300 }, /exp is missing or malformed/],
  'exp in the past': [{ exp: seconds - 31 }, /expired/],
  'exp in an hour': [{ exp: seconds + 3600 }, /600 seconds/],
  'nbf in the future': [{ nbf: seconds + 60 }, /not valid yet/],
  'iat in the future': [{ iat: seconds + 60 }, /iat/],
  'no jti': [{ jti: undefined }, /jti is missing/],
  'an empty jti': [{ jti: '' }, /jti/],
  'jti as a number': [{ jti: 1 }, /jti/],
};
for (const [name, [change, problem]] of Object.entries(bad))
  test(`an assertion with ${name} is refused`, () =>
    assert.match(String(readAssertionClaims({ ...claims, ...change }, expected)), problem));

test('a payload that is no object is refused', () => {
  for (const payload of [undefined, null, 'x', []])
    assert.equal(typeof readAssertionClaims(payload, expected), 'string');
});

test('typ is the plain one, the one of the draft, or absent [R7523-21]', () => {
  for (const typ of [undefined, 'JWT', 'jwt', 'client-authentication+jwt', 'application/client-authentication+jwt'])
    assert.equal(isAssertionType(typ), true, String(typ));
  for (const typ of ['at+jwt', 'dpop+jwt', 'logout+jwt', '', 1, null])
    assert.equal(isAssertionType(typ), false, String(typ));
});

const jwk = (type: 'ec' | 'rsa' | 'ed25519', options: object = {}) => {
  const { publicKey, privateKey } = generateKeyPairSync(type as 'ec', options as { namedCurve: string });
  return { open: publicKey.export({ format: 'jwk' }), secret: privateKey.export({ format: 'jwk' }) };
};
const p256 = jwk('ec', { namedCurve: 'P-256' });
const p384 = jwk('ec', { namedCurve: 'P-384' });
const p521 = jwk('ec', { namedCurve: 'P-521' });
const rsa = jwk('rsa', { modulusLength: 2048 });
const weak = jwk('rsa', { modulusLength: 1024 });
const ed25519 = jwk('ed25519');
const acceptable = (key: object) => PublicJwks.safeParse({ keys: [key] }).success;

test('public keys of the supported kinds may be registered', () => {
  for (const { open } of [p256, p384, rsa, ed25519]) assert.equal(acceptable({ ...open, kid: 'a', use: 'sig' }), true);
});

test('private, secret, weak and foreign keys may not [threat G09]', () => {
  for (const { secret } of [p256, p384, rsa, ed25519]) assert.equal(acceptable(secret), false);
  for (const key of [p521.open, weak.open, { kty: 'oct', k: 'AAAA' }, { kty: 'oct' }, {}, { ...p256.open, use: 'enc' }])
    assert.equal(acceptable(key), false, JSON.stringify(key));
  assert.equal(acceptable({ ...p256.open, alg: 'HS256' }), false);
  assert.equal(acceptable({ ...p256.open, key_ops: ['encrypt'] }), false);
  for (const large of [{ e: rsa.open.n }, { n: 'x'.repeat(1400) }])
    assert.equal(acceptable({ ...rsa.open, ...large }), false, 'would keep us computing');
  assert.equal(PublicJwks.safeParse({ keys: [] }).success, false);
  assert.equal(PublicJwks.safeParse({ keys: Array(21).fill(p256.open) }).success, false);
});

test('of a public key only what a signature needs is kept', () => {
  const key = { ...p256.open, kid: 'a', use: 'sig', alg: 'ES256' };
  const odd = { x5c: [['x']], x_vendor: 'x', key_ops: ['verify', { deep: true }] };
  assert.deepEqual(PublicJwks.parse({ keys: [{ ...key, ...odd }] }), { keys: [{ ...key, key_ops: ['verify'] }] });
  for (const kid of ['a\0', '\ud800', 'x'.repeat(5_000), 7, {}])
    assert.deepEqual(PublicJwks.parse({ keys: [{ ...p256.open, kid }] }), { keys: [p256.open] });
});

test('the keys tried fit the algorithm and the kid, and are few', () => {
  const set = [
    { ...p256.open, kid: 'a' },
    { ...rsa.open, kid: 'a' },
    { ...p256.open, kid: 'b' },
    { ...rsa.open, alg: 'PS256' },
  ];
  const tried = (alg: string, kid?: string) => fittingKeys(set, { alg, kid }).length;
  assert.equal(tried('ES256', 'a'), 1);
  assert.equal(tried('ES256'), 2);
  assert.equal(tried('RS256'), 1);
  assert.equal(tried('PS256'), 2);
  assert.equal(tried('ES256', 'unknown'), 0);
  for (const alg of ['none', 'HS256', 'ES384', 'RS512']) assert.equal(tried(alg), 0);
  assert.equal(fittingKeys(Array(50).fill(p256.open), { alg: 'ES256', kid: undefined }).length, 4);
});
