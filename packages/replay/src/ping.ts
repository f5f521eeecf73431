import { createRedisClient } from './redis-client.ts';
import type { RedisSettings } from './redis-settings.ts';

/**
 * Asks Redis over a connection of its own, for whoever keeps none. Resolves when it answers.
 *
 * @throws {Error} with a message of the driver, which may name host and port but holds no password
 */
export const pingRedis = async (settings: RedisSettings, timeoutMs: number): Promise<void> => {
  const client = createRedisClient(settings, {
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    retryStrategy: () => null,
    connectionName: 'authserver probe',
  });
  let why: Error | undefined;
  // What went wrong is told here; the call itself only knows that the connection was closed.
  client.on('error', ({ message }: Error) => {
    why ??= new Error(message);
  });
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    throw why ?? new Error((error as Error).message);
  } finally {
    client.disconnect();
  }
};
