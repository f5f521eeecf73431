/** The control plane as a process of its own: configuration, database, keys, server, and an orderly end. */
import { parseArgs } from 'node:util';
import { type Config, ConfigError, loadConfig } from '@authserver/config';
import { createKeyring, keyfileStore } from '@authserver/keys';
import { ensurePartitions, migrate, openDatabase } from '@authserver/store';
import { createLogger, createMetrics } from '@authserver/telemetry';
import { startAdminService } from './start.ts';

const main = async (): Promise<void> => {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  const { config, warnings } = loadConfig({ path: values.config, env: process.env });
  const { level, format, outputs } = config.observability.logging;
  const logger = createLogger({ level, format, stdout: outputs.stdout, component: 'admin' });
  for (const warning of warnings) logger.warn(warning);
  if (!config.admin.api_key) throw new Error('admin.api_key is required by the admin service');

  const clock = { now: () => new Date() };
  const dsn = requireDsn(config);
  await migrate(dsn, (migration) => logger.info({ migration }, 'applying migration'));
  await makePartitions(dsn, clock.now());
  const keyStore = keyfileStore({
    directory: config.signing.key_path,
    algorithm: config.signing.algorithm,
    // No key may leave the JWKS while a token it signed lives.
    maxTokenLifetimeSeconds: Math.max(config.dcr.default_token_expiry, config.client_credentials.token_expiry),
    clock,
  });
  const keyring = createKeyring({ store: keyStore, clock });
  await keyring.reload();

  const metrics = createMetrics();
  const adminApiKey = config.admin.api_key;
  const service = await startAdminService({ config, dsn, keyring, keyStore, adminApiKey, logger, metrics, clock });
  logger.info({ port: service.port }, 'the admin API is ready');

  const end = async (): Promise<void> => {
    service.beginDrain();
    await service.close();
  };
  process.once('SIGTERM', end).once('SIGINT', end);
  process.on('SIGHUP', () => {
    keyring.reload().catch((error) => logger.error({ err: error }, 'the keys could not be reloaded'));
  });
};

/** @throws {Error} when the database is not the operator's own: the embedded one is started by `authserver serve` */
const requireDsn = ({ storage }: Config): string => {
  if (storage.driver === 'postgres' && storage.postgres.dsn) return storage.postgres.dsn;
  throw new Error('the admin service needs storage.driver postgres; the embedded database belongs to authserver serve');
};

const makePartitions = async (dsn: string, now: Date): Promise<void> => {
  const database = openDatabase({ dsn, maxConnections: 1, applicationName: 'authserver admin start' });
  try {
    await ensurePartitions(database, now);
  } finally {
    await database.end();
  }
};

main().catch((error: Error) => {
  console.error(error instanceof ConfigError ? error.message : `error: ${error.message}`);
  process.exitCode = 1;
});
