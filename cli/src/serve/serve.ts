import { type AdminService, startAdminService } from '@authserver/admin';
import { notesAtStart, type Prepared, type Running, runProcess } from '@authserver/boot';
import { isLocalhostIssuer, loadConfig } from '@authserver/config';
import { createLogger, createMetrics } from '@authserver/telemetry';
import { startTokenService, type TokenService } from '@authserver/token';
import { cliName, nextSteps, renderBanner } from './banner.ts';
import { openConfiguredDatabase } from './database.ts';

export type ServeOptions = {
  configPath: string | undefined;
  role: 'all' | 'token' | 'admin';
  newSigningKeys: boolean;
  env: NodeJS.ProcessEnv;
};

type Planes = Running & { token: TokenService | undefined; admin: AdminService | undefined };

/**
 * Starts what the role says and prints where. The process then ends by a signal, which `runProcess` owns; the embedded
 * database, if there is one, stops last.
 */
export const serve = async ({ configPath, role, newSigningKeys, env }: ServeOptions): Promise<void> => {
  const started = performance.now();
  const { config, warnings } = loadConfig({ env, ...(configPath === undefined ? {} : { path: configPath }) });
  const { level, format, outputs } = config.observability.logging;
  const logger = createLogger({ level, format, stdout: outputs.stdout });
  const metrics = createMetrics();
  const clock = { now: () => new Date() };
  const steps = isLocalhostIssuer(config.server.issuer) ? nextSteps(cliName(env)) : [];
  const progress = (message: string) => process.stderr.write(`${message} …\n`);

  if (role === 'admin' && !config.admin.enabled)
    throw new Error('there is nothing to serve: --role admin, but admin.enabled is false');
  const roles = { token: role !== 'admin', admin: role !== 'token' && config.admin.enabled };

  const start = async (prepared: Prepared): Promise<Planes> => {
    let token: TokenService | undefined;
    let admin: AdminService | undefined;
    const close = async () => {
      await Promise.all([token?.close(), admin?.close()]);
    };
    const { dsn, keyring, keyStore, cipher, adminApiKey, sessionSecret } = prepared;
    const common = { config, dsn, keyring, logger, metrics, clock };
    try {
      if (roles.admin)
        admin = await startAdminService({
          ...{ ...common, keyStore, cipher, adminApiKey },
          moreChecks: () => token?.checks ?? [],
        });
      if (roles.token)
        token = await startTokenService({ ...common, sessionSecret, internalListener: !roles.admin, steps });
    } catch (error) {
      await close();
      throw error;
    }
    const beginDrain = () => {
      token?.beginDrain();
      admin?.beginDrain();
    };
    return { token, admin, beginDrain, close };
  };

  await runProcess({
    ...{ config, env, roles, logger, metrics, newSigningKeys, progress, start },
    openDatabase: () => openConfiguredDatabase(config, progress, true),
    onReady({ token, admin }, { newAdminKeyFile: file, adminApiKey, dcrMode }) {
      process.stdout.write(
        renderBanner({
          config,
          publicPort: token?.port,
          adminPort: admin?.port,
          newAdminKey: file === undefined ? undefined : { value: adminApiKey, file },
          warnings: notesAtStart(config, warnings, { adminElsewhere: role === 'token', dcrMode }),
          internalAddress: role === 'token' ? config.server.internal_address : undefined,
          steps: file === undefined ? [] : steps,
          seconds: (performance.now() - started) / 1000,
        }),
      );
    },
  });
  process.stderr.write('stopped\n');
  process.exit(0);
};
