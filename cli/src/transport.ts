import type { AdminTransport } from '@authserver/admin-api';
import type { Environment } from '@authserver/config';

const defaultAdminUrl = 'http://localhost:9001';

export type OpenTransport = { send: AdminTransport; close(): Promise<void> };

/**
 * The way to the admin API. With a configuration and no admin URL it is the admin application in this process, against
 * the configured database and without a port, so that the first user can be made before anything serves.
 * Otherwise it is HTTP.
 */
export const openTransport = async (options: {
  configPath: string | undefined;
  adminUrl: string | undefined;
  env: Environment;
}): Promise<OpenTransport> => {
  const { configPath, env } = options;
  if (configPath && !options.adminUrl) {
    const { openAdminInProcess } = await import('./serve/in-process.ts');
    const admin = await openAdminInProcess({ configPath, env });
    return { send: (request) => admin.inject(request), close: () => admin.close() };
  }
  const { parseAdminUrl, sendOverHttp } = await import('./http-transport.ts');
  const { findApiKey } = await import('./api-key.ts');
  const adminUrl = parseAdminUrl(options.adminUrl || defaultAdminUrl);
  const apiKey = await findApiKey(adminUrl, { configPath, env });
  return { send: (request) => sendOverHttp(request, { adminUrl, apiKey }), close: async () => {} };
};
