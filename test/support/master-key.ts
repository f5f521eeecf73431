import { randomBytes } from 'node:crypto';

export const newMasterKey = (): string => randomBytes(32).toString('hex');

/** Settings of a server that encrypts with a master key, and the variables that they name. */
export const masterKey = (key: string, oldKey?: string) => ({
  env: {
    DATA_ENCRYPTION_DRIVER: 'aes_master',
    DATA_ENCRYPTION_KEY_ENV: 'MASTER_KEY',
    ...(oldKey === undefined ? {} : { DATA_ENCRYPTION_OLD_KEY_ENV: 'OLD_MASTER_KEY' }),
  },
  secrets: { MASTER_KEY: key, ...(oldKey === undefined ? {} : { OLD_MASTER_KEY: oldKey }) },
});
