import type { Config } from '@authserver/config';
import { importKeyFiles, type KeyRecord, readKeyFiles } from '@authserver/keys';
import { openDatabase, planMigrations, repositories } from '@authserver/store';
import { openDataCipher } from './data-cipher.ts';

/**
 * Copies the ring in `signing.key_path` into the database, private keys encrypted: all of it, with its audit event, or nothing.
 *
 * @throws {Error} when the files cannot be read, the database has a ring already or is not migrated, or nothing encrypts
 */
export const importSigningKeys = async (options: {
  config: Config;
  dsn: string;
  env: NodeJS.ProcessEnv;
  now: Date;
}): Promise<readonly KeyRecord[]> => {
  const { config, dsn, env, now } = options;
  const { cipher, close } = await openDataCipher(config, env, () => {});
  const database = openDatabase({
    ...{ dsn, maxConnections: 1, applicationName: 'authserver import-keys', queryTimeoutMs: 10_000 },
  });
  try {
    if (!cipher) throw new Error('data_encryption.driver is not set; keys in the database are encrypted with it');
    if ((await planMigrations(dsn)).pending.length > 0)
      throw new Error('the database is not up to date; run authserver migrate first');
    const keys = await readKeyFiles(config.signing.key_path, now);
    const told = keys.map(({ record: { kid, alg, state } }) => ({ kid, alg, status: state }));
    await database.transaction(async (tx) => {
      const { signingKeys, settings, auditEvents, changes } = repositories(tx);
      await importKeyFiles(signingKeys, cipher, keys);
      await settings.noteSigningKeys();
      await auditEvents.insertMany([{ action: 'key.imported', actorId: 'cli', at: now, details: { keys: told } }]);
      await changes.recordMany(told.slice(0, 1).map(({ kid }) => ({ kind: 'signing_key', key: kid })));
    });
    return keys.map(({ record }) => record);
  } finally {
    close();
    await database.end();
  }
};
