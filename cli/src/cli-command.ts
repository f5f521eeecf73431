import { Command, Errors, Flags } from '@oclif/core';
import { showFailure, toFailure } from './failure.ts';

/** Whether a failure is to be JSON, asked before the words of a command are understood. */
export const wantsJson = (words: readonly string[]): boolean => {
  const end = words.indexOf('--');
  const flags = end < 0 ? words : words.slice(0, end);
  return flags.some(
    (word, index) =>
      word === '--json' ||
      /^(--output=|-o=?)json$/.test(word) ||
      (word === 'json' && /^(--output|-o)$/.test(flags[index - 1] ?? '')),
  );
};

/**
 * What every command has: `--config`, `--json`, `--help`, one line on stderr and an exit code when it fails.
 * With `--json` a failure is `{"error": {"code", "status", "detail"}}` on stdout.
 */
export abstract class CliCommand extends Command {
  static override enableJsonFlag = true;
  static override baseFlags = {
    config: Flags.string({
      env: 'AUTHPLANE_CONFIG',
      description: 'YAML configuration file',
      helpValue: '<path>',
      helpGroup: 'GLOBAL',
    }),
  };

  override jsonEnabled(): boolean {
    return this.ctor.enableJsonFlag && wantsJson(this.argv);
  }

  override logJson(json: unknown): void {
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
  }

  /** oclif's own shows the whole error object, command line and flag values included. */
  protected override async catch(error: Error): Promise<void> {
    if (error instanceof Errors.ExitError) throw error;
    const failure = toFailure(error);
    process.exitCode = failure.exitCode;
    showFailure(failure, this.jsonEnabled());
  }
}
