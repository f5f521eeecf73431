import { Socket } from 'node:net';
import pg from 'pg';
import type { ChangeChannel } from './feed.ts';

const firstDelayMs = 200;
const longestDelayMs = 5_000;
/** How often the connection is asked whether it still listens, and how long it may take to answer. */
const heartbeatMs = 5_000;
const answerMs = 3_000;

/**
 * PostgreSQL LISTEN on a connection of its own, opened again whenever it is lost. A connection whose other end vanished
 * without a word looks idle for minutes, and a pooler between may hand the session to somebody else: so it is asked.
 */
export const notifyChannel = (dsn: string, onError: (error: unknown) => void): ChangeChannel => {
  let close: (() => Promise<void>) | undefined;
  let retry: NodeJS.Timeout | undefined;
  let stopped = false;
  let delayMs = firstDelayMs;

  return {
    name: 'notify',
    start(on) {
      const connect = async (): Promise<void> => {
        const socket = new Socket();
        const client = new pg.Client({
          connectionString: dsn,
          application_name: 'authserver changes',
          connectionTimeoutMillis: 5_000,
          query_timeout: answerMs,
          keepAlive: true,
          stream: () => socket,
        });
        let heartbeat: NodeJS.Timeout | undefined;
        let lost = false;
        const onLost = (error?: unknown): void => {
          if (lost || stopped) return;
          lost = true;
          clearInterval(heartbeat);
          socket.destroy(); // a farewell could wait for an answer for ever
          on.lost();
          if (error) onError(error);
          retry = setTimeout(connect, delayMs);
          retry.unref();
          delayMs = Math.min(delayMs * 2, longestDelayMs);
        };
        close = async () => {
          clearInterval(heartbeat);
          await client.end().catch(() => {});
          socket.destroy();
        };
        client.on('error', onLost);
        client.on('end', () => onLost());
        client.on('notification', ({ payload }) => on.message(payload ?? ''));
        const check = async (): Promise<void> => {
          const { rowCount } = await client.query(
            `select 1 from pg_listening_channels() as name where name = 'authserver_changes'`,
          );
          if (rowCount === 0)
            throw new Error(
              'the connection for LISTEN does not listen: a pooler must keep sessions, or storage.postgres.dsn go past it',
            );
        };
        try {
          await client.connect();
          await client.query('listen authserver_changes');
          await check();
          delayMs = firstDelayMs;
          heartbeat = setInterval(() => check().catch(onLost), heartbeatMs);
          heartbeat.unref();
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
      await close?.();
    },
  };
};
