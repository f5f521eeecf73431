import type { Config } from '@authserver/config';
import type { DataCipher } from '@authserver/encryption';
import { type Clock, type KeyStore, type KeyTables, keyfileStore, sealedKeys, tableKeyStore } from '@authserver/keys';
import { type Database, repositories } from '@authserver/store';

/** The longest any access token lives: as long must a retired signing key stay in the JWKS. */
const longestTokenLifetime = (config: Config): number =>
  Math.max(config.dcr.default_token_expiry, config.client_credentials.token_expiry);

/** The home of the signing keys that `signing.key_store` names. */
export const openKeyStore = (options: {
  config: Config;
  database: Database;
  cipher: DataCipher | undefined;
  /** False where keys are known to have existed: an empty home is then a lost one. */
  mayCreate: boolean;
  clock?: Clock;
}): KeyStore => {
  const { config, database, cipher, mayCreate, clock = { now: () => new Date() } } = options;
  const { key_store: store, key_path: directory, algorithm } = config.signing;
  const common = { algorithm, maxTokenLifetimeSeconds: longestTokenLifetime(config), mayCreate, clock };
  if (store === 'keyfile') return keyfileStore({ directory, ...common });
  const sealed = sealedKeys(cipher);
  return tableKeyStore({ tables: keyTables(database), home: sealed, homeOf: () => sealed, ...common });
};

/** The table `signing_keys`, as the key store wants it. */
const keyTables = (database: Database): KeyTables => ({
  rows: repositories(database).signingKeys,
  change: (work) => database.transaction((tx) => work(repositories(tx).signingKeys)),
});
