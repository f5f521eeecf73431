import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readIdToken, readProfile } from './id-token.ts';

const now = new Date('2026-01-01T12:00:00Z');
const seconds = now.getTime() / 1000;
const expected = {
  issuer: 'https://idp.example.com',
  clientId: 'us',
  nonce: 'n-0S6_WzA2Mj',
  accessToken: 'jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y', // OpenID Connect Core, appendix A.4
  alg: 'RS256',
  now,
};
const good = {
  iss: expected.issuer,
  sub: 'ann',
  aud: 'us',
  exp: seconds + 300,
  iat: seconds,
  nonce: expected.nonce,
};

const accepted: [what: string, claims: object, alg?: string][] = [
  ['as it should be', {}],
  ['an audience in an array', { aud: ['us'] }],
  ['several audiences, made for us', { aud: ['us', 'them'], azp: 'us' }],
  ['a clock that is a little late', { iat: seconds + 29 }],
  ['just over', { exp: seconds - 29 }],
  ['the hash of its access token', { at_hash: '77QmUPtjPfzWtF2AnpK9RQ' }],
  ['the hash of its access token, for Ed25519', { at_hash: 'q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM' }, 'EdDSA'],
];
for (const [what, claims, alg = expected.alg] of accepted)
  test(`accepted: ${what}`, () => {
    const read = readIdToken({ ...good, ...claims }, { ...expected, alg });
    assert.ok('subject' in read, JSON.stringify(read));
  });

for (const payload of [undefined, null, 'text', [], {}, { ...good, at_hash: '' }, { ...good, exp: seconds - 30 }])
  test(`refused: ${JSON.stringify(payload)}`, () => {
    assert.ok('problem' in readIdToken(payload, expected));
  });

test('what a token says of time and password', () => {
  const read = readIdToken({ ...good, auth_time: seconds - 60, amr: ['pwd'] }, expected);
  assert.ok('subject' in read);
  assert.deepEqual([read.authTime?.getTime(), read.byPassword], [now.getTime() - 60_000, true]);
});

const profiles: [claims: object, email: string | undefined, name: string | undefined][] = [
  [{ email: 'a@b.example', name: 'Ann' }, 'a@b.example', 'Ann'],
  [{ email: ' a@b.example ', name: ' ', preferred_username: 'ann' }, 'a@b.example', 'ann'],
  [{ email: 'a@b.example', email_verified: true }, 'a@b.example', undefined],
  [{ email: 'a@b.example', email_verified: false }, undefined, undefined],
  [{ email: 'a@b.example', email_verified: 'false' }, undefined, undefined],
  [{ email: 'a b@c.example' }, undefined, undefined],
  [{ email: ['a@b.example'], name: 7 }, undefined, undefined],
];
for (const [claims, email, name] of profiles)
  test(`${JSON.stringify(claims)} is ${email ?? 'no address'}`, () => {
    assert.deepEqual(readProfile(claims), { email, name });
  });
