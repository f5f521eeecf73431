import { type AdminService, startAdminService } from '@authserver/admin';
import { type Prepared, prepare } from '@authserver/boot';
import { type Config, configWarnings, isLocalhostIssuer, loadConfig } from '@authserver/config';
import { createLogger, createMetrics, type Logger } from '@authserver/telemetry';
import { startTokenService, type TokenService } from '@authserver/token';
import { cliName, nextSteps, renderBanner } from './banner.ts';
import { openConfiguredDatabase } from './database.ts';

export type ServeOptions = {
  configPath: string | undefined;
  role: 'all' | 'token' | 'admin';
  newSigningKeys: boolean;
  env: NodeJS.ProcessEnv;
};

/**
 * Starts what the role says and resolves when it serves. The process then ends by a signal: readiness drops, requests in
 * flight finish, and the embedded database stops last, all within `server.shutdown_wait`.
 */
export const serve = async ({ configPath, role, newSigningKeys, env }: ServeOptions): Promise<void> => {
  const started = performance.now();
  const { config, warnings } = loadConfig({ env, ...(configPath === undefined ? {} : { path: configPath }) });
  const { level, format, outputs } = config.observability.logging;
  const logger = createLogger({ level, format, stdout: outputs.stdout });
  const metrics = createMetrics();
  const clock = { now: () => new Date() };
  const steps = isLocalhostIssuer(config.server.issuer) ? nextSteps(cliName(env)) : [];

  const stopping = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stopping.resolve(signal));

  if (role === 'admin' && !config.admin.enabled)
    throw new Error('there is nothing to serve: --role admin, but admin.enabled is false');
  const withAdmin = role !== 'token' && config.admin.enabled;
  const progress = (message: string) => process.stderr.write(`${message} …\n`);
  const prepared = await prepare({
    config,
    database: await openConfiguredDatabase(config, progress, true),
    env,
    adminRole: withAdmin,
    newSigningKeys,
    progress,
    warn: (message) => logger.warn(message),
  });
  let token: TokenService | undefined;
  let admin: AdminService | undefined;
  try {
    const common = { config, dsn: prepared.dsn, keyring: prepared.keyring, logger, metrics, clock };
    if (withAdmin)
      admin = await startAdminService({ ...common, keyStore: prepared.keyStore, adminApiKey: prepared.adminApiKey });
    if (role !== 'admin')
      token = await startTokenService({
        ...common,
        sessionSecret: prepared.sessionSecret,
        internalListener: !withAdmin,
        steps,
      });
  } catch (error) {
    await stop({ prepared, token, admin });
    throw error;
  }

  process.on('SIGHUP', () => void reloadKeys(prepared, metrics, logger));
  process.stdout.write(
    renderBanner({
      config,
      publicPort: token?.port,
      adminPort: admin?.port,
      newAdminKey:
        prepared.newAdminKeyFile === undefined
          ? undefined
          : { value: prepared.adminApiKey, file: prepared.newAdminKeyFile },
      warnings: notes(config, warnings, { role, dcrMode: prepared.dcrMode }),
      internalAddress: role === 'token' ? config.server.internal_address : undefined,
      steps: prepared.newAdminKeyFile === undefined ? [] : steps,
      seconds: (performance.now() - started) / 1000,
    }),
  );

  // Its port is free now, and whoever takes it would be sent our password: stop dialling and let a supervisor start us.
  const lost = prepared.databaseExited.then(() => 'database lost' as const);
  const signal = await Promise.race([stopping.promise, lost]);
  if (signal === 'database lost') {
    process.stderr.write('error: the embedded database has ended unexpectedly; start again\n');
    process.exit(1);
  }
  process.stderr.write(`${signal} received, finishing requests …\n`);
  // A second signal from an impatient person ends it at once; the embedded database recovers by itself. One right after
  // the first is the same wish told twice: a supervisor signals the whole group, and `npm start` passes its own on.
  const impatientFrom = performance.now() + 500;
  for (const again of ['SIGTERM', 'SIGINT'] as const)
    process.on(again, () => {
      if (performance.now() > impatientFrom) process.exit(1);
    });
  token?.beginDrain();
  admin?.beginDrain();
  await stop({ prepared, token, admin });
  process.stderr.write('stopped\n');
  process.exit(0);
};

/** What deserves a word at start: judged by the registration mode in effect, and by what this role is there for. */
const notes = (
  config: Config,
  warnings: readonly string[],
  { role, dcrMode }: { role: ServeOptions['role']; dcrMode: Config['dcr']['mode'] },
): string[] => {
  const asConfigured = configWarnings(config);
  const inEffect = configWarnings({
    ...config,
    dcr: { ...config.dcr, mode: dcrMode },
    admin: { ...config.admin, enabled: config.admin.enabled || role === 'token' },
  });
  return [...warnings.filter((warning) => !asConfigured.includes(warning)), ...inEffect];
};

const stop = async (running: {
  prepared: Prepared;
  token: TokenService | undefined;
  admin: AdminService | undefined;
}): Promise<void> => {
  await Promise.all([running.token?.close(), running.admin?.close()]);
  await running.prepared.stop();
};

const reloadKeys = async (
  { keyring }: Prepared,
  metrics: ReturnType<typeof createMetrics>,
  logger: Logger,
): Promise<void> => {
  const start = performance.now();
  try {
    await keyring.reload();
    metrics.keyReloadDuration.observe((performance.now() - start) / 1000);
    logger.info({ key_count: keyring.status().length }, 'signing keys reloaded');
  } catch (error) {
    logger.error({ err: error }, 'the signing keys could not be reloaded; the old ones stay in use');
  }
};
