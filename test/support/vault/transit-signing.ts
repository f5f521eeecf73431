import { constants, createPublicKey, type KeyObject, sign as signBytes, verify as verifyBytes } from 'node:crypto';
import { type Body, data, errors, type Reply } from './reply.ts';
import type { TransitKey } from './transit-keys.ts';

const hashes: Readonly<Record<string, string>> = { 'sha2-256': 'sha256', 'sha2-384': 'sha384', 'sha2-512': 'sha512' };

type Inputs = { input: Buffer; hash: string | null; encoding: 'base64' | 'base64url'; options: object };

const readInputs = (key: TransitKey, fromPath: string | undefined, body: Body): Inputs | Reply => {
  const { type } = key;
  if (type === 'aes256-gcm96') return errors(400, `key type ${type} does not support signing`);
  if (typeof body.input !== 'string') return errors(400, 'missing input');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(body.input)) return errors(400, 'unable to decode input as base64');
  const name = fromPath ?? String(body.hash_algorithm ?? 'sha2-256');
  const hash = hashes[name];
  if (hash === undefined) return errors(400, `invalid hash algorithm ${JSON.stringify(name)}`);
  const marshaling = body.marshaling_algorithm ?? 'asn1';
  if (marshaling !== 'asn1' && marshaling !== 'jws')
    return errors(400, `invalid marshaling_algorithm ${JSON.stringify(marshaling)}`);
  if (body.prehashed === true) return errors(501, 'this server does not sign hashes');
  const isPss = (body.signature_algorithm ?? 'pss') !== 'pkcs1v15';
  const input = Buffer.from(body.input, 'base64');
  const encoding = marshaling === 'jws' ? 'base64url' : 'base64';
  const options = type.startsWith('rsa')
    ? isPss
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN }
      : { padding: constants.RSA_PKCS1_PADDING }
    : { dsaEncoding: marshaling === 'jws' ? 'ieee-p1363' : 'der' };
  return { input, hash: type === 'ed25519' ? null : hash, encoding, options };
};

export const sign = (key: TransitKey, hashFromPath: string | undefined, body: Body): Reply => {
  const inputs = readInputs(key, hashFromPath, body);
  if ('status' in inputs) return inputs;
  const version = Number(body.key_version ?? 0) || key.versions.length;
  if (version > key.versions.length)
    return errors(400, 'requested version for signing is higher than the latest key version');
  if (version < Math.max(key.minEncryptionVersion, key.minDecryptionVersion))
    return errors(400, 'requested version for signing is less than the minimum encryption key version');
  const signer = key.versions[version - 1]?.privateKey as KeyObject;
  const signature = signBytes(inputs.hash, inputs.input, { key: signer, ...inputs.options });
  return data({ key_version: version, signature: `vault:v${version}:${signature.toString(inputs.encoding)}` });
};

export const verify = (key: TransitKey, hashFromPath: string | undefined, body: Body): Reply => {
  const inputs = readInputs(key, hashFromPath, body);
  if ('status' in inputs) return inputs;
  const [, number, encoded] = /^vault:v(\d+):(.+)$/.exec(String(body.signature ?? '')) ?? [];
  if (encoded === undefined) return errors(400, 'invalid signature: no prefix');
  if (Number(number) > key.versions.length) return errors(400, 'invalid signature: version is too new');
  if (Number(number) < key.minDecryptionVersion)
    return errors(400, 'ciphertext or signature version is disallowed by policy (too old)');
  const publicKey = createPublicKey(key.versions[Number(number) - 1]?.privateKey as KeyObject);
  const signature = Buffer.from(encoded, inputs.encoding);
  return data({ valid: verifyBytes(inputs.hash, inputs.input, { key: publicKey, ...inputs.options }, signature) });
};
