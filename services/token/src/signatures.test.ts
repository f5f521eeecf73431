import assert from 'node:assert/strict';
import { generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { test } from 'node:test';
import type { Jwk } from '@authserver/oauth';
import { CompactSign } from 'jose';
import { createSignatureCheck } from './signatures.ts';

const signedBy = createSignatureCheck();
const keys = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  EdDSA: generateKeyPairSync('ed25519'),
};
type Algorithm = keyof typeof keys;
const algorithms = Object.keys(keys) as Algorithm[];
const jwkOf = (alg: Algorithm): Jwk => keys[alg].publicKey.export({ format: 'jwk' }) as Jwk;
const sign = (alg: Algorithm, payload = '{"sub":"x"}', header: object = {}): Promise<string> =>
  new CompactSign(Buffer.from(payload)).setProtectedHeader({ alg, ...header }).sign(keys[alg].privateKey);

for (const alg of algorithms)
  test(`${alg}: the payload when the key has signed it, nothing when another has`, async () => {
    const jwt = await sign(alg);
    assert.deepEqual(await signedBy(jwt, [jwkOf(alg)], alg), { payload: { sub: 'x' } });
    assert.deepEqual(await signedBy(jwt, [...algorithms.map(jwkOf), jwkOf(alg)], alg), { payload: { sub: 'x' } });
    for (const other of algorithms.filter((one) => one !== alg))
      assert.equal(await signedBy(jwt, [jwkOf(other)], alg), undefined, `with a key for ${other}`);
    assert.equal(await signedBy(jwt, [], alg), undefined);
    assert.deepEqual(await signedBy(await sign(alg, 'no JSON'), [jwkOf(alg)], alg), { payload: undefined });
  });

for (const alg of ['ES256', 'RS256'] as const) {
  const broken: Record<string, (jwt: string) => string> = {
    'another payload': (jwt) => jwt.replace(/\.[^.]+\./, `.${Buffer.from('{"sub":"y"}').toString('base64url')}.`),
    'another header': (jwt) => jwt.replace(/^[^.]+/, Buffer.from(`{"alg":"${alg}" }`).toString('base64url')),
    'a header that is no JSON': (jwt) => jwt.replace(/^[^.]+/, 'e30x'),
    'no signature': (jwt) => jwt.replace(/[^.]+$/, ''),
    'half a signature': (jwt) => jwt.slice(0, -43),
    'a fourth part': (jwt) => `${jwt}.x`,
    'a line break': (jwt) => `${jwt}\n`,
    nothing: () => '',
  };
  for (const [name, change] of Object.entries(broken))
    test(`${alg}: ${name} is signed by nobody`, async () => {
      assert.equal(await signedBy(change(await sign(alg)), [jwkOf(alg)], alg), undefined);
    });
  test(`${alg}: an extension that must be understood is not (RFC 7515 §4.1.11)`, async () => {
    const [, payload] = (await sign(alg)).split('.');
    const header = Buffer.from(JSON.stringify({ alg, crit: ['exp'], exp: 1 })).toString('base64url');
    const key = { key: keys[alg].privateKey, dsaEncoding: 'ieee-p1363' } as const;
    const signature = signBytes('sha256', Buffer.from(`${header}.${payload}`), key).toString('base64url');
    assert.equal(await signedBy(`${header}.${payload}.${signature}`, [jwkOf(alg)], alg), undefined);
  });
  test(`${alg}: a header that says another algorithm is signed by nobody, whatever the signature says (RFC 8725 §3.1)`, async () => {
    const other = alg === 'ES256' ? 'RS256' : 'ES256';
    assert.equal(await signedBy(await sign(other), [jwkOf(other)], alg), undefined);
  });
}

test('keys that are none, of another curve or off the curve fit nothing, and break nothing', async () => {
  const jwt = await sign('ES256');
  const { x = '' } = jwkOf('ES256') as { x?: string };
  for (const jwk of [{ kty: 'EC' }, { kty: 'EC', crv: 'P-256', x, y: x }, { kty: 'oct', k: 'AAAA' }, { kty: 'none' }])
    assert.equal(await signedBy(jwt, [jwk as Jwk], 'ES256'), undefined, JSON.stringify(jwk));
});
