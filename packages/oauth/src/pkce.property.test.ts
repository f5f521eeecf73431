import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCodeChallenge, isCodeVerifier, verifierMatches } from './pkce.ts';

const unreserved = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~';
const verifier = fc
  .array(fc.constantFrom(...unreserved), { minLength: 43, maxLength: 128 })
  .map((characters) => characters.join(''));

/** RFC 7636 §4.2 with the other cryptography of the platform, and base64url by hand (appendix A). */
const challengeOf = async (text: string): Promise<string> => {
  const digest = new Uint8Array(await webcrypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return btoa(String.fromCharCode(...digest))
    .replace(/=+$/, '')
    .replaceAll('+', '-')
    .replaceAll('/', '_');
};

test('a verifier fits its challenge and no other (RFC 7636 §4.6) [R7636-02]', async () => {
  await fc.assert(
    fc.asyncProperty(verifier, verifier, async (one, other) => {
      const challenge = await challengeOf(one);
      assert.ok(isCodeChallenge(challenge));
      assert.ok(verifierMatches(one, challenge));
      assert.equal(verifierMatches(other, challenge), one === other);
      assert.equal(verifierMatches(challenge, challenge), false, 'plain');
    }),
  );
});

test('one changed character breaks the match, in the verifier and in the challenge', async () => {
  await fc.assert(
    fc.asyncProperty(verifier, fc.nat(127), fc.constantFrom(...unreserved, '=', '+', ' ', 'é'), async (one, at, by) => {
      const change = (text: string) => text.slice(0, at % text.length) + by + text.slice((at % text.length) + 1);
      const challenge = await challengeOf(one);
      assert.equal(verifierMatches(change(one), challenge), change(one) === one);
      // The last character of 43 holds two bits that stand for nothing, so it is left alone.
      const changed = change(challenge.slice(0, 42)) + challenge.slice(42);
      assert.equal(verifierMatches(one, changed), changed === challenge);
    }),
  );
});

test('verifiers and challenges keep to alphabet and length (RFC 7636 §4.1, §4.2) [R7636-01 R7636-07]', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...unreserved, '+', '=', '\n', 'é'), maxLength: 140 }), (text) => {
      const plain = [...text].every((character) => unreserved.includes(character));
      assert.equal(isCodeVerifier(text), plain && text.length >= 43 && text.length <= 128);
      assert.equal(isCodeChallenge(text), plain && text.length === 43 && !/[.~]/.test(text));
    }),
  );
});
