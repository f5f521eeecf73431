/** Key pairs held by this process: made, written as PKCS#8, read back, and named by their RFC 7638 thumbprint. */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, type JWK } from 'jose';
import type { PublicJwk, SigningAlgorithm } from './key-store.ts';

export interface KeyPair {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly publicJwk: PublicJwk;
  readonly privateKey: KeyObject;
}

/** 22 base64url characters: the first 132 bits of the thumbprint. */
const KID_LENGTH = 22;
const MIN_RSA_BITS = 2048;

/** Public members beside `kty` (RFC 7518 §6.2.1, §6.3.1; RFC 8037 §2). What is not named here is never published. */
const publicMembers = {
  ES256: ['crv', 'x', 'y'],
  RS256: ['n', 'e'],
  EdDSA: ['crv', 'x'],
} as const satisfies Record<SigningAlgorithm, readonly (keyof JWK)[]>;

/** Whether this can be one of our key ids, and therefore part of a file name. */
export const isKid = (kid: string): boolean => /^[A-Za-z0-9_-]{22}$/.test(kid);

/** Makes a key pair off the event loop (RSA takes some 100 ms). */
export async function createKeyPair(alg: SigningAlgorithm): Promise<KeyPair> {
  const { privateKey } = await generators[alg]();
  return describeKey(alg, privateKey);
}

/** The private key as PKCS#8 PEM. */
export const toPkcs8 = ({ privateKey }: KeyPair): string =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/**
 * Reads a PKCS#8 PEM back.
 *
 * @throws {Error} when it is no private key or does not fit `alg`; the message quotes nothing of the input
 */
export async function fromPkcs8(alg: SigningAlgorithm, pem: string): Promise<KeyPair> {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key: pem, format: 'pem' });
  } catch {
    throw new Error('not an unencrypted PKCS#8 private key');
  }
  if (!fits(alg, privateKey)) throw new Error(`not a key for ${alg}`);
  return describeKey(alg, privateKey);
}

/** The published form of a public key: its public members, `kid`, `alg` and `use`. Frozen, as it is handed out. */
export async function toPublicJwk(alg: SigningAlgorithm, jwk: JWK): Promise<PublicJwk> {
  const members = { kty: jwk.kty ?? '', ...Object.fromEntries(publicMembers[alg].map((name) => [name, jwk[name]])) };
  const kid = (await calculateJwkThumbprint(members)).slice(0, KID_LENGTH);
  return Object.freeze({ ...members, kid, alg, use: 'sig' as const });
}

async function describeKey(alg: SigningAlgorithm, privateKey: KeyObject): Promise<KeyPair> {
  const publicJwk = await toPublicJwk(alg, createPublicKey(privateKey).export({ format: 'jwk' }) as JWK);
  return { kid: publicJwk.kid, alg, publicJwk, privateKey };
}

const generate = promisify(generateKeyPair);
const generators = {
  ES256: () => generate('ec', { namedCurve: 'P-256' }),
  RS256: () => generate('rsa', { modulusLength: MIN_RSA_BITS }),
  EdDSA: () => generate('ed25519', {}),
} satisfies Record<SigningAlgorithm, () => Promise<{ privateKey: KeyObject }>>;

function fits(alg: SigningAlgorithm, { asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  switch (alg) {
    case 'ES256':
      return asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1';
    case 'RS256':
      return asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS;
    case 'EdDSA':
      return asymmetricKeyType === 'ed25519';
  }
}
