import assert from 'node:assert/strict';
import { createPublicKey, sign } from 'node:crypto';
import { test } from 'node:test';
import { createKeyPair } from './key-pair.ts';
import { signingAlgorithms } from './key-store.ts';
import { localSigner } from './local-signer.ts';
import { isSignedBy } from './local-verifier.ts';

const input = 'header.payload';

for (const alg of signingAlgorithms)
  test(`a signature with ${alg} is that of its key, over what was signed, and of no other`, async () => {
    const [pair, other] = [await createKeyPair(alg), await createKeyPair(alg)];
    const key = createPublicKey(pair.privateKey);
    const signature = await localSigner(pair).sign(input);
    assert.equal(isSignedBy({ key, alg }, input, signature), true);
    assert.equal(isSignedBy({ key, alg }, `${input}x`, signature), false);
    assert.equal(isSignedBy({ key, alg }, input, signature.subarray(1)), false);
    assert.equal(isSignedBy({ key, alg }, input, Buffer.alloc(0)), false);
    assert.equal(isSignedBy({ key: createPublicKey(other.privateKey), alg }, input, signature), false);
  });

test('a signature with ES256 is R and S one after the other, and not DER (RFC 7518 §3.4)', async () => {
  const { privateKey } = await createKeyPair('ES256');
  const der = sign('sha256', Buffer.from(input), privateKey);
  assert.equal(isSignedBy({ key: createPublicKey(privateKey), alg: 'ES256' }, input, der), false);
});
