import { randomBytes } from 'node:crypto';
import { type AdminService, type AdminServiceOptions, startAdminService } from '@authserver/admin';
import { type AdminClient, createAdminClient } from '@authserver/admin-api';
import { createLogger, createMetrics, type Metrics } from '@authserver/telemetry';
import { type Answer, read } from './test-app.ts';

export type AdminPlane = { url: string; key: string; client: AdminClient; service: AdminService; metrics: Metrics };

/** Starts the control plane on `admin.address` with a key of its own, and a client of its API. */
export const startAdminPlane = async (
  options: Pick<
    AdminServiceOptions,
    'config' | 'dsn' | 'keyStore' | 'keyring' | 'cipher' | 'clock' | 'resolveHost' | 'rotationCheckMs'
  > & {
    key?: string | undefined;
  },
): Promise<AdminPlane> => {
  const key = options.key ?? `key_${randomBytes(32).toString('base64url')}`; // a leading "-" would look like a flag
  const { level } = options.config.observability.logging;
  const metrics = createMetrics();
  const service = await startAdminService({
    ...options,
    adminApiKey: key,
    logger: createLogger({ level, stdout: true }),
    metrics,
  });
  const url = `http://localhost:${service.port}`;
  const client = createAdminClient({
    transport: async ({ method, path, query, body, headers, stream }) => {
      const search = query ? `?${new URLSearchParams(query)}` : '';
      if (stream) {
        const response = await fetch(`${url}${path}${search}`, { headers: { authorization: `Bearer ${key}` } });
        if (response.ok && response.body) return { status: response.status, body: undefined, chunks: response.body };
        return { status: response.status, body: await response.json() };
      }
      const answer = await askAdmin({ url, key }, method, `${path}${search}`, body, headers);
      return { status: answer.status, headers: Object.fromEntries(answer.headers), body: answer.body };
    },
  });
  return { url, key, client, service, metrics };
};

/** A body that is text goes as it is, any other as JSON. A header that is `undefined` is left out. */
export const askAdmin = async (
  { url, key }: Pick<AdminPlane, 'url' | 'key'>,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string | undefined> = {},
): Promise<Answer> => {
  const all = {
    authorization: `Bearer ${key}`,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  };
  const response = await fetch(`${url}${path}`, {
    method,
    headers: Object.entries(all).filter((header): header is [string, string] => header[1] !== undefined),
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return read(response);
};
