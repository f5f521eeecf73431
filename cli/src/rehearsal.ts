/** What a change would do, said in the words of its command. */

/** `create a client and show its secret, this once` begins with what is done: `create a client`. */
export const deedOf = (summary: string): string => summary.split(/[;:,]| and show /)[0]?.trim() ?? summary;

/**
 * The lines of a change as those of a rehearsal: `client created: id=x name=y` becomes `would create a client: name=y`.
 * What was made up for it is left out: an id that will be another, a secret that is none.
 */
export const rehearsed = (lines: readonly string[], summary: string, creates: boolean): string[] => {
  const [first = '', ...others] = lines.filter((line) => !/^\w+=(?:"")?$/.test(line));
  const about = first.replace(/^[^=]*?:(?: |$)/, '');
  const shown = creates ? about.replace(/(?:^| )id=\S+/, '').trimStart() : about;
  return [`would ${deedOf(summary)}${shown === '' ? '' : `: ${shown}`}`, ...others];
};
