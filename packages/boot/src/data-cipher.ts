import { readFile } from 'node:fs/promises';
import { type Config, readNamedSecret } from '@authserver/config';
import {
  aesMasterCipher,
  anyBackendCipher,
  type DataCipher,
  type MasterKey,
  readMasterKey,
  vaultTransitCipher,
} from '@authserver/encryption';
import { createVaultClient, type VaultLogin } from '@authserver/vault';

type Section = Config['data_encryption'];

export type OpenedCipher = { cipher: DataCipher | undefined; close(): void };

/**
 * The cipher of `data_encryption`; undefined when none is configured. `env` holds the keys that the settings name. What is
 * configured beside the driver opens what it encrypted before. Vault is not asked yet: a process may start without it.
 */
export const openDataCipher = async (
  config: Config,
  env: NodeJS.ProcessEnv,
  warn: (message: string) => void,
): Promise<OpenedCipher> => {
  const { driver, aes_master, vault_transit_encrypt } = config.data_encryption;
  if (driver === undefined) return { cipher: undefined, close: () => {} };
  const vault = await openVaultTransit(vault_transit_encrypt, env, warn);
  const ciphers = [openAesMaster(aes_master, env), vault?.cipher].filter((cipher) => cipher !== undefined);
  const current = ciphers.find(({ backend }) => backend === driver);
  if (current === undefined) throw new Error(`data_encryption.driver is ${driver}, but its settings are missing`);
  const previous = ciphers.filter((cipher) => cipher !== current);
  return { cipher: anyBackendCipher(current, previous), close: () => vault?.close() };
};

const openAesMaster = ({ key_env, old_key_env }: Section['aes_master'], env: NodeJS.ProcessEnv) => {
  if (key_env === undefined) return undefined;
  const previous = old_key_env === undefined ? undefined : requireMasterKey(env, old_key_env);
  return aesMasterCipher({ current: requireMasterKey(env, key_env), previous });
};

const openVaultTransit = async (
  settings: Section['vault_transit_encrypt'],
  env: NodeJS.ProcessEnv,
  warn: (message: string) => void,
) => {
  const { address, key_name: keyName, mount_path: mount, ca_path, namespace, timeout } = settings;
  if (address === undefined || keyName === undefined) return undefined;
  const vault = createVaultClient({
    ...{ address, namespace },
    login: vaultLogin(settings, env),
    timeoutMs: timeout * 1000,
    ca: ca_path === undefined ? undefined : await readAuthorities(ca_path),
    onRenewalFailure: ({ message }) => warn(`data encryption: ${message}`),
  });
  return { cipher: vaultTransitCipher({ vault, mount, keyName }), close: () => vault.close() };
};

const readAuthorities = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Error('data_encryption.vault_transit_encrypt.ca_path names a file that cannot be read', { cause });
  });

const vaultLogin = (settings: Section['vault_transit_encrypt'], env: NodeJS.ProcessEnv): VaultLogin => {
  const { auth_method: method, token_env, approle } = settings;
  if (method === 'token') return { method, token: requireNamed(env, token_env) };
  const roleId = requireNamed(env, approle.role_id_env);
  return { method, mount: approle.mount, roleId, secretId: requireNamed(env, approle.secret_id_env) };
};

/** The configuration was checked with the same environment; whoever comes with another one is told so. */
const requireNamed = (env: NodeJS.ProcessEnv, name: string | undefined): string => {
  const read = readNamedSecret(env, name ?? '');
  if ('problem' in read) throw new Error(`data_encryption ${read.problem}`);
  return read.value;
};

const requireMasterKey = (env: NodeJS.ProcessEnv, name: string): MasterKey => {
  const key = readMasterKey(requireNamed(env, name));
  if (key === undefined) throw new Error(`${name} must hold a master key, 64 hexadecimal digits`);
  return key;
};
