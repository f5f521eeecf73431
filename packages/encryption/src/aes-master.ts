/**
 * `aes_master`: AES-256-GCM under keys that are derived, one for each owner, from a master key of the operator.
 *
 * A value is stored as
 *
 *     version (1) | id of the master key (8) | nonce (12) | ciphertext | tag (16)
 *
 * The key is HKDF-SHA-256 (RFC 5869) of the master key with a fixed salt and the owner as info, so that random nonces are
 * counted for each owner and not for the whole database. Header and owner are authenticated with the value.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { type DataCipher, DecryptionError, type Sealed } from './data-cipher.ts';

const backend = 'aes_master';
const version = 1;
const keyIdBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;
const headerBytes = 1 + keyIdBytes;
const overheadBytes = headerBytes + nonceBytes + tagBytes;

/** Never to be changed: what is stored could not be opened any more. */
const valueSalt = 'authserver data encryption v1';
const keyIdSalt = 'authserver master key id v1';

/** 32 bytes that an operator made, and the short name by which a stored value says that it needs them. */
export type MasterKey = { id: Buffer; bytes: Buffer };

/** @returns undefined when the text is anything else than 64 hexadecimal digits */
export const readMasterKey = (text: string): MasterKey | undefined => {
  if (!/^[0-9a-f]{64}$/i.test(text)) return undefined;
  const bytes = Buffer.from(text, 'hex');
  return { bytes, id: derive(bytes, keyIdSalt, '', keyIdBytes) };
};

/** Encrypts with `current`; `previous` only opens what it encrypted once. */
export const aesMasterCipher = (keys: { current: MasterKey; previous?: MasterKey | undefined }): DataCipher => {
  const { current, previous } = keys;
  const known = previous === undefined ? [current] : [current, previous];
  const header = Buffer.concat([Buffer.of(version), current.id]);

  return {
    backend,

    async encrypt(owner, plaintext) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', keyOf(current, owner), nonce).setAAD(associated(header, owner));
      const blob = Buffer.concat([header, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
      return { backend, blob };
    },

    async decrypt(owner, sealed) {
      const parts = readBlob(sealed);
      const key = parts && known.find(({ id }) => id.equals(parts.keyId));
      if (parts === undefined)
        throw new DecryptionError(whyUnreadable(sealed), `what is stored for ${owner} is not an aes_master value`);
      if (key === undefined)
        throw new DecryptionError('unknown_key', `no configured master key encrypted what is stored for ${owner}`);
      const decipher = createDecipheriv('aes-256-gcm', keyOf(key, owner), parts.nonce, { authTagLength: tagBytes });
      decipher.setAAD(associated(parts.header, owner)).setAuthTag(parts.tag);
      try {
        return Buffer.concat([decipher.update(parts.ciphertext), decipher.final()]);
      } catch {
        throw new DecryptionError('auth_failed', `what is stored for ${owner} was changed, or belongs to another row`);
      }
    },

    async isCurrent(sealed) {
      return sealed.backend === backend && sealed.blob.subarray(0, headerBytes).equals(header);
    },
  };
};

const readBlob = ({ backend: by, blob }: Sealed) => {
  if (by !== backend || blob.length < overheadBytes || blob[0] !== version) return undefined;
  return {
    header: blob.subarray(0, headerBytes),
    keyId: blob.subarray(1, headerBytes),
    nonce: blob.subarray(headerBytes, headerBytes + nonceBytes),
    ciphertext: blob.subarray(headerBytes + nonceBytes, -tagBytes),
    tag: blob.subarray(-tagBytes),
  };
};

const whyUnreadable = ({ backend: by, blob }: Sealed): 'invalid_format' | 'unsupported_version' =>
  by === backend && blob.length >= overheadBytes ? 'unsupported_version' : 'invalid_format';

const associated = (header: Buffer, owner: string): Buffer => Buffer.concat([header, Buffer.from(owner)]);

const keyOf = ({ bytes }: MasterKey, owner: string): Buffer => derive(bytes, valueSalt, owner, 32);

const derive = (secret: Buffer, salt: string, info: string, length: number): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, salt, info, length));
