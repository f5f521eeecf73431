/** A command as completion sees it: its words, and its flags with the values each may have. */
export type CompletableCommand = {
  /** Separated by spaces. */
  path: string;
  summary: string;
  flags: {
    name: string;
    description: string;
    takesValue: boolean;
    options: readonly string[];
    /** Its values are names of things, which `__complete` knows. */
    named?: boolean;
  }[];
  /** What comes after its words, when that is one of a few, or the name of a thing. */
  argument?: { options: readonly string[]; named: boolean };
};

/** What may follow each sequence of words: the next words of commands, by the words before them. */
export const nextWords = (commands: readonly Pick<CompletableCommand, 'path'>[]): Map<string, string[]> => {
  const next = new Map<string, Set<string>>();
  for (const { path } of commands) {
    const words = path.split(' ');
    words.forEach((word, index) => {
      const before = words.slice(0, index).join(' ');
      next.set(before, (next.get(before) ?? new Set()).add(word));
    });
  }
  return new Map([...next].map(([before, words]) => [before, [...words].sort()]));
};
