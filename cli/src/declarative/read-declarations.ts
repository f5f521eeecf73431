import { AdminApiError } from '@authserver/admin-api';
import { exitCodeOf, exitCodes, ListedFailure } from '../failure.ts';
import { type Lists, type Parsed, parseSources } from './parse.ts';
import { resolveSecrets } from './secrets.ts';
import { readSources } from './sources.ts';

export type Declarations = {
  lists: Lists;
  /** Does what may be refused, and says where in the files that is which is refused. */
  explained<T>(work: () => Promise<T>): Promise<T>;
};

/** Everything that `-f` names. @throws {CommandFailure} with everything that is wrong, and where */
export const readDeclarations = async (paths: readonly string[]): Promise<Declarations> => {
  const parsed = parseSources(await readSources(paths));
  const problems = [...parsed.problems, ...(await resolveSecrets(parsed, process.env))];
  if (problems.length > 0) throw listed('invalid_declaration', exitCodes.failure, problems);
  return {
    lists: parsed.lists,
    async explained(work) {
      try {
        return await work();
      } catch (error) {
        throw error instanceof AdminApiError ? explain(error, parsed) : error;
      }
    },
  };
};

type ServerProblem = { list: string; kind: string; index?: number; key?: string; member?: string; message: string };

const explain = (error: AdminApiError, { placeOf }: Parsed): Error => {
  const { problems } = error.problem as { problems?: ServerProblem[] };
  if (!Array.isArray(problems) || problems.length === 0) return error;
  const lines = problems.map(({ list, kind, index, key, member, message }) => {
    const place = placeOf(list, index, member);
    // The server counts declarations; here they have lines.
    const said = message.replace(/first as (\w+)\[(\d+)\]/, (words, first: string, n: string) => {
      const other = placeOf(first, Number(n));
      return other === undefined ? words : `first in ${other}`;
    });
    const parts = [place, key === undefined ? undefined : `${kind} ${key}`, member, said];
    return parts.filter((part) => part !== undefined).join(': ');
  });
  return listed(error.code, exitCodeOf(error.status), lines, error);
};

const listed = (
  code: string,
  exitCode: ConstructorParameters<typeof ListedFailure>[1],
  lines: string[],
  cause?: Error,
) =>
  new ListedFailure(
    code,
    exitCode,
    [
      `${lines.length === 1 ? '1 problem' : `${lines.length} problems`} in the declarations`,
      ...lines.map(printable),
    ].join('\n'),
    { cause },
  );

/** What is quoted comes from files and may have been made to command the terminal. */
const printable = (line: string): string => line.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
