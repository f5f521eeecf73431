import type { AdminService } from '@authserver/admin';
import { notesAtStart, type Prepared, type Running, runProcess } from '@authserver/boot';
import { isLocalhostIssuer, loadConfig } from '@authserver/config';
import { type Check, failed } from '@authserver/http';
import { openTelemetry } from '@authserver/telemetry';
import type { TokenService } from '@authserver/token';
import type { TokenWorkers } from '@authserver/token/workers';
import { cliName, nextSteps, renderBanner } from './banner.ts';
import { openConfiguredDatabase } from './database.ts';

export type ServeOptions = {
  configPath: string | undefined;
  role: 'all' | 'token' | 'admin';
  newSigningKeys: boolean;
  /** Token processes behind one port. */
  workers: number;
  env: NodeJS.ProcessEnv;
};

type Planes = Running & { token: TokenService | TokenWorkers | undefined; admin: AdminService | undefined };

/**
 * Starts what the role says and prints where. The process then ends by a signal, which `runProcess` owns; the embedded
 * database, if there is one, stops last.
 */
export const serve = async ({ configPath, role, newSigningKeys, workers, env }: ServeOptions): Promise<void> => {
  const started = performance.now();
  const { config, warnings } = loadConfig({ env, ...(configPath === undefined ? {} : { path: configPath }) });
  const telemetry = await openTelemetry(config.observability);
  const { metrics, tracing } = telemetry;
  const logger = telemetry.logger.child({ component: 'serve' });
  const loggerOf = (component: 'token' | 'admin') => ({ logger: telemetry.logger.child({ component }) });
  const clock = { now: () => new Date() };
  const steps = isLocalhostIssuer(config.server.issuer) ? nextSteps(cliName(env)) : [];
  const progress = (message: string) => process.stderr.write(`${message} …\n`);

  if (role === 'admin' && !config.admin.enabled)
    throw new Error('there is nothing to serve: --role admin, but admin.enabled is false');
  if (role === 'admin' && workers > 1) throw new Error('--workers is for the token plane, and --role admin has none');
  const roles = { token: role !== 'admin', admin: role !== 'token' && config.admin.enabled };

  const start = async (prepared: Prepared): Promise<Planes> => {
    let token: TokenService | undefined;
    let pool: TokenWorkers | undefined;
    let admin: AdminService | undefined;
    const close = async () => {
      await Promise.all([token?.close(), pool?.close(), admin?.close()]);
    };
    const { dsn, keyring, keyStore, cipher, adminApiKey, sessionSecret } = prepared;
    const common = { config, dsn, keyring, metrics, tracing, clock };
    // Somebody may ask while the ports of one plane are open and those of the other are not.
    const starting: Check = { name: 'token', look: () => failed('is starting') };
    const moreChecks = () => (pool ?? token)?.checks ?? (roles.token ? [starting] : []);
    try {
      // Each plane is loaded by those that run it.
      if (roles.admin) {
        const { startAdminService } = await import('@authserver/admin');
        admin = await startAdminService({
          ...{ ...common, ...loggerOf('admin'), keyStore, cipher, adminApiKey, moreChecks },
        });
      }
      const forToken = { ...common, ...loggerOf('token'), sessionSecret, internalListener: !roles.admin, steps };
      if (roles.token && workers > 1) {
        const { startTokenWorkers } = await import('@authserver/token/workers');
        pool = await startTokenWorkers({ ...forToken, count: workers });
      } else if (roles.token) {
        const { startTokenService } = await import('@authserver/token');
        token = await startTokenService(forToken);
      }
    } catch (error) {
      await close();
      throw error;
    }
    const beginDrain = () => {
      (pool ?? token)?.beginDrain();
      admin?.beginDrain();
    };
    const renew = () => pool?.renew();
    return { token: pool ?? token, admin, beginDrain, close, renew, reloadKeys: () => pool?.reloadKeys() };
  };

  const leftMs = await runProcess({
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
  await telemetry.stop(leftMs);
  process.exit(0);
};
