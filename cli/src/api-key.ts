import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '@authserver/config';
import { usageFailure } from './failure.ts';

/**
 * The admin API key for requests to `adminUrl`: that of the environment, else of the configuration, else the one `serve`
 * generated on this machine. The last never leaves it, wherever `--admin-url` may point.
 *
 * @throws {CommandFailure} usage, when the environment names two keys or an unreadable file
 * @throws {ConfigError} when a configuration is given and wrong
 */
export const findApiKey = async (
  adminUrl: URL,
  { configPath, env }: { configPath: string | undefined; env: Environment },
): Promise<string | undefined> => {
  const { AUTHPLANE_ADMIN_API_KEY: key, AUTHPLANE_ADMIN_API_KEY_FILE: file } = env;
  if (key && file) throw usageFailure('set either AUTHPLANE_ADMIN_API_KEY or AUTHPLANE_ADMIN_API_KEY_FILE, not both');
  if (key) return key;
  if (file) {
    const content = await readKey(file);
    if (!content) throw usageFailure('the file AUTHPLANE_ADMIN_API_KEY_FILE names is empty or cannot be read');
    return content;
  }

  let dataDir = env.AUTHPLANE_SERVER_DATA_DIR || 'data';
  if (configPath) {
    const { loadConfig } = await import('@authserver/config');
    const { config } = loadConfig({ path: configPath, env });
    if (config.admin.api_key) return config.admin.api_key;
    dataDir = config.server.data_dir;
  }
  return isLoopback(adminUrl.hostname) ? readKey(join(dataDir, 'admin-api-key')) : undefined;
};

const isLoopback = (host: string) => host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host);

/** What a file with a key in it holds; undefined when that is nothing, or there is no such file. */
export const readKey = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').then(
    (content) => content.trim() || undefined,
    () => undefined,
  );
