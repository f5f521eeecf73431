import { type Config, readNamedSecret } from '@authserver/config';
import {
  aesMasterCipher,
  anyBackendCipher,
  type DataCipher,
  type MasterKey,
  readMasterKey,
} from '@authserver/encryption';

/**
 * The cipher of `data_encryption`; undefined when none is configured. `env` holds the keys that the settings name. What is
 * configured beside the driver opens what it encrypted before.
 */
export const openDataCipher = async (config: Config, env: NodeJS.ProcessEnv): Promise<DataCipher | undefined> => {
  const { driver } = config.data_encryption;
  if (driver === undefined) return undefined;
  const ciphers = [openAesMaster(config.data_encryption.aes_master, env)].filter((cipher) => cipher !== undefined);
  const current = ciphers.find(({ backend }) => backend === driver);
  if (current === undefined) throw new Error(`data_encryption.driver is ${driver}, but its settings are missing`);
  return anyBackendCipher(
    current,
    ciphers.filter((cipher) => cipher !== current),
  );
};

const openAesMaster = (
  { key_env, old_key_env }: Config['data_encryption']['aes_master'],
  env: NodeJS.ProcessEnv,
): DataCipher | undefined => {
  if (key_env === undefined) return undefined;
  const previous = old_key_env === undefined ? undefined : requireMasterKey(env, old_key_env);
  return aesMasterCipher({ current: requireMasterKey(env, key_env), previous });
};

/** The configuration was checked with the same environment; whoever comes with another one is told so. */
const requireMasterKey = (env: NodeJS.ProcessEnv, name: string): MasterKey => {
  const read = readNamedSecret(env, name);
  const key = 'value' in read ? readMasterKey(read.value) : undefined;
  if (key === undefined) throw new Error(`${name} must hold a master key, 64 hexadecimal digits`);
  return key;
};
