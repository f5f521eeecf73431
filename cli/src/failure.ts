import type { AdminApiError } from '@authserver/admin-api';

/** What a command ends with. Usage is what the command line got wrong; what the server refuses is a failure. */
export const exitCodes = { ok: 0, failure: 1, usage: 2, authentication: 3, notFound: 4, conflict: 5 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A failure that says by itself how the command ends. The message is for the operator and holds no secret. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly code: string;
  readonly exitCode: ExitCode;
  constructor(code: string, exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** A failure whose message lists problems, one a line, and keeps its lines. */
export class ListedFailure extends CommandFailure {}

/** The command line is wrong in a way that only its values show. */
export const usageFailure = (message: string) => new CommandFailure('usage', exitCodes.usage, message);

/** How an error is shown: `status` is there when the admin API answered with one. */
export type Failure = { exitCode: number; code: string; status?: number; detail: string };

export const toFailure = (error: unknown): Failure => {
  if (error instanceof CommandFailure)
    return {
      exitCode: error.exitCode,
      code: error.code,
      detail: error instanceof ListedFailure ? error.message : asLine(error.message),
    };
  if (isAdminApiError(error)) {
    const { status, code, detail } = error;
    return { exitCode: exitCodeOf(status), code, status, detail: asLine(detail) };
  }
  const { message = String(error), oclif } = (error ?? {}) as Error & { oclif?: { exit?: number | false } };
  // oclif reports what it could not parse with exit 2 and ends every such message with a hint we give ourselves.
  if (oclif?.exit === exitCodes.usage) {
    const detail = message
      .replace(/\nSee more help with --help$/, '')
      .replace(/^The following errors? occurred:\n/, '');
    return { exitCode: exitCodes.usage, code: 'usage', detail: `${asLine(detail)} (see --help)` };
  }
  // A configuration lists its problems, one a line, and they stay that way.
  const detail = error instanceof Error && error.name === 'ConfigError' ? message : asLine(message);
  return { exitCode: exitCodes.failure, code: 'failure', detail };
};

/** `code` is stable, `detail` is for people. */
export const showFailure = ({ code, status, detail }: Failure, json: boolean): void => {
  if (!json) process.stderr.write(`error: ${detail}\n`);
  else {
    const error = { code, ...(status === undefined ? {} : { status }), detail };
    process.stdout.write(`${JSON.stringify({ error }, null, 2)}\n`);
  }
};

/** By name, so that a command which talks to no API does not load the package that defines it. */
const isAdminApiError = (error: unknown): error is AdminApiError =>
  error instanceof Error && error.name === 'AdminApiError';

export const exitCodeOf = (status: number): ExitCode => {
  if (status === 401 || status === 403) return exitCodes.authentication;
  if (status === 404) return exitCodes.notFound;
  if (status === 409 || status === 412) return exitCodes.conflict;
  return exitCodes.failure;
};

const asLine = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('; ')
    .replaceAll(':; ', ': ');
