/**
 * `authserver serve` as it is nearly always typed, read without the command framework: a server runs for months, and would
 * keep every other command in memory as long.
 */
import { parseArgs } from 'node:util';
import { showFailure, toFailure } from '../failure.ts';
import type { ServeOptions } from './serve.ts';

const roles = ['all', 'token', 'admin'] as const;
const mostWorkers = 256;

/** `undefined` when there is more to it, such as `--help` or a mistake: the framework knows what to say then. */
export const readPlainLine = (words: readonly string[], env: NodeJS.ProcessEnv): ServeOptions | undefined => {
  const values = readFlags(words);
  if (values === undefined) return undefined;
  const role = roles.find((name) => name === (values.role ?? 'all'));
  const workers = readWorkers(values.workers ?? '1');
  if (role === undefined || workers === undefined) return undefined;
  return {
    configPath: values.config ?? (env.AUTHPLANE_CONFIG || undefined),
    role,
    newSigningKeys: values['new-signing-keys'] ?? false,
    workers,
    env,
  };
};

const readFlags = (words: readonly string[]) => {
  try {
    const { values, tokens } = parseArgs({
      tokens: true,
      args: [...words],
      options: {
        config: { type: 'string' },
        role: { type: 'string' },
        workers: { type: 'string' },
        'new-signing-keys': { type: 'boolean' },
      },
    });
    // Said twice, only the framework may judge.
    return tokens.length === Object.keys(values).length ? values : undefined;
  } catch {
    return undefined;
  }
};

const readWorkers = (text: string): number | undefined => {
  const count = Number(text);
  return /^\d+$/.test(text) && count >= 1 && count <= mostWorkers ? count : undefined;
};

/** Serves until a signal, and shows a failure as the command does. */
export const servePlainly = async (options: ServeOptions): Promise<void> => {
  try {
    const { serve } = await import('./serve.ts');
    await serve(options);
  } catch (error) {
    const failure = toFailure(error);
    process.exitCode = failure.exitCode;
    showFailure(failure, false);
  }
};
