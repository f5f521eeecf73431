import { existsSync } from 'node:fs';
import { Flags } from '@oclif/core';
import { CliCommand } from '../cli-command.ts';
import { pairs } from '../output.ts';

type Result = { migrated: string[]; applied: string[]; pending: string[] };

export class Migrate extends CliCommand {
  static override summary = 'apply pending database migrations; safe to run again';
  static override description =
    'serve does the same when it starts. The embedded database is started for it when it is not running.';
  static override examples = [
    '<%= config.bin %> migrate --config /etc/authserver/config.yaml',
    '<%= config.bin %> migrate --plan',
  ];
  static override flags = {
    plan: Flags.boolean({ description: 'show what is applied and what is pending, and change nothing' }),
  };

  async run(): Promise<Result> {
    const { flags } = await this.parse(Migrate);
    const [{ loadConfig }, { openConfiguredDatabase }, { migrate, planMigrations }] = await Promise.all([
      import('@authserver/config'),
      import('../serve/database.ts'),
      import('@authserver/store'),
    ]);
    const { config } = loadConfig({ path: flags.config, env: process.env });
    const { driver, embedded } = config.storage;
    if (flags.plan && driver === 'embedded' && !existsSync(embedded.path)) return this.planFromNothing();
    const database = await openConfiguredDatabase(config, () => {}, false);
    try {
      if (!flags.plan) {
        const migrated = await migrate(database.dsn, (name) => this.log('migration applied: %s', pairs({ name })));
        const { applied, pending } = await planMigrations(database.dsn);
        this.log('database is up to date: %s', pairs({ migrations: applied.length }));
        return { migrated, applied, pending };
      }
      const plan = await planMigrations(database.dsn);
      for (const name of plan.applied) this.log('%s', pairs({ name, status: 'applied' }));
      for (const name of plan.pending) this.log('%s', pairs({ name, status: 'pending' }));
      return { migrated: [], ...plan };
    } finally {
      await database.stop();
    }
  }

  /** There is no embedded database yet, and a plan must not make one. */
  private async planFromNothing(): Promise<Result> {
    const { readMigrations } = await import('@authserver/store');
    const pending = (await readMigrations()).map(({ name }) => name);
    for (const name of pending) this.log('%s', pairs({ name, status: 'pending' }));
    return { migrated: [], applied: [], pending };
  }
}
