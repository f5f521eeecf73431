/** Keys of Vault's Transit engine: their names, their kinds, and their public parts as we publish them. */
import { createPublicKey } from 'node:crypto';
import type { JWK } from 'jose';
import { toPublicJwk } from './key-pair.ts';
import type { PublicJwk, SigningAlgorithm } from './key-store.ts';

/** `type` of a Transit key, for each algorithm. */
export const transitTypes = {
  ES256: 'ecdsa-p256',
  RS256: 'rsa-2048',
  EdDSA: 'ed25519',
} as const satisfies Record<SigningAlgorithm, string>;

/** RSA keys that somebody made larger than ours are as good. */
export const fitsTransitType = (type: unknown, alg: SigningAlgorithm): boolean =>
  type === transitTypes[alg] || (alg === 'RS256' && (type === 'rsa-3072' || type === 'rsa-4096'));

/** One version of a Transit key. */
export interface TransitVersion {
  readonly name: string;
  readonly version: number;
}

export const toVaultKid = ({ name, version }: TransitVersion): string => `${name}-v${version}`;

/** Undefined for what is no `kid` of a key in Vault. */
export const parseVaultKid = (kid: string): TransitVersion | undefined => {
  const [, name, version] = /^(.+)-v([1-9]\d{0,8})$/.exec(kid) ?? [];
  return name === undefined ? undefined : { name, version: Number(version) };
};

export const isVaultKid = (kid: string): boolean => parseVaultKid(kid) !== undefined;

/**
 * The public part of a version as Vault shows it: PEM (SPKI), or for Ed25519 the 32 bytes in base64.
 *
 * @throws {Error} when it is no public key for `alg`
 */
export async function readTransitPublicKey(kid: string, alg: SigningAlgorithm, shown: string): Promise<PublicJwk> {
  const jwk = alg === 'EdDSA' && !shown.includes('BEGIN') ? ed25519Jwk(shown) : pemJwk(shown);
  const read = await toPublicJwk(alg, jwk);
  createPublicKey({ key: read, format: 'jwk' });
  return Object.freeze({ ...read, kid });
}

const ed25519Jwk = (base64: string): JWK => ({
  kty: 'OKP',
  crv: 'Ed25519',
  x: Buffer.from(base64, 'base64').toString('base64url'),
});

const pemJwk = (pem: string): JWK => createPublicKey(pem).export({ format: 'jwk' }) as JWK;
