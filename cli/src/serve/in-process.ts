import { json } from 'node:stream/consumers';
import { openAdminApp } from '@authserver/admin';
import { prepare } from '@authserver/boot';
import { loadConfig } from '@authserver/config';
import { createLogger, createMetrics } from '@authserver/telemetry';
import { openConfiguredDatabase } from './database.ts';

export type InProcessRequest = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  headers?: Record<string, string>;
  /** A success is wanted as it comes. */
  stream?: true;
};
export type InProcessResponse = {
  status: number;
  headers: Record<string, string>;
  body: unknown;
  chunks?: AsyncIterable<Uint8Array>;
};

export type InProcessAdmin = {
  inject(request: InProcessRequest): Promise<InProcessResponse>;
  close(): Promise<void>;
};

/**
 * The very same admin application on the configured database, with no port opened: so the first user can be made before
 * anything serves. Joins the embedded database of a running server, or starts it for the length of the command.
 */
export const openAdminInProcess = async (options: {
  configPath: string | undefined;
  env: NodeJS.ProcessEnv;
}): Promise<InProcessAdmin> => {
  const { config } = loadConfig({
    env: options.env,
    ...(options.configPath === undefined ? {} : { path: options.configPath }),
  });
  const prepared = await prepare({
    config,
    database: await openConfiguredDatabase(config, () => {}, false),
    env: process.env,
    adminRole: true,
  });
  const admin = await openAdminApp({
    config: { ...config, admin: { ...config.admin, requests_per_second: 0 } }, // nobody else asks here
    dsn: prepared.dsn,
    keyring: prepared.keyring,
    keyStore: prepared.keyStore,
    cipher: prepared.cipher,
    adminApiKey: prepared.adminApiKey,
    logger: createLogger({ level: 'error', stdout: false }),
    metrics: createMetrics(),
    clock: { now: () => new Date() },
    actor: 'cli',
  }).catch(async (error: unknown) => {
    await prepared.stop();
    throw error;
  });

  return {
    async inject({ method, path, query, body, headers, stream }) {
      const response = await admin.app.inject({
        method,
        url: path,
        headers: { ...headers, authorization: `Bearer ${prepared.adminApiKey}` },
        ...(query === undefined ? {} : { query }),
        ...(body === undefined ? {} : { payload: body as object }),
        ...(stream ? { payloadAsStream: true } : {}),
      });
      const headersOf = response.headers as Record<string, string>;
      if (stream) {
        const answer = { status: response.statusCode, headers: headersOf };
        if (response.statusCode === 200) return { ...answer, body: undefined, chunks: response.stream() };
        return { ...answer, body: await json(response.stream()) };
      }
      return {
        status: response.statusCode,
        headers: headersOf,
        body: response.body === '' ? undefined : response.json(),
      };
    },
    async close() {
      await admin.close();
      await prepared.stop();
    },
  };
};
