/** The Transit engine. https://developer.hashicorp.com/vault/api-docs/secret/transit */
import { type Body, data, empty, errors, missing, type Reply } from './reply.ts';
import { decrypt, encrypt } from './transit-encryption.ts';
import { isKeyType, newVersion, type TransitKey, toView } from './transit-keys.ts';
import { sign, verify } from './transit-signing.ts';

export const createTransit = () => {
  const keys = new Map<string, TransitKey>();

  const create = (name: string, body: Body): Reply => {
    const type = body.type ?? 'aes256-gcm96';
    if (typeof type !== 'string' || !isKeyType(type)) return errors(400, `unknown key type ${String(type)}`);
    const existing = keys.get(name);
    if (existing === undefined) keys.set(name, newKey(name, type, body.derived === true));
    return data(toView(keys.get(name) as TransitKey));
  };

  const configure = (key: TransitKey, body: Body): Reply => {
    const wanted = { ...key };
    if (body.min_decryption_version !== undefined)
      wanted.minDecryptionVersion = Math.max(1, Number(body.min_decryption_version));
    if (body.min_encryption_version !== undefined) wanted.minEncryptionVersion = Number(body.min_encryption_version);
    if (body.deletion_allowed !== undefined) wanted.deletionAllowed = body.deletion_allowed === true;
    const latest = key.versions.length;
    if (wanted.minDecryptionVersion > latest)
      return errors(
        400,
        `cannot set min decryption version of ${wanted.minDecryptionVersion}, latest key version is ${latest}`,
      );
    if (wanted.minEncryptionVersion > latest)
      return errors(
        400,
        `cannot set min encryption version of ${wanted.minEncryptionVersion}, latest key version is ${latest}`,
      );
    if (wanted.minEncryptionVersion > 0 && wanted.minEncryptionVersion < wanted.minDecryptionVersion)
      return errors(400, 'cannot set min encryption/decryption values; min encryption version is smaller');
    Object.assign(key, wanted);
    return data(toView(key));
  };

  return {
    /** Whether an encryption would make the key, which needs another capability. */
    wouldCreate: (path: string): boolean => {
      const [operation = '', name = '', member] = path.split('/');
      return ['keys', 'encrypt'].includes(operation) && member === undefined && !keys.has(name);
    },

    /** @param path below the mount */
    handle(method: string, path: string, body: Body): Reply {
      const [operation = '', name = '', member] = path.split('/');
      const key = keys.get(name);
      if (operation === 'keys') {
        if (method === 'POST' && member === undefined) return create(name, body);
        if (key === undefined)
          return method === 'POST' ? errors(400, `no existing key named ${name} could be found`) : missing;
        if (method === 'GET' && member === undefined) return data(toView(key));
        if (method === 'POST' && member === 'config') return configure(key, body);
        if (method === 'POST' && member === 'rotate') {
          key.versions.push(newVersion(key.type));
          return data(toView(key));
        }
        if (method === 'DELETE' && member === undefined) {
          if (!key.deletionAllowed)
            return errors(400, `error deleting policy ${name}: deletion is not allowed for this key`);
          keys.delete(name);
          return empty;
        }
        return errors(405, 'unsupported operation');
      }
      if (method !== 'POST') return errors(405, 'unsupported operation');
      if (operation === 'encrypt') {
        const derived = typeof body.context === 'string' && body.context !== '';
        if (key === undefined) keys.set(name, newKey(name, 'aes256-gcm96', derived));
        return encrypt(keys.get(name) as TransitKey, body);
      }
      if (operation === 'decrypt' || operation === 'rewrap') {
        if (key === undefined) return errors(400, 'encryption key not found');
        const opened = decrypt(key, body);
        if (operation === 'decrypt' || opened.status !== 200) return opened;
        const { plaintext } = (opened.body?.data ?? {}) as Body;
        return encrypt(key, { ...body, plaintext });
      }
      if (operation === 'sign' || operation === 'verify') {
        if (key === undefined) return errors(400, 'signing key not found');
        return operation === 'sign' ? sign(key, member, body) : verify(key, member, body);
      }
      return errors(404, `no handler for route "transit/${path}". route entry not found.`);
    },
  };
};

const newKey = (name: string, type: TransitKey['type'], derived: boolean): TransitKey => ({
  name,
  type,
  derived,
  versions: [newVersion(type)],
  minDecryptionVersion: 1,
  minEncryptionVersion: 0,
  deletionAllowed: false,
});
