/**
 * `vault_transit_encrypt`: a key of Vault's Transit engine, of type `aes256-gcm96`, that never leaves Vault. What is stored
 * is Vault's own text, `vault:v<version>:<base64>`. The owner travels as `associated_data`, which Vault authenticates.
 */
import { type VaultClient, VaultError, vaultPath } from '@authserver/vault';
import { CipherUnavailableError, type DataCipher, DecryptionError, type Sealed } from './data-cipher.ts';

const backend = 'vault_transit_encrypt';
/** How long the latest version of the key is remembered; a rotation in Vault is noticed after that. */
const versionMs = 10_000;

export const vaultTransitCipher = (options: { vault: VaultClient; mount: string; keyName: string }): DataCipher => {
  const { vault, mount, keyName } = options;
  const path = (operation: string) => vaultPath(mount, operation, keyName);
  let bindsOwner: Promise<void> | undefined;
  let latest: { version: number; at: number } | undefined;

  const seal = async (owner: string, plaintext: Buffer): Promise<string> => {
    const body = { plaintext: plaintext.toString('base64'), associated_data: toAssociated(owner) };
    const answer = await vault.call('POST', path('encrypt'), body).catch(unavailable);
    if (typeof answer?.ciphertext !== 'string' || versionOf(answer.ciphertext) === undefined)
      throw new CipherUnavailableError(`Vault: ${path('encrypt')} gave no ciphertext`);
    return answer.ciphertext;
  };

  const open = async (owner: string, ciphertext: string): Promise<Buffer> => {
    const body = { ciphertext, associated_data: toAssociated(owner) };
    const answer = await vault.call('POST', path('decrypt'), body);
    if (typeof answer?.plaintext !== 'string')
      throw new CipherUnavailableError(`Vault: ${path('decrypt')} gave no plaintext`);
    return Buffer.from(answer.plaintext, 'base64');
  };

  /** A Vault before 1.13 does not know `associated_data` and does not say so: a value could be moved to another row. */
  const requireBinding = async (): Promise<void> => {
    const sealed = await seal('check:one', Buffer.from('check'));
    const opened = await open('check:two', sealed).catch((error: unknown) => {
      if (error instanceof VaultError && error.failure === 'refused') return undefined;
      return unavailable(error);
    });
    if (opened !== undefined)
      throw new CipherUnavailableError(
        `Vault: ${path('encrypt')} ignores associated_data; it must be Vault 1.13 or OpenBao`,
      );
  };

  const latestVersion = async (): Promise<number> => {
    if (latest !== undefined && performance.now() - latest.at < versionMs) return latest.version;
    const answer = await vault.call('GET', path('keys')).catch(unavailable);
    if (typeof answer?.latest_version !== 'number')
      throw new CipherUnavailableError(`Vault: ${path('keys')}: there is no such key`);
    latest = { version: answer.latest_version, at: performance.now() };
    return latest.version;
  };

  return {
    backend,

    async encrypt(owner, plaintext) {
      bindsOwner ??= requireBinding().catch((error: unknown) => {
        bindsOwner = undefined;
        throw error;
      });
      await bindsOwner;
      return { backend, blob: Buffer.from(await seal(owner, plaintext)) };
    },

    async decrypt(owner, sealed) {
      const ciphertext = sealed.blob.toString('latin1');
      if (sealed.backend !== backend || versionOf(ciphertext) === undefined)
        throw new DecryptionError('invalid_format', `what is stored for ${owner} is not a ${backend} value`);
      return await open(owner, ciphertext).catch((error: unknown) => {
        if (
          error instanceof VaultError &&
          error.failure === 'refused' &&
          !/key not found|no handler/.test(error.message)
        )
          throw new DecryptionError('auth_failed', `Vault does not open what is stored for ${owner}: ${error.message}`);
        return unavailable(error);
      });
    },

    async isCurrent(sealed: Sealed) {
      const version = sealed.backend === backend ? versionOf(sealed.blob.toString('latin1')) : undefined;
      return version !== undefined && version >= (await latestVersion());
    },
  };
};

const toAssociated = (owner: string): string => Buffer.from(owner).toString('base64');

const versionOf = (ciphertext: string): number | undefined => {
  const version = /^vault:v([1-9]\d{0,8}):/.exec(ciphertext)?.[1];
  return version === undefined ? undefined : Number(version);
};

/** Whatever Vault did not like of us, a value is not to blame. */
const unavailable = (error: unknown): never => {
  if (!(error instanceof VaultError)) throw error;
  throw new CipherUnavailableError(error.message, { cause: error });
};
