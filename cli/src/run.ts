/** The command line as a whole: finds the command, and shows what went wrong outside of one as commands show it. */
import { Errors, flush, run } from '@oclif/core';
import { wantsJson } from './cli-command.ts';
import { exitCodes, showFailure, toFailure, usageFailure } from './failure.ts';

/** `root` is where the package of the command line is. */
export const runCommandLine = async (words: string[], root: string): Promise<void> => {
  try {
    await run(words, { root });
    await flush();
  } catch (error) {
    if (error instanceof Errors.ExitError) process.exit(error.oclif.exit ?? exitCodes.failure);
    const failure = toFailure(isUnknownCommand(error) ? await noSuchCommand(words) : error);
    process.exitCode = failure.exitCode;
    showFailure(failure, wantsJson(words));
  }
};

const isUnknownCommand = (error: unknown): boolean =>
  error instanceof Errors.CLIError && /^command .* not found\.?$/i.test(error.message);

/** Says which word is wrong, and which was probably meant. */
const noSuchCommand = async (words: readonly string[]) => {
  const [{ nearest }, { COMMANDS }, { nextWords }] = await Promise.all([
    import('@authserver/config'),
    import('./commands.ts'),
    import('./completion/words.ts'),
  ]);
  const flag = words.findIndex((word) => word.startsWith('-'));
  const typed = (flag < 0 ? words : words.slice(0, flag)).flatMap((word) => word.split(':'));
  if (typed.length === 0) return usageFailure('a command comes before its flags (see --help)');
  const next = nextWords(Object.keys(COMMANDS).map((id) => ({ path: id.replaceAll(':', ' ') })));
  const wrong = typed.findIndex((word, index) => !next.get(typed.slice(0, index).join(' '))?.includes(word));
  const before = typed.slice(0, wrong);
  const meant = nearest(typed[wrong] ?? '', next.get(before.join(' ')) ?? []);
  const hint = meant === undefined ? '' : `; did you mean: authserver ${[...before, meant].join(' ')}?`;
  return usageFailure(`there is no command ${typed.slice(0, wrong + 1).join(' ')}${hint} (see --help)`);
};
