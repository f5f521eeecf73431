import { type KeyObject, verify } from 'node:crypto';
import type { SigningAlgorithm } from './key-store.ts';

/**
 * Whether a signature is by the holder of this key (RFC 7515 §5.2). Computed in this process, synchronously, as signing is:
 * some 50 µs for ES256.
 */
export function isSignedBy(
  { key, alg }: { key: KeyObject; alg: SigningAlgorithm },
  signingInput: string,
  signature: Buffer,
): boolean {
  const input = Buffer.from(signingInput);
  switch (alg) {
    case 'ES256':
      return verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature);
    case 'RS256': // node:crypto expects PKCS#1 v1.5 of RSA signatures unless told otherwise
      return verify('sha256', input, key, signature);
    case 'EdDSA':
      return verify(null, input, key, signature);
  }
}
