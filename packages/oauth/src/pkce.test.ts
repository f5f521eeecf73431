import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodeChallenge, isCodeVerifier, verifierMatches } from './pkce.ts';

// RFC 7636 appendix B
const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

test('the example of RFC 7636 appendix B matches', () => assert.ok(verifierMatches(verifier, challenge)));

test('anything else does not', () => {
  assert.ok(!verifierMatches(`${verifier}x`, challenge));
  assert.ok(!verifierMatches(verifier.toLowerCase(), challenge));
  assert.ok(!verifierMatches(challenge, challenge), 'the plain method is not supported');
  assert.ok(!verifierMatches('', challenge));
  assert.ok(!verifierMatches(verifier, ''));
  assert.ok(!verifierMatches(verifier, `${challenge}=`));
});

test('a verifier has 43 to 128 unreserved characters (RFC 7636 §4.1)', () => {
  for (const value of ['a'.repeat(43), 'a'.repeat(128), `${'a'.repeat(42)}~`, `-._~${'0'.repeat(39)}`])
    assert.ok(isCodeVerifier(value), value);
  for (const value of [
    '',
    'a'.repeat(42),
    'a'.repeat(129),
    `${'a'.repeat(42)}+`,
    `${'a'.repeat(43)}\n`,
    'é'.repeat(43),
  ])
    assert.ok(!isCodeVerifier(value), JSON.stringify(value));
});

test('a challenge is the base64url of 32 bytes (RFC 7636 §4.2)', () => {
  assert.ok(isCodeChallenge(challenge));
  for (const value of [
    '',
    'a'.repeat(42),
    'a'.repeat(44),
    `${'a'.repeat(42)}=`,
    `${'a'.repeat(42)}+`,
    `${'a'.repeat(43)}\n`,
  ])
    assert.ok(!isCodeChallenge(value), JSON.stringify(value));
});
