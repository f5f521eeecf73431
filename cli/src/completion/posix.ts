import { type CompletableCommand, nextWords } from './words.ts';

/** Completion for bash 3.2 and later. */
export const bashCompletion = (program: string, commands: readonly CompletableCommand[]): string => `\
${lookup(program, commands)}
_${program}() {
  local word path= previous=\${COMP_WORDS[COMP_CWORD-1]} i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    [[ $word == -* ]] && break
    path+="\${path:+ }$word"
  done
  COMPREPLY=($(compgen -W "$(_${program}_words "$path" "$previous")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _${program} ${program}
`;

/** Completion for zsh, to be evaluated after compinit. */
export const zshCompletion = (program: string, commands: readonly CompletableCommand[]): string => `\
#compdef ${program}
${lookup(program, commands)}
_${program}() {
  local word typed= previous=\${words[CURRENT-1]}
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ $word == -* ]] && break
    typed+="\${typed:+ }$word"
  done
  local -a found
  found=(\${=$(_${program}_words "$typed" "$previous")})
  if (( $#found )); then compadd -a found; else _files; fi
}
compdef _${program} ${program}
`;

/** A function both shells run: given the words before the cursor and the last one, it prints what may come. */
const lookup = (program: string, commands: readonly CompletableCommand[]): string => {
  const values = commands.flatMap(({ path, flags }) =>
    flags
      .filter(({ takesValue }) => takesValue)
      .map(({ name, options }) => `    '${path} --${name}') echo '${options.join(' ')}'; return ;;`),
  );
  const topics = [...nextWords(commands)].map(([before, words]) => `    '${before}') echo '${words.join(' ')}' ;;`);
  const flags = commands.map(
    ({ path, flags }) => `    '${path}') echo '${flags.map(({ name }) => `--${name}`).join(' ')}' ;;`,
  );
  return `_${program}_words() {
  case "$1 $2" in
${values.join('\n')}
  esac
  case "$1" in
${[...topics, ...flags].join('\n')}
  esac
}`;
};
