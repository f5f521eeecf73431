import { Command, Errors, Flags } from '@oclif/core';
import { toFailure } from './failure.ts';

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

  override logJson(json: unknown): void {
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
  }

  /** oclif's own shows the whole error object, command line and flag values included. */
  protected override toErrorJson(error: unknown) {
    const { code, status, detail } = toFailure(error);
    return { error: { code, ...(status === undefined ? {} : { status }), detail } };
  }

  protected override async catch(error: Error): Promise<void> {
    if (error instanceof Errors.ExitError) throw error;
    const { exitCode, detail } = toFailure(error);
    process.exitCode = exitCode;
    if (this.jsonEnabled()) this.logJson(this.toErrorJson(error));
    else process.stderr.write(`error: ${detail}\n`);
  }
}
