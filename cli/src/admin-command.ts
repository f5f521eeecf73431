/**
 * Commands on the admin API. Each says which flags it takes, which operations they become and how the answer is shown.
 * What they share is here: how the API is reached, `--output`, `--quiet`, the question before something that cannot be
 * taken back, `--dry-run` and `--if-match`. `--json`, failures and exit codes are in `cli-command.ts`.
 */
import { type AdminClient, createAdminClient } from '@authserver/admin-api';
import { Flags, type Interfaces } from '@oclif/core';
import { CliCommand } from './cli-command.ts';
import { confirm } from './confirm.ts';
import { usageFailure } from './failure.ts';
import { isDestructive, type OperationId } from './operations.ts';
import { pairs, type Value } from './output.ts';
import { renderResult } from './presentation.ts';
import { createProgress, type Progress } from './progress.ts';
import { deedOf } from './rehearsal.ts';
import { only, watchEtag, withOptions } from './requests.ts';
import { openTransport } from './transport.ts';

/** What a command may use beside the API. */
export type Surroundings = {
  /** How far long work is; silent with `--json`, with `--quiet` and without a terminal. */
  progress(options: { label: string; total?: number }): Progress;
};

type Definition<F extends Interfaces.FlagInput, Result> = {
  /** A lower-case fragment that begins with what is done. */
  summary: string;
  description?: string;
  /** Command lines without the name of the program. */
  examples: [string, ...string[]];
  /** Ids under which the command is also found, but not shown. */
  hiddenAliases?: string[];
  /**
   * The operations it may use, as `client.rotateSecret`. Needed unless there is just one and the command has its name:
   * `admin client rotate-secret`. Flags follow from them: those of a change, `--yes` where something ends for good.
   */
  operations?: readonly OperationId[];
  flags?: F;
  /** What is returned is the output of `--json`. */
  call(api: AdminClient, flags: Interfaces.InferredFlags<F>, surroundings: Surroundings): Promise<Result>;
  /** The lines on standard output, without `--json`. */
  show(result: Result, flags: Interfaces.InferredFlags<F>): readonly string[];
  /** Goes to standard error, so that it is not taken for output. */
  remark?(result: Result): string | undefined;
  /**
   * What a person at a terminal is asked, without the question mark; undefined when there is nothing to ask. Without it
   * whoever deletes, revokes or retires something is asked in the words of the summary.
   */
  confirm?(flags: Interfaces.InferredFlags<F>): string | undefined;
};

/** Flags every command on the admin API has. */
type CommonFlags = {
  config?: string;
  'admin-url'?: string;
  context?: string;
  output: 'lines' | 'table' | 'json';
  quiet: boolean;
  yes?: boolean;
  'dry-run'?: boolean;
  'if-match'?: string;
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
    context: Flags.string({
      env: 'AUTHPLANE_CONTEXT',
      description: 'a server by the name that `context add` gave it',
      helpValue: '<name>',
      helpGroup: 'GLOBAL',
    }),
    output: Flags.option({
      char: 'o',
      options: ['lines', 'table', 'json'] as const,
      default: 'lines',
      description: 'lines of key=value, columns for people, or JSON',
      helpGroup: 'GLOBAL',
    })(),
    quiet: Flags.boolean({
      char: 'q',
      description: 'print ids, and a secret that is shown once, and nothing else',
      helpGroup: 'GLOBAL',
    }),
  };

  /** What it may use of the API. Known when the command is in the map of all commands. */
  static operations: readonly OperationId[] = [];

  /** Whether it has a question of its own. */
  static asks = false;

  protected get operations(): readonly OperationId[] {
    return (this.ctor as unknown as typeof AdminCommand).operations;
  }

  protected abstract perform(api: AdminClient, flags: Record<string, unknown>): Promise<Result>;

  /** What has to be answered with yes at a terminal. */
  protected abstract question(flags: Record<string, unknown>, given: ReadonlySet<string>): string | undefined;

  /** The version of what was shown last. */
  protected etag: () => string | undefined = () => undefined;

  async run(): Promise<Result> {
    const parsed = await this.parse(this.ctor as typeof CliCommand & { baseFlags: typeof AdminCommand.baseFlags });
    const flags = parsed.flags as CommonFlags & Record<string, unknown>;
    const given = new Set(parsed.raw.flatMap((token) => (token.type === 'flag' ? [token.flag] : [])));
    if (given.has('json') && given.has('output') && flags.output !== 'json')
      throw usageFailure(`--json and --output ${flags.output} contradict each other`);
    const question = flags.yes || flags['dry-run'] ? undefined : this.question(flags, given);
    if (question !== undefined) await confirm(question);

    const transport = await openTransport({
      flags: { config: flags.config, adminUrl: flags['admin-url'], context: flags.context },
      given,
      env: process.env,
    });
    try {
      const watched = watchEtag(transport.send);
      this.etag = watched.etag;
      const send = withOptions(watched.send, { dryRun: flags['dry-run'] === true, ifMatch: flags['if-match'] });
      const api = only(createAdminClient({ transport: send }), this.operations, String(this.id).replaceAll(':', ' '));
      return await this.perform(api, flags);
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
    static override operations = definition.operations ?? [];
    static override asks = definition.confirm !== undefined;
    static override flags = definition.flags ?? {};

    protected override question(parsed: Record<string, unknown>, given: ReadonlySet<string>): string | undefined {
      if (definition.confirm) return definition.confirm(parsed as Interfaces.InferredFlags<F>);
      if (!isDestructive(this.operations)) return undefined;
      const own = Object.keys(definition.flags ?? {}).filter((name) => given.has(name));
      const about = pairs(Object.fromEntries(own.map((name) => [name, parsed[name] as Value])));
      const deed = deedOf(definition.summary);
      return `${deed.charAt(0).toUpperCase()}${deed.slice(1)}${about === '' ? '' : ` (${about})`}`;
    }

    protected override async perform(api: AdminClient, parsed: Record<string, unknown>): Promise<Result> {
      const flags = parsed as Interfaces.InferredFlags<F>;
      const { quiet, output, 'dry-run': rehearsal = false } = parsed as unknown as CommonFlags;
      const enabled = !quiet && !this.jsonEnabled();
      const progress: Surroundings['progress'] = (options) => createProgress({ ...options, enabled });
      const result = await definition.call(api, flags, { progress });

      const { isTTY, columns } = process.stdout;
      const width = isTTY && columns ? { columns } : {};
      const lines = renderResult({
        result,
        lines: () => definition.show(result, flags),
        summary: definition.summary,
        operations: this.operations,
        id: parsed.id,
        rehearsal: rehearsal && !Object.hasOwn(definition.flags ?? {}, 'dry-run'),
        etag: this.etag(),
        quiet,
        table: output === 'table' ? { ...width, single: !/[:-]list/.test(String(this.id)) } : undefined,
      });
      for (const line of lines) this.log('%s', line);
      const remark = quiet || rehearsal ? undefined : definition.remark?.(result);
      if (remark !== undefined) this.logToStderr('%s', remark);
      return result;
    }
  };
