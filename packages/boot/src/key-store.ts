import type { Config } from '@authserver/config';
import type { DataCipher } from '@authserver/encryption';
import { type KeyStore, keyfileStore } from '@authserver/keys';
import type { Database } from '@authserver/store';

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
}): KeyStore => {
  const { config, mayCreate } = options;
  return keyfileStore({
    directory: config.signing.key_path,
    algorithm: config.signing.algorithm,
    maxTokenLifetimeSeconds: longestTokenLifetime(config),
    mayCreate,
  });
};
