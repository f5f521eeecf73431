import { openDataCipher, openKeyStore } from '@authserver/boot';
import type { Config } from '@authserver/config';
import { createKeyring } from '@authserver/keys';
import { openDatabase } from '@authserver/store';
import type { TestClock } from './clock.ts';

/** Keys as a process of its own would have them, on connections of its own. */
export const openKeys = async (
  config: Config,
  dsn: string,
  clock: Pick<TestClock, 'now'>,
  options: { secrets?: Record<string, string>; monotonicMs?: () => number },
) => {
  const database = openDatabase({ dsn, maxConnections: 2, applicationName: 'authserver keys', queryTimeoutMs: 10_000 });
  const encryption = await openDataCipher(config, options.secrets ?? {}, () => {});
  const { cipher } = encryption;
  const { keyStore, close } = await openKeyStore({ config, database, cipher, mayCreate: true, clock });
  const { monotonicMs } = options;
  const keyring = createKeyring({ store: keyStore, clock, ...(monotonicMs && { monotonicMs }) });
  await keyring.reload();
  return {
    keyStore,
    keyring,
    cipher,
    closeKeys: async () => {
      close();
      encryption.close();
      await database.end();
    },
  };
};
