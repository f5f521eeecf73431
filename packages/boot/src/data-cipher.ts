import type { Config } from '@authserver/config';
import type { DataCipher } from '@authserver/encryption';

/** The cipher of `data_encryption`; undefined when none is configured. `env` holds the keys that the settings name. */
export const openDataCipher = async (_config: Config, _env: NodeJS.ProcessEnv): Promise<DataCipher | undefined> =>
  undefined;
