/** The signing keys: whether they can be read, whether the current one signs, and what a rotation would bring. */
import { existsSync } from 'node:fs';
import type { Config } from '@authserver/config';
import type { KeyStore } from '@authserver/keys';
import { type Finding, ok, problem, warning } from './finding.ts';

export const lookAtKeyFiles = async ({ signing }: Config): Promise<Finding[]> => {
  if (!existsSync(signing.key_path))
    return [
      warning('keys', `there are no signing keys in ${signing.key_path} yet`, 'authserver serve makes them, once'),
    ];
  const { keyfileStore } = await import('@authserver/keys');
  const store = keyfileStore({
    directory: signing.key_path,
    algorithm: signing.algorithm,
    maxTokenLifetimeSeconds: 0,
    mayCreate: false,
  });
  return judge(store, signing, 'restore the directory from its backup, or mend its rights');
};

export const lookAtStoredKeys = async (config: Config, dsn: string, env: NodeJS.ProcessEnv): Promise<Finding[]> => {
  const [{ openDataCipher, openKeyStore }, { openDatabase, repositories }] = await Promise.all([
    import('@authserver/boot'),
    import('@authserver/store'),
  ]);
  const database = openDatabase({
    ...{ dsn, maxConnections: 1, applicationName: 'authserver doctor', queryTimeoutMs: 5_000 },
  });
  const opened: { close(): void }[] = [];
  try {
    const { signingKeys, settings } = repositories(database);
    if ((await signingKeys.list()).length === 0 && !(await settings.signingKeysExist()))
      return [warning('keys', 'there are no signing keys in the database yet', 'authserver serve makes them, once')];
    const encryption = await openDataCipher(config, env, () => {});
    opened.push(encryption);
    const keys = await openKeyStore({ config, database, cipher: encryption.cipher, mayCreate: false });
    opened.push(keys);
    return await judge(
      keys.keyStore,
      config.signing,
      'see docs/signing-keys.md, and data_encryption in the configuration',
    );
  } catch (error) {
    return [problem('keys', (error as Error).message, 'see signing.* and data_encryption.* in the configuration')];
  } finally {
    for (const one of opened) one.close();
    await database.end();
  }
};

const judge = async (store: KeyStore, { algorithm }: Config['signing'], remedy: string): Promise<Finding[]> => {
  const { rotationsUntil } = await import('@authserver/keys');
  try {
    const { records, signer, nextProblem } = await store.load();
    await signer.sign('doctor');
    const rotations = rotationsUntil(records, algorithm);
    return [
      ok('keys', records.map(({ state, kid }) => `${state} ${kid}`).join(', ')),
      ...(nextProblem
        ? [problem('keys', nextProblem.message, 'authserver admin key rotate --force replaces the next key')]
        : []),
      ...(rotations > 0
        ? [
            warning(
              'keys',
              `the configuration says ${algorithm}, and keys of another algorithm are in use`,
              `authserver admin key rotate, ${rotations === 1 ? 'once' : 'twice'} more`,
            ),
          ]
        : []),
    ];
  } catch (error) {
    return [problem('keys', (error as Error).message, remedy)];
  }
};
