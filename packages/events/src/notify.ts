import pg from 'pg';
import type { ChangeChannel } from './feed.ts';

const firstDelayMs = 200;
const longestDelayMs = 5_000;

/** PostgreSQL LISTEN on a connection of its own, opened again whenever it is lost. */
export const notifyChannel = (dsn: string, onError: (error: unknown) => void): ChangeChannel => {
  let connection: pg.Client | undefined;
  let retry: NodeJS.Timeout | undefined;
  let stopped = false;
  let delayMs = firstDelayMs;

  return {
    start(on) {
      const connect = async (): Promise<void> => {
        const client = new pg.Client({
          connectionString: dsn,
          application_name: 'authserver changes',
          connectionTimeoutMillis: 5_000,
          keepAlive: true,
        });
        connection = client;
        let lost = false;
        const onLost = (error?: unknown): void => {
          if (lost || stopped) return;
          lost = true;
          if (error) onError(error);
          client.end().catch(() => {});
          retry = setTimeout(connect, delayMs);
          retry.unref();
          delayMs = Math.min(delayMs * 2, longestDelayMs);
        };
        client.on('error', onLost);
        client.on('end', () => onLost());
        client.on('notification', ({ payload }) => on.message(payload ?? ''));
        try {
          await client.connect();
          await client.query('listen authserver_changes');
          delayMs = firstDelayMs;
          on.connected(); // whatever was announced while nobody listened
        } catch (error) {
          onLost(error);
        }
      };
      void connect();
    },
    async stop() {
      stopped = true;
      clearTimeout(retry);
      await connection?.end().catch(() => {});
    },
  };
};
