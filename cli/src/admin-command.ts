/**
 * Commands on the admin API. Each says which flags it takes, which operation they become and how the answer is shown;
 * how the API is reached is here, `--json`, failures and exit codes are in `cli-command.ts`.
 */
import type { AdminClient } from '@authserver/admin-api';
import { Flags, type Interfaces } from '@oclif/core';
import { CliCommand } from './cli-command.ts';
import { openTransport } from './transport.ts';

type Definition<F extends Interfaces.FlagInput, Result> = {
  /** A lower-case fragment. */
  summary: string;
  description?: string;
  /** Command lines without the name of the program. */
  examples: [string, ...string[]];
  /** Ids under which the command is also found, but not shown. */
  hiddenAliases?: string[];
  flags?: F;
  /** What is returned is the output of `--json`. */
  call(api: AdminClient, flags: Interfaces.InferredFlags<F>): Promise<Result>;
  /** The lines on standard output, without `--json`. */
  show(result: Result, flags: Interfaces.InferredFlags<F>): readonly string[];
  /** Goes to standard error, so that it is not taken for output. */
  remark?(result: Result): string | undefined;
};

export abstract class AdminCommand<Result> extends CliCommand {
  static override baseFlags = {
    ...CliCommand.baseFlags,
    'admin-url': Flags.string({
      env: 'AUTHPLANE_ADMIN_URL',
      description: 'admin service, by default http://localhost:9001; with a configuration and no URL none is needed',
      helpValue: '<url>',
      helpGroup: 'GLOBAL',
    }),
  };

  protected abstract perform(api: AdminClient, flags: Record<string, unknown>): Promise<Result>;

  async run(): Promise<Result> {
    const { flags } = await this.parse(this.ctor as typeof CliCommand & { baseFlags: typeof AdminCommand.baseFlags });
    const transport = await openTransport({ configPath: flags.config, adminUrl: flags['admin-url'], env: process.env });
    try {
      const { createAdminClient } = await import('@authserver/admin-api');
      return await this.perform(createAdminClient({ transport: transport.send }), flags);
    } finally {
      await transport.close();
    }
  }
}

/** Makes the class of a command. */
export const adminCommand = <F extends Interfaces.FlagInput, Result>(definition: Definition<F, Result>) =>
  class extends AdminCommand<Result> {
    static override summary = definition.summary;
    static override description = definition.description;
    static override examples = definition.examples.map((line) => `<%= config.bin %> ${line}`);
    static override hiddenAliases = definition.hiddenAliases ?? [];
    static override flags = definition.flags ?? {};

    protected override async perform(api: AdminClient, parsed: Record<string, unknown>): Promise<Result> {
      const flags = parsed as Interfaces.InferredFlags<F>;
      const result = await definition.call(api, flags);
      for (const line of definition.show(result, flags)) this.log('%s', line);
      const remark = definition.remark?.(result);
      if (remark !== undefined) this.logToStderr('%s', remark);
      return result;
    }
  };
