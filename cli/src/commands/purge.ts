import { existsSync } from 'node:fs';
import { Flags } from '@oclif/core';
import { CliCommand } from '../cli-command.ts';
import { CommandFailure, exitCodes, usageFailure } from '../failure.ts';
import { pairs } from '../output.ts';
import { createProgress, type Progress } from '../progress.ts';
import { readPurgeTargets } from '../purge-targets.ts';

type Target = { table: string; outcome: 'completed' | 'failed' | 'interrupted'; deleted: number; seconds: number };
type Result = { targets: Target[]; busy?: true } | { would_delete: { table: string; rows: number }[] };

/** How often a log is told how far a long target is. */
const progressIntervalMs = 5_000;

export class Purge extends CliCommand {
  static override summary = 'delete expired rows from the database';
  static override description =
    `Deletes in small batches beside running servers; docs/purge.md says what each target is. What happens is logged on
standard error, as JSON lines. One purge works at a time: another one says so and ends with exit code 0. SIGINT, SIGTERM
and --timeout end it within a moment, keep what was done, and the next purge goes on from there. Exit code 1 when a
target failed or the purge was interrupted. Migrations are not applied.`;
  static override examples = [
    '<%= config.bin %> purge --config /etc/authserver/config.yaml',
    '<%= config.bin %> purge --only=dpop-nonces,jti --timeout=5m',
    '<%= config.bin %> purge --dry-run',
  ];
  static override flags = {
    only: Flags.string({ description: 'targets, separated by commas; all of them by default', helpValue: '<targets>' }),
    timeout: Flags.string({ description: 'end after this time; 0 is never', default: '10m', helpValue: '<duration>' }),
    'dry-run': Flags.boolean({ description: 'show how many rows would be deleted, and delete none' }),
  };

  async run(): Promise<Result> {
    const { flags } = await this.parse(Purge);
    const [{ loadConfig, parseDuration }, { openConfiguredDatabase }, { planMigrations, purgeTargets }] =
      await Promise.all([import('@authserver/config'), import('../serve/database.ts'), import('@authserver/store')]);
    const only = readPurgeTargets(flags.only);
    const timeout = parseDuration(flags.timeout);
    if (timeout === undefined) throw usageFailure('--timeout expects a duration with its unit, such as 10m, or 0');

    const { config } = loadConfig({ path: flags.config, env: process.env });
    const { driver, embedded } = config.storage;
    if (driver === 'embedded' && !existsSync(embedded.path))
      throw failure(`there is no database in ${embedded.path} (storage.embedded.path)`);
    const database = await openConfiguredDatabase(config, () => {}, false);
    try {
      if ((await planMigrations(database.dsn)).pending.length > 0)
        throw failure('the database is not up to date; run authserver migrate first');
      const targets = purgeTargets(config).filter(({ name }) => only.includes(name));
      const { signal, release } = untilTold(timeout);
      try {
        const options = { dsn: database.dsn, targets, signal };
        return flags['dry-run'] ? await this.plan(options) : await this.purge(options);
      } finally {
        release();
      }
    } finally {
      await database.stop();
    }
  }

  private async plan(options: Deletion): Promise<Result> {
    const { planPurge } = await import('@authserver/store');
    try {
      const plan = await planPurge({ ...options, now: new Date() });
      for (const { target, rows } of plan) this.log('%s', pairs({ table: target, rows }));
      return { would_delete: plan.map(({ target, rows }) => ({ table: target, rows })) };
    } catch (error) {
      if (options.signal.aborted) throw failure(`interrupted (${options.signal.reason}); nothing was deleted`);
      throw error;
    }
  }

  private async purge(options: Deletion): Promise<Result> {
    const [{ mirrorAudit }, { purge }, { createErrorLogger }] = await Promise.all([
      import('@authserver/boot'),
      import('@authserver/store'),
      import('@authserver/telemetry'),
    ]);
    const logger = createErrorLogger();
    const isWatched = process.stderr.isTTY === true && !this.jsonEnabled();
    let progress: Progress | undefined;
    let deleted = 0;
    let toldAt = 0;
    const outcome = await purge({
      ...options,
      now: () => new Date(),
      onAudited: mirrorAudit(logger),
      async onStart(target, count) {
        deleted = 0;
        toldAt = performance.now();
        // Counting is work for the database, which is done only for somebody who watches.
        if (isWatched) progress = createProgress({ label: target, total: await count() });
      },
      onDeleted(target, rows) {
        deleted += rows;
        progress?.set(deleted);
        if (isWatched || performance.now() - toldAt < progressIntervalMs) return;
        toldAt = performance.now();
        logger.info({ table: target, deleted }, 'purge goes on');
      },
      onEnd({ target, outcome: ended, deleted: gone, error }) {
        progress?.done();
        const about = { table: target, deleted: gone };
        if (ended === 'completed') logger.info(about, 'purge completed');
        else if (ended === 'failed') logger.error({ ...about, error: messageOf(error) }, 'purge failed');
        else logger.warn({ ...about, reason: String(options.signal.reason) }, 'purge interrupted');
      },
    });
    if (typeof outcome === 'string') {
      logger.warn({ reason: 'another purge is running' }, 'purge skipped');
      return { targets: [], busy: true };
    }
    if (outcome.length < options.targets.length || outcome.some((result) => result.outcome !== 'completed'))
      process.exitCode = exitCodes.failure;
    const targets = outcome.map(({ target, seconds, ...rest }) => ({
      table: target,
      outcome: rest.outcome,
      deleted: rest.deleted,
      seconds: Math.round(seconds * 1000) / 1000,
    }));
    for (const { table, deleted: gone } of targets) this.log('%s', pairs({ table, deleted: gone }));
    return { targets };
  }
}

type Deletion = Pick<Parameters<typeof import('@authserver/store').purge>[0], 'dsn' | 'targets' | 'signal'>;

const failure = (message: string): CommandFailure => new CommandFailure('failure', exitCodes.failure, message);

/** What the driver said: our own error only says that the database is away. */
const messageOf = (error: unknown): string => {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
};

/** Aborts on the first signal or when the time is over. A second signal ends the process as if nobody had listened. */
const untilTold = (timeoutSeconds: number): { signal: AbortSignal; release(): void } => {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => controller.abort(name);
  const timer = timeoutSeconds > 0 ? setTimeout(() => controller.abort('timeout'), timeoutSeconds * 1000) : undefined;
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    release() {
      clearTimeout(timer);
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
};
