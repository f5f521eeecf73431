/** Keys of Vault's Transit engine: their names, their kinds, and their public parts as we publish them. */
import { createPublicKey } from 'node:crypto';
import type { JWK } from 'jose';
import { KeyStoreError } from './errors.ts';
import type { NewKey } from './key-home.ts';
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

/** A Transit key as Vault shows it: its versions that may still be used, with their public parts. */
export interface TransitKey {
  readonly name: string;
  readonly type: string;
  readonly versions: readonly { version: number; publicKey: string }[];
}

/** Undefined for an answer that describes no key. */
export function readTransitKey(name: string, answer: Record<string, unknown> | undefined): TransitKey | undefined {
  if (typeof answer?.type !== 'string' || typeof answer.keys !== 'object' || answer.keys === null) return undefined;
  const least = Math.max(Number(answer.min_decryption_version ?? 1), Number(answer.min_encryption_version ?? 0));
  const versions = Object.entries(answer.keys)
    .map(([version, shown]) => ({ version: Number(version), publicKey: String(shown?.public_key ?? '') }))
    .filter(({ version }) => version >= least)
    .sort((a, b) => b.version - a.version);
  return { name, type: answer.type, versions };
}

/** The versions as keys of a ring, newest first. */
export const versionsOf = ({ name, versions }: TransitKey, alg: SigningAlgorithm): Promise<NewKey[]> =>
  Promise.all(
    versions.map(async ({ version, publicKey }) => {
      const kid = toVaultKid({ name, version });
      const publicJwk = await readPublicKey(kid, alg, publicKey).catch(() => {
        throw new KeyStoreError(`Vault shows no public key for ${kid} that fits ${alg}.`);
      });
      return { kid, alg, publicJwk };
    }),
  );

/** PEM (SPKI), or for Ed25519 its 32 bytes in base64. */
async function readPublicKey(kid: string, alg: SigningAlgorithm, shown: string): Promise<PublicJwk> {
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
