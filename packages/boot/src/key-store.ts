import { readFile } from 'node:fs/promises';
import type { Config } from '@authserver/config';
import type { DataCipher } from '@authserver/encryption';
import {
  type Clock,
  isVaultKid,
  type KeyStore,
  type KeyTables,
  keyfileStore,
  sealedKeys,
  tableKeyStore,
  transitKeys,
  withoutVault,
} from '@authserver/keys';
import { type Database, repositories } from '@authserver/store';
import { createVaultClient, type VaultClient, type VaultLogin } from '@authserver/vault';

type Settings = Config['signing']['vault_transit'];

export type OpenedKeyStore = { keyStore: KeyStore; close(): void };

export type KeyStoreOptions = {
  config: Config;
  database: Database;
  cipher: DataCipher | undefined;
  /** False where keys are known to have existed: an empty home is then a lost one. */
  mayCreate: boolean;
  clock?: Clock;
  warn?: (message: string) => void;
};

/** The longest any access token lives: as long must a retired signing key stay in the JWKS. */
const longestTokenLifetime = (config: Config): number =>
  Math.max(config.dcr.default_token_expiry, config.client_credentials.token_expiry);

/**
 * The home of the signing keys that `signing.key_store` names. Vault is not asked yet. Where both are configured, a ring may
 * have keys in the table and in Vault, so that rotations lead from one to the other.
 */
export const openKeyStore = async (options: KeyStoreOptions): Promise<OpenedKeyStore> => {
  const { config, database, cipher, mayCreate, clock = { now: () => new Date() }, warn = () => {} } = options;
  const { key_store: store, key_path: directory, algorithm, vault_transit } = config.signing;
  const common = { algorithm, maxTokenLifetimeSeconds: longestTokenLifetime(config), mayCreate, clock };
  if (store === 'keyfile') return { keyStore: keyfileStore({ directory, ...common }), close: () => {} };
  const vault = await openVault(vault_transit, warn);
  const { mount, key_name: keyName } = vault_transit;
  const transit = vault ? transitKeys({ vault, mount, keyName }) : withoutVault;
  const sealed = sealedKeys(cipher);
  const keyStore = tableKeyStore({
    tables: keyTables(database),
    home: store === 'vault_transit' ? transit : sealed,
    homeOf: (key) => (key.sealed === undefined && isVaultKid(key.record.kid) ? transit : sealed),
    ...common,
  });
  return { keyStore, close: () => vault?.close() };
};

/** The table `signing_keys`, as the key store wants it. */
const keyTables = (database: Database): KeyTables => ({
  rows: repositories(database).signingKeys,
  change: (work) => database.transaction((tx) => work(repositories(tx).signingKeys)),
});

const openVault = async (settings: Settings, warn: (message: string) => void): Promise<VaultClient | undefined> => {
  const { address, namespace, timeout, ca_path } = settings;
  if (address === undefined) return undefined;
  return createVaultClient({
    ...{ address, namespace, login: loginOf(settings), timeoutMs: timeout * 1000 },
    ca: ca_path === undefined ? undefined : await readFile(ca_path, 'utf8'),
    onRenewalFailure: ({ message }) => warn(`signing keys: ${message}`),
  });
};

/** One of the two is there: the configuration was checked. */
const loginOf = ({ token, approle }: Settings): VaultLogin =>
  token === undefined
    ? { method: 'approle', mount: approle.mount, roleId: approle.role_id ?? '', secretId: approle.secret_id ?? '' }
    : { method: 'token', token };
