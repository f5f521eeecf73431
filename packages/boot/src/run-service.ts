import { parseArgs } from 'node:util';
import { type Config, loadConfig } from '@authserver/config';
import { type Logger, type Metrics, openTelemetry, type Tracing, version } from '@authserver/telemetry';
import { notesAtStart } from './notes.ts';
import type { OpenedDatabase, Prepared } from './prepare.ts';
import { type Running, runProcess } from './run-process.ts';

/** What a service is started with. */
export type ServiceContext = {
  config: Config;
  prepared: Prepared;
  logger: Logger;
  metrics: Metrics;
  tracing: Tracing | undefined;
  clock: { now(): Date };
  /** `--workers`; 1 unless given. */
  workers: number;
};

export type ServiceOptions = {
  role: 'token' | 'admin';
  argv: readonly string[];
  env: NodeJS.ProcessEnv;
  start: (context: ServiceContext) => Promise<Running>;
};

/**
 * The main of a service that runs by itself: settings from `--config` and the environment, the log on standard output, one
 * line on standard error if it cannot start. Never returns.
 */
export const runService = async (options: ServiceOptions): Promise<void> => {
  try {
    await run(options);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\n`);
    process.exit(1);
  }
};

const run = async ({ role, argv, env, start }: ServiceOptions): Promise<void> => {
  const started = performance.now();
  const flags = readFlags(role, argv);
  const { config, warnings } = loadConfig({ env, ...(flags.config === undefined ? {} : { path: flags.config }) });
  if (role === 'admin' && !config.admin.enabled)
    throw new Error('there is nothing to serve: admin.enabled is false, and this is the admin service');
  const telemetry = await openTelemetry(config.observability, { component: role });
  const { logger, metrics, tracing } = telemetry;
  const clock = { now: () => new Date() };
  const leftMs = await runProcess({
    config,
    env,
    roles: { token: role === 'token', admin: role === 'admin' },
    logger,
    metrics,
    openDatabase: async () => operatorsDatabase(config),
    progress: (message) => logger.info(message),
    start: (prepared) => start({ config, prepared, logger, metrics, tracing, clock, workers: flags.workers }),
    onReady(_running, prepared) {
      const { newAdminKeyFile, dcrMode } = prepared;
      for (const note of notesAtStart(config, warnings, { adminElsewhere: role === 'token', dcrMode }))
        logger.warn({ note }, 'configuration');
      if (newAdminKeyFile !== undefined)
        logger.warn({ file: newAdminKeyFile }, 'an admin API key was generated; only this file has it');
      const seconds = Math.round(performance.now() - started) / 1000;
      logger.info({ role, version, issuer: config.server.issuer, workers: flags.workers, seconds }, 'ready');
    },
  });
  logger.info('stopped');
  await telemetry.stop(leftMs);
};

const readFlags = (role: string, argv: readonly string[]): { config: string | undefined; workers: number } => {
  const { values } = parseArgs({
    args: [...argv],
    options: { config: { type: 'string' }, ...(role === 'token' ? { workers: { type: 'string' as const } } : {}) },
  });
  const { config, workers = '1' } = values as { config?: string; workers?: string };
  return { config, workers: parseWorkers(workers) };
};

const mostWorkers = 256;

/** @throws {Error} when the text is not a number of processes */
export const parseWorkers = (text: string): number => {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= mostWorkers) return count;
  throw new Error(`--workers: expected a number from 1 to ${mostWorkers}`);
};

/** The embedded database belongs to `authserver serve`, which starts and stops it. */
const operatorsDatabase = ({ storage }: Config): OpenedDatabase => {
  if (storage.driver === 'embedded')
    throw new Error(
      'storage.driver is embedded, and the embedded database belongs to `authserver serve`; set storage.driver to postgres and storage.postgres.dsn, or run `authserver serve`',
    );
  return { dsn: storage.postgres.dsn ?? '', exited: new Promise(() => {}), stop: async () => {} };
};
