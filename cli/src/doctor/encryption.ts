/** Data encryption: whether the configured key encrypts, and opens what is in the database. */
import type { Config } from '@authserver/config';
import { type Finding, ok, problem, warning } from './finding.ts';

const side = 'encryption';

export const lookAtEncryption = async (config: Config, dsn: string, env: NodeJS.ProcessEnv): Promise<Finding[]> => {
  const [{ openDataCipher, probeCipher }, { openDatabase, repositories }] = await Promise.all([
    import('@authserver/boot'),
    import('@authserver/store'),
  ]);
  const database = openDatabase({
    ...{ dsn, maxConnections: 1, applicationName: 'authserver doctor', queryTimeoutMs: 5_000 },
  });
  let close = () => {};
  try {
    const opened = await openDataCipher(config, env, () => {});
    close = opened.close;
    if (opened.cipher === undefined) return [];
    const { wrong, detail } = await probeCipher(opened.cipher, repositories(database));
    if (wrong) return [problem(side, detail ?? '', 'configure the key that was in use before as well (old_key_env)')];
    return [
      ok(side, `${opened.cipher.backend} encrypts, and opens what is there`),
      ...(detail === undefined ? [] : [warning(side, detail, 'authserver admin crypto reencrypt')]),
    ];
  } catch (error) {
    return [problem(side, (error as Error).message, 'see data_encryption.* in the configuration')];
  } finally {
    close();
    await database.end();
  }
};
