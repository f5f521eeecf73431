import { Flags } from '@oclif/core';

/** `a,b`, given once or repeatedly. Read it with `listOf`. */
export const listFlag = (options: { description: string; env?: string; exclusive?: string[] }) =>
  Flags.string({ ...options, multiple: true, multipleNonGreedy: true, helpValue: '<a,b>' });

/** The items of a `listFlag`, which oclif hands over as one string when it comes from the environment. */
export const listOf = (value: string | readonly string[] | undefined): string[] | undefined =>
  value === undefined
    ? undefined
    : [value]
        .flat()
        .flatMap((text) => text.split(','))
        .map((item) => item.trim())
        .filter((item) => item !== '');

export const idFlag = (what: string, options: { env?: string } = {}) =>
  Flags.string({ ...options, description: `id of the ${what}`, helpValue: '<id>', required: true });

export const pageFlags = (limit: number) => ({
  limit: Flags.integer({ description: 'rows at most', min: 1, default: limit, helpValue: '<n>' }),
  offset: Flags.integer({ description: 'rows to skip', min: 0, helpValue: '<n>' }),
});

export const forceFlag = () => ({
  force: Flags.boolean({ description: 'delete even though live tokens exist; they end with it' }),
});

/** The members that were given. An absent flag is not sent, so the server keeps or chooses the value. */
export const present = <T extends Record<string, unknown>>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };

/** What every change can be told. */
export const changeFlags = () => ({
  'dry-run': Flags.boolean({ description: 'check everything and say what would be done, but change nothing' }),
  'if-match': Flags.string({
    description: 'change it only while its version is still the one `get` showed as etag (RFC 9110 §13.1.1)',
    helpValue: '<etag>',
  }),
});

/** For what cannot be taken back. */
export const yesFlag = () => ({
  yes: Flags.boolean({ char: 'y', description: 'do not ask at a terminal; a script is never asked' }),
});
