/** Private keys in the table `signing_keys`, encrypted for their own row: a copy of one in another row opens nothing. */
import { KeyStoreError, SigningUnavailable } from './errors.ts';
import type { KeyHome, StoredKey } from './key-home.ts';
import { createKeyPair, fromPkcs8, toPkcs8 } from './key-pair.ts';
import type { SealedKey } from './key-table.ts';
import { localSigner } from './local-signer.ts';

/** What this home needs of the data encryption. */
export interface PrivateKeyCipher {
  encrypt(owner: string, plaintext: Buffer): Promise<SealedKey>;
  /** Throws something named `CipherUnavailableError` when a later try may succeed. */
  decrypt(owner: string, sealed: SealedKey): Promise<Buffer>;
}

/** Encrypts the PKCS#8 form of a private key for the row of its `kid`. */
export const sealPrivateKey = async (cipher: PrivateKeyCipher, kid: string, pkcs8: string): Promise<SealedKey> => {
  const plaintext = Buffer.from(pkcs8);
  try {
    return await cipher.encrypt(ownerOf(kid), plaintext);
  } catch (error) {
    throw asPassing(error);
  } finally {
    plaintext.fill(0);
  }
};

/** Without a cipher, keys that another configuration sealed cannot be opened, and none can be made. */
export function sealedKeys(cipher: PrivateKeyCipher | undefined): KeyHome {
  const open = async ({ record: { kid, alg }, sealed }: StoredKey) => {
    if (!sealed) throw new KeyStoreError(`The signing key ${kid} in the database has no private part.`);
    const pkcs8 = await requireCipher(cipher, kid).decrypt(ownerOf(kid), sealed).catch(refuse(kid));
    try {
      const pair = await fromPkcs8(alg, pkcs8.toString()).catch(refuse(kid));
      if (pair.kid !== kid)
        throw new KeyStoreError(`The signing key ${kid} in the database is another than its kid says.`);
      return localSigner(pair);
    } finally {
      pkcs8.fill(0);
    }
  };
  return {
    async make(alg) {
      const pair = await createKeyPair(alg);
      const { kid, publicJwk } = pair;
      return { kid, alg, publicJwk, sealed: await sealPrivateKey(requireCipher(cipher, kid), kid, toPkcs8(pair)) };
    },
    open,
    check: async (key) => void (await open(key)),
  };
}

const ownerOf = (kid: string): string => `signing-key:${kid}`;

const requireCipher = (cipher: PrivateKeyCipher | undefined, kid: string): PrivateKeyCipher => {
  if (!cipher) throw new KeyStoreError(`The signing key ${kid} needs data_encryption, which is not configured.`);
  return cipher;
};

const refuse =
  (kid: string) =>
  (error: unknown): never => {
    const passing = asPassing(error);
    if (passing instanceof SigningUnavailable) throw passing;
    const reason = error instanceof Error ? error.message : 'unreadable';
    throw new KeyStoreError(`The signing key ${kid} in the database cannot be opened: ${reason}`, { cause: error });
  };

const asPassing = (error: unknown): unknown =>
  error instanceof Error && error.name === 'CipherUnavailableError'
    ? new SigningUnavailable('unreachable', 'The home of the data encryption key does not answer.', error)
    : error;
