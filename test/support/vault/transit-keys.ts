import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

const keyTypes = ['aes256-gcm96', 'ecdsa-p256', 'ed25519', 'rsa-2048', 'rsa-3072', 'rsa-4096'] as const;
type KeyType = (typeof keyTypes)[number];
export const isKeyType = (type: string): type is KeyType => keyTypes.includes(type as KeyType);

export type KeyVersion = { createdAt: Date; secret?: Buffer; privateKey?: KeyObject };
export type TransitKey = {
  name: string;
  type: KeyType;
  derived: boolean;
  versions: KeyVersion[];
  minDecryptionVersion: number;
  minEncryptionVersion: number;
  deletionAllowed: boolean;
};

export const newVersion = (type: KeyType): KeyVersion => {
  const createdAt = new Date();
  if (type === 'aes256-gcm96') return { createdAt, secret: randomBytes(32) };
  return { createdAt, privateKey: newPrivateKey(type) };
};

const newPrivateKey = (type: Exclude<KeyType, 'aes256-gcm96'>): KeyObject => {
  if (type === 'ecdsa-p256') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  if (type === 'ed25519') return generateKeyPairSync('ed25519').privateKey;
  return generateKeyPairSync('rsa', { modulusLength: Number(type.slice(4)) }).privateKey;
};

/** What reading a key answers: of an asymmetric one the public part, of a symmetric one the time of each version. */
export const toView = (key: TransitKey): Record<string, unknown> => {
  const isSymmetric = key.type === 'aes256-gcm96';
  const shown = key.versions
    .map((version, index) => [
      String(index + 1),
      isSymmetric ? seconds(version.createdAt) : publicPart(key.type, version),
    ])
    .filter(([number]) => Number(number) >= key.minDecryptionVersion);
  return {
    allow_plaintext_backup: false,
    auto_rotate_period: 0,
    deletion_allowed: key.deletionAllowed,
    derived: key.derived,
    exportable: false,
    imported_key: false,
    keys: Object.fromEntries(shown),
    latest_version: key.versions.length,
    min_available_version: 0,
    min_decryption_version: key.minDecryptionVersion,
    min_encryption_version: key.minEncryptionVersion,
    name: key.name,
    supports_decryption: isSymmetric || key.type.startsWith('rsa'),
    supports_derivation: isSymmetric || key.type === 'ed25519',
    supports_encryption: isSymmetric || key.type.startsWith('rsa'),
    supports_signing: !isSymmetric,
    type: key.type,
  };
};

const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);

const publicPart = (type: KeyType, { createdAt, privateKey }: KeyVersion): Record<string, unknown> => {
  const key = createPublicKey(privateKey as KeyObject);
  const pem = key.export({ format: 'pem', type: 'spki' });
  const raw = () => Buffer.from(key.export({ format: 'jwk' }).x as string, 'base64url').toString('base64');
  return {
    certificate_chain: '',
    creation_time: createdAt.toISOString(),
    name: type === 'ecdsa-p256' ? 'P-256' : type,
    public_key: type === 'ed25519' ? raw() : pem,
  };
};
