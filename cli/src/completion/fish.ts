import { type CompletableCommand, nextWords } from './words.ts';

/** Completion for fish. */
export const fishCompletion = (program: string, commands: readonly CompletableCommand[]): string => {
  const at = (path: string) => `-n "__${program}_at '${path}'"`;
  const summaries = new Map(commands.map(({ path, summary }) => [path, summary]));
  const topics = [...nextWords(commands)].flatMap(([before, words]) =>
    words.map((word) => {
      const summary = summaries.get(before === '' ? word : `${before} ${word}`);
      const description = summary === undefined ? '' : ` -d ${quoted(summary)}`;
      return `complete -c ${program} -f ${at(before)} -a ${word}${description}`;
    }),
  );
  const flags = commands.flatMap(({ path, flags }) =>
    flags.map(({ name, description, takesValue, options }) => {
      const values = options.length > 0 ? ` -x -a '${options.join(' ')}'` : takesValue ? ' -r' : '';
      return `complete -c ${program} ${at(path)} -l ${name} -d ${quoted(description)}${values}`;
    }),
  );
  return `\
function __${program}_at
  set -l path
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and break
    set -a path $word
  end
  test "$path" = "$argv[1]"
end
${[...topics, ...flags].join('\n')}
`;
};

const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
