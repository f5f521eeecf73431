import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Flags } from '@oclif/core';
import { usageFailure } from './failure.ts';

/** Three ways to give a password; the last two leave it out of the process list and the shell's history. */
export const passwordFlags = {
  password: Flags.string({
    env: 'AUTHSERVER_USER_PASSWORD',
    description: 'password; visible to others in the process list, so prefer one of the other ways',
    helpValue: '<password>',
  }),
  'password-stdin': Flags.boolean({ description: 'read the password from standard input' }),
};

type PasswordFlags = { password?: string | undefined; 'password-stdin': boolean };

/**
 * The password of `--password`, of standard input, or typed twice at a terminal without echo.
 *
 * @throws {CommandFailure} usage, when there is none
 */
export const readPassword = async (flags: PasswordFlags): Promise<string> => {
  if (flags['password-stdin']) return given((await text(process.stdin)).replace(/\r?\n$/, ''));
  if (flags.password !== undefined) return given(flags.password);
  if (!process.stdin.isTTY) throw usageFailure('a password is needed: give --password-stdin or --password');
  const password = given(await ask('Password: '));
  if ((await ask('Again: ')) !== password) throw usageFailure('the two passwords differ');
  return password;
};

const given = (password: string): string => {
  if (password === '') throw usageFailure('the password is empty');
  return password;
};

const ask = async (question: string): Promise<string> => {
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silence, terminal: true, historySize: 0 });
  const cancelled = new AbortController();
  lines.once('SIGINT', () => cancelled.abort());
  process.stderr.write(question);
  try {
    return await lines.question('', { signal: cancelled.signal });
  } catch (cause) {
    throw cancelled.signal.aborted ? usageFailure('cancelled') : cause;
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
};
