import type { OpenedDatabase } from '@authserver/boot';
import type { Config } from '@authserver/config';
import { type EmbeddedPostgres, openEmbeddedPostgres } from '../embedded-postgres.ts';

/**
 * The database of the configuration: the operator's own, or the embedded one, started when it is not running.
 *
 * @param exclusive a second server on the same data is refused; a short-lived command may join a running one
 */
export const openConfiguredDatabase = async (
  config: Config,
  progress: (message: string) => void,
  exclusive: boolean,
): Promise<OpenedDatabase> => {
  if (config.storage.driver === 'postgres')
    return { dsn: config.storage.postgres.dsn ?? '', exited: new Promise(() => {}), stop: async () => {} };
  progress('starting the embedded database');
  const embedded: EmbeddedPostgres = await openEmbeddedPostgres({ dataDir: config.storage.embedded.path });
  if (exclusive && !embedded.owned)
    throw new Error(
      `another authserver is running on ${config.storage.embedded.path}; stop it first, or choose another directory (storage.embedded.path)`,
    );
  return { dsn: embedded.dsn, exited: embedded.exited, stop: () => embedded.stop() };
};
