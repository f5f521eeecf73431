import { readSourceFiles } from '../support/source-files.ts';

/** Which test files prove a requirement: those with a test whose name has its id in brackets. */
export type Claims = ReadonlyMap<string, readonly string[]>;

const brackets = /(\.(?:skip|todo)\(\s*)?(['"`])((?:(?!\2)[^\n\\]|\\.)*)\2(\s*,\s*\{[^}]*\b(?:skip|todo)\b)?/g;
const idPattern = /^[A-Z][A-Z0-9]+-\d\d$/;

/** What the names of tests hold in brackets. A test that may be skipped proves nothing. */
export const claimedAs = (text: string): string[] =>
  [...text.matchAll(brackets)]
    .filter(([, before, , , after]) => before === undefined && after === undefined)
    .flatMap(([, , , name = '']) => [...name.matchAll(/\[([^\][]+)\]/g)])
    .map(([, list = '']) => list);

/** The ids of requirements a test file names, as `[R9449-12]` or `[R9449-12 MDP-03]`. */
export const claimedIn = (text: string): string[] =>
  claimedAs(text)
    .flatMap((list) => list.split(/[\s,]+/))
    .filter((id) => idPattern.test(id));

export const readClaims = (idsIn: (text: string) => string[] = claimedIn): Claims => {
  const claims = new Map<string, string[]>();
  for (const { path, text } of readSourceFiles())
    if (path.endsWith('.test.ts') && !path.startsWith('test/contracts/'))
      for (const id of new Set(idsIn(text))) claims.set(id, [...(claims.get(id) ?? []), path]);
  return claims;
};
