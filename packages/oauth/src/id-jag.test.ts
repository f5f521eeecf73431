import assert from 'node:assert/strict';
import { test } from 'node:test';
import { federatedSubject, readIdJag } from './id-jag.ts';

const now = new Date('2026-03-01T12:00:00Z');
const seconds = now.getTime() / 1000;
const expected = {
  issuer: 'https://idp.example.com',
  audience: 'https://as.example.com',
  clientId: 'client_a',
  maxAgeSeconds: 300,
  now,
};
const sound = {
  iss: expected.issuer,
  sub: '00u1',
  aud: expected.audience,
  client_id: 'client_a',
  jti: 'one',
  exp: seconds + 300,
  iat: seconds,
};
const read = (claims: object) => readIdJag({ ...sound, ...claims }, expected);

const good: Record<string, object> = {
  'as it should be': {},
  'an array with the one audience': { aud: [expected.audience] },
  'a clock that is 29 seconds ahead': { iat: seconds + 29, nbf: seconds + 29 },
  'expired 29 seconds ago': { exp: seconds - 29, iat: seconds - 200 },
  'as old as it may be': { iat: seconds - 329, exp: seconds + 10 },
  'an hour of life': { exp: seconds + 3600 },
  'members we do not know': { email: 'a@example.com', act: { sub: 'x' } },
};
for (const [name, claims] of Object.entries(good))
  test(`an assertion is read: ${name}`, () => {
    assert.deepEqual('problem' in read(claims), false, JSON.stringify(read(claims)));
  });

const bad: Record<string, [object, RegExp]> = {
  ...Object.fromEntries(
    Object.keys(sound).map((name) => [`no ${name}`, [{ [name]: undefined }, new RegExp(`${name} is missing`)]]),
  ),
  'another issuer': [{ iss: 'https://idp.example.com/' }, /iss/],
  'two audiences': [{ aud: [expected.audience, 'https://other.example.com'] }, /this server alone/],
  'its audience twice': [{ aud: [expected.audience, expected.audience] }, /this server alone/],
  'no audience in its array': [{ aud: [] }, /this server alone/],
  'the token endpoint as audience': [{ aud: `${expected.audience}/oauth/token` }, /this server alone/],
  'another client': [{ client_id: 'client_b' }, /client_id/],
  'expired 30 seconds ago': [{ exp: seconds - 30, iat: seconds - 200 }, /expired/],
  'an end in a year': [{ exp: seconds + 31_536_000 }, /at most 3600 seconds/],
  'an iat that is 31 seconds ahead': [{ iat: seconds + 31 }, /in the future/],
  'an iat that is too old': [{ iat: seconds - 330 }, /older than 300 seconds/],
  'an nbf that is 31 seconds ahead': [{ nbf: seconds + 31 }, /not valid yet/],
  'times that are texts': [{ exp: String(seconds + 60) }, /exp/],
  'a subject with U+0000': [{ sub: 'a\u0000b' }, /sub/],
  'half a character in its subject': [{ sub: '\ud800' }, /sub/],
  'a subject without end': [{ sub: 'x'.repeat(256) }, /sub/],
  'a resource that is no text': [{ resource: 7 }, /resource/],
  'eleven resources': [{ resource: Array(11).fill('https://rs.example.com') }, /resource/],
  'a scope that is none': [{ scope: 'tools/"read"' }, /scope/],
  'a cnf without jkt': [{ cnf: { jwk: {} } }, /cnf/],
  'authorization details': [{ authorization_details: [] }, /cannot be honoured/],
};
for (const [name, [claims, said]] of Object.entries(bad))
  test(`an assertion is refused: ${name}`, () => {
    const answer = read(claims);
    assert.ok('problem' in answer, JSON.stringify(answer));
    assert.match(answer.problem, said);
    assert.equal(answer.otherClient, name === 'another client');
  });

test('a scope that names nothing grants nothing, and one that is absent sets no bound', () => {
  const scopes = (claims: object) => {
    const answer = read(claims);
    return 'scopes' in answer ? answer.scopes : answer;
  };
  assert.deepEqual(scopes({}), undefined);
  assert.deepEqual(scopes({ scope: '' }), []);
  assert.deepEqual(scopes({ scope: 'offline_access' }), []);
  assert.deepEqual(scopes({ scope: 'b  a b' }), ['b', 'a']);
});

test('an assertion is known as long as it could be used', () => {
  const until = (claims: object) => {
    const answer = read(claims);
    assert.ok('usableUntil' in answer);
    return answer.usableUntil.getTime() / 1000 - seconds;
  };
  assert.equal(until({ exp: seconds + 60 }), 90);
  assert.equal(until({ exp: seconds + 3600 }), 330);
  assert.equal(until({ iat: seconds - 100, exp: seconds + 3000 }), 230);
});

test('no two people of two issuers have one name', () => {
  assert.equal(federatedSubject('https://idp.example', '00u1|a@b'), 'https://idp.example:00u1|a@b');
  const pairs = [
    ['https://idp.example', '8443:ann'],
    ['https://idp.example:8443', 'ann'],
    ['https://idp.example/a', 'b:c'],
    ['https://idp.example/a:b', 'c'],
    ['https://idp.example', '8443%3Aann'],
    ['https://idp.example', '8443/ann'],
  ] as const;
  assert.equal(new Set(pairs.map(([issuer, subject]) => federatedSubject(issuer, subject))).size, pairs.length);
});
