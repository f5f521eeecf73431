import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { cleanEnvironment, cliFile } from './server-process.ts';

export type CliResult = { code: number | null; stdout: string; stderr: string };
export type CliOptions = {
  /** What is piped to it. Without it, standard input is empty. */
  input?: string;
  env?: Record<string, string>;
  cwd?: string;
  /** Instead of the command line of this checkout. */
  program?: string;
};

const TIMEOUT_MS = 60_000;

/** Runs `authserver` as a shell would, with an environment that knows no other server. */
export const runCli = async (args: readonly string[], options: CliOptions = {}): Promise<CliResult> => {
  const child = spawn(process.execPath, [options.program ?? cliFile, ...args], {
    env: cleanEnvironment(options.env),
    timeout: TIMEOUT_MS,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  child.stdin.on('error', () => {}); // a command that reads nothing has closed it
  child.stdin.end(options.input ?? '');
  const ended = new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
};

/** A failure as the command line shows one: a single line on standard error, nothing on standard output. */
export const failedWith = ({ code, stdout, stderr }: CliResult, exitCode: number): string => {
  assert.equal(code, exitCode, `${stdout}\n${stderr}`);
  assert.equal(stdout, '');
  assert.match(stderr, /^error: [^\n]+\n$/);
  return stderr.slice('error: '.length, -1);
};
