import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { type Body, data, errors, type Reply } from './reply.ts';
import type { TransitKey } from './transit-keys.ts';

const isBase64 = (text: string): boolean => /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0;
const badBase64 = (what: string): Reply => errors(400, `failed to base64-decode ${what}`);
const noContext =
  "missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request information must be included in order to perform operations with the key";

type Inputs = { associated: Buffer; secretOf(version: number): Buffer };

/** What both directions take beside the value. */
const readInputs = (key: TransitKey, body: Body): Inputs | Reply => {
  const { associated_data = '', context = '' } = body;
  if (key.type !== 'aes256-gcm96') return errors(400, `message encryption not supported for key type ${key.type}`);
  if (typeof associated_data !== 'string' || !isBase64(associated_data)) return badBase64('associated_data');
  if (typeof context !== 'string' || !isBase64(context)) return badBase64('context');
  if (key.derived && context === '') return errors(400, noContext);
  const secretOf = (version: number): Buffer => {
    const secret = key.versions[version - 1]?.secret as Buffer;
    return key.derived ? Buffer.from(hkdfSync('sha256', secret, '', Buffer.from(context, 'base64'), 32)) : secret;
  };
  return { associated: Buffer.from(associated_data, 'base64'), secretOf };
};

export const encrypt = (key: TransitKey, body: Body): Reply => {
  const inputs = readInputs(key, body);
  if ('status' in inputs) return inputs;
  if (typeof body.plaintext !== 'string') return errors(400, 'missing plaintext to encrypt');
  if (!isBase64(body.plaintext)) return badBase64('plaintext');
  const latest = key.versions.length;
  const version = Number(body.key_version ?? 0) || latest;
  if (version > latest) return errors(400, 'requested version for encryption is higher than the latest key version');
  if (version < Math.max(key.minEncryptionVersion, key.minDecryptionVersion))
    return errors(400, 'requested version for encryption is less than the minimum encryption key version');
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', inputs.secretOf(version), nonce).setAAD(inputs.associated);
  const sealed = [nonce, cipher.update(Buffer.from(body.plaintext, 'base64')), cipher.final(), cipher.getAuthTag()];
  return data({ ciphertext: `vault:v${version}:${Buffer.concat(sealed).toString('base64')}`, key_version: version });
};

export const decrypt = (key: TransitKey, body: Body): Reply => {
  const inputs = readInputs(key, body);
  if ('status' in inputs) return inputs;
  const { ciphertext = '' } = body;
  if (typeof ciphertext !== 'string' || ciphertext === '') return errors(400, 'missing ciphertext to decrypt');
  if (!ciphertext.startsWith('vault:v')) return errors(400, 'invalid ciphertext: no prefix');
  const [number, encoded, ...rest] = ciphertext.slice('vault:v'.length).split(':');
  if (encoded === undefined || rest.length > 0) return errors(400, 'invalid ciphertext: wrong number of fields');
  if (!/^\d+$/.test(number ?? '')) return errors(400, 'invalid ciphertext: version number could not be decoded');
  const version = Number(number) || 1;
  if (version > key.versions.length) return errors(400, 'invalid ciphertext: version is too new');
  if (version < key.minDecryptionVersion)
    return errors(400, 'ciphertext or signature version is disallowed by policy (too old)');
  if (!isBase64(encoded)) return errors(400, 'invalid ciphertext: could not decode base64');
  const blob = Buffer.from(encoded, 'base64');
  if (blob.length < 28) return errors(400, 'invalid ciphertext length');
  const decipher = createDecipheriv('aes-256-gcm', inputs.secretOf(version), blob.subarray(0, 12));
  decipher.setAAD(inputs.associated).setAuthTag(blob.subarray(-16));
  try {
    const plaintext = Buffer.concat([decipher.update(blob.subarray(12, -16)), decipher.final()]);
    return data({ plaintext: plaintext.toString('base64') });
  } catch {
    return errors(400, 'cipher: message authentication failed');
  }
};
