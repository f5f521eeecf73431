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
    flags.map(({ name, description, takesValue, options, named }) => {
      const words = named ? `(__${program}_names)` : options.join(' ');
      const values = words !== '' ? ` -x -a '${words}'` : takesValue ? ' -r' : '';
      return `complete -c ${program} ${at(path)} -l ${name} -d ${quoted(description)}${values}`;
    }),
  );
  const args = commands.flatMap(({ path, argument }) => {
    const words = argument?.named ? `(__${program}_names)` : (argument?.options ?? []).join(' ');
    return words === '' ? [] : [`complete -c ${program} -f ${at(path)} -a '${words}'`];
  });
  return `\
function __${program}_names
  set -l current (commandline -ct)
  set -l flag (string match -r '^--[^=]+(?==)' -- $current)
  ${program} __complete -- (commandline -opc)[2..-1] $flag (string replace -r '^--[^=]*=' '' -- $current) 2>/dev/null
end
function __${program}_at
  set -l path
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and break
    set -a path $word
  end
  test "$path" = "$argv[1]"
end
${[...topics, ...args, ...flags].join('\n')}
`;
};

const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
