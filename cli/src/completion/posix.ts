import { type CompletableCommand, nextWords } from './words.ts';

/**
 * Completion for bash 3.2 and later. Words of ours go through `compgen -W`, which expands them as bash would; names from a
 * server never do, because strangers chose some of them.
 */
export const bashCompletion = (program: string, commands: readonly CompletableCommand[]): string => `\
${lookup(program, commands)}
_${program}() {
  local line=\${COMP_LINE:0:COMP_POINT} word path= previous= list name i
  local -a words
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    [[ $word == -* ]] && break
    path+="\${path:+ }$word"
  done
  read -r -a words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  local current=\${words[\${#words[@]}-1]}
  local -a before=("\${words[@]:1:\${#words[@]}-2}")
  if [[ $current == --*=* ]]; then
    before+=("\${current%%=*}") current=\${current#*=}
  fi
  ((\${#before[@]})) && previous=\${before[\${#before[@]}-1]}
  list=$(_${program}_words "$path" "$previous")
  COMPREPLY=()
  if [[ $list == @* ]]; then
    # Bash completes what comes after the last colon or equals sign of a word.
    local kept=
    [[ $current == *:* && $COMP_WORDBREAKS == *:* ]] && kept=\${current%"\${current##*:}"}
    while IFS=$'\\t' read -r name _; do
      COMPREPLY+=("\${name#"$kept"}")
    done < <("\${COMP_WORDS[0]}" __complete -- "\${before[@]}" "$current" 2> /dev/null)
    list=\${list#@}
  fi
  COMPREPLY+=($(compgen -W "$list" -- "$current"))
}
complete -o default -F _${program} ${program}
`;

/** Completion for zsh, to be evaluated after compinit. */
export const zshCompletion = (program: string, commands: readonly CompletableCommand[]): string => `\
#compdef ${program}
${lookup(program, commands)}
_${program}() {
  local word typed= previous=\${words[CURRENT-1]} list line
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ $word == -* ]] && break
    typed+="\${typed:+ }$word"
  done
  local -a before=("\${(@)words[2,CURRENT-1]}") found names shown
  if [[ $PREFIX == --*=* ]]; then
    previous=\${PREFIX%%=*} before+=("\${PREFIX%%=*}")
    compset -P '*='
  fi
  list=$(_${program}_words "$typed" "$previous")
  if [[ $list == @* ]]; then
    for line in "\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT-1]}" "$PREFIX" 2> /dev/null)}"; do
      [[ -n $line ]] || continue
      names+=("\${line%%$'\\t'*}")
      shown+=("\${line/$'\\t'/  }")
    done
    (( $#names )) && compadd -l -d shown -a names
    list=\${list#@}
  fi
  found=(\${=list})
  if (( $#found )); then compadd -a found; elif (( ! $#names )); then _files; fi
}
compdef _${program} ${program}
`;

/**
 * A function both shells run: given the words before the cursor and the last one, it prints what may come. An \`@\` before
 * that stands for the names the program itself is asked for.
 */
const lookup = (program: string, commands: readonly CompletableCommand[]): string => {
  const values = commands.flatMap(({ path, flags }) =>
    flags
      .filter(({ takesValue }) => takesValue)
      .map(
        ({ name, options, named }) => `    '${path} --${name}') echo '${named ? '@' : options.join(' ')}'; return ;;`,
      ),
  );
  const topics = [...nextWords(commands)].map(([before, words]) => `    '${before}') echo '${words.join(' ')}' ;;`);
  const flags = commands.map(({ path, flags, argument }) => {
    const words = [...(argument?.options ?? []), ...flags.map(({ name }) => `--${name}`)];
    return `    '${path}') echo '${argument?.named ? '@' : ''}${words.join(' ')}' ;;`;
  });
  return `_${program}_words() {
  case "$1 $2" in
${values.join('\n')}
  esac
  case "$1" in
${[...topics, ...flags].join('\n')}
  esac
}`;
};
