import { usageFailure } from './failure.ts';
import { readJsonFile } from './json-file.ts';

export type Scope = { name: string; upstream?: string; description?: string };

/**
 * Reads `name|upstream|description`. The last two may be empty or left out; a description may contain `|`.
 *
 * @throws {CommandFailure} usage
 */
export const parseScope = (tuple: string): Scope => {
  const [name = '', upstream = '', ...description] = tuple.split('|');
  return scope(name, upstream, description.join('|'), `'${tuple}'`);
};

/**
 * Reads `a:b,c:d`: scope `a` is called `b` at the upstream. A scope called the same there has no upstream name.
 * The first colon separates.
 *
 * @throws {CommandFailure} usage
 */
export const parseScopeMap = (map: string): Scope[] =>
  map.split(',').map((entry) => {
    const colon = entry.indexOf(':');
    const [name, upstream] = [entry.slice(0, colon).trim(), entry.slice(colon + 1).trim()];
    if (colon < 0 || name === '' || upstream === '')
      throw usageFailure(`--scope-map: '${entry.trim()}' is not of the form scope:upstream`);
    return upstream === name ? { name } : { name, upstream };
  });

/**
 * Reads `a:b,c:d+e`: scope `a` of the source becomes `b` at the target, and `c` becomes `d` and `e`. The first colon
 * separates; a source that is named again gets the targets of both. Scopes that cannot be said so go into a file.
 *
 * @throws {CommandFailure} usage
 */
export const parseLinkMap = (map: string): Record<string, string[]> => {
  const targets = new Map<string, string[]>();
  for (const entry of map.split(',')) {
    const colon = entry.indexOf(':');
    const source = entry.slice(0, colon).trim();
    const mapped = entry
      .slice(colon + 1)
      .split('+')
      .map((name) => name.trim());
    if (colon < 0 || source === '' || mapped.includes(''))
      throw usageFailure(`--scope-map: '${entry.trim()}' is not of the form source:target or source:target+target`);
    targets.set(source, [...new Set([...(targets.get(source) ?? []), ...mapped])]);
  }
  return Object.fromEntries(targets);
};

/**
 * Reads a JSON array of `{ name, upstream?, description? }`. The server checks its members.
 *
 * @throws {CommandFailure} usage
 */
export const readScopesFile = async (path: string): Promise<Scope[]> => {
  const scopes = await readJsonFile('scopes-file', path);
  if (!Array.isArray(scopes)) throw usageFailure(`--scopes-file: ${path} is not a JSON array of scopes`);
  return scopes as Scope[];
};

const scope = (name: string, upstream: string, description: string, source: string): Scope => {
  const parts = { name: name.trim(), upstream: upstream.trim(), description: description.trim() };
  if (parts.name === '') throw usageFailure(`--scopes: ${source} names no scope`);
  return {
    name: parts.name,
    ...(parts.upstream === '' ? {} : { upstream: parts.upstream }),
    ...(parts.description === '' ? {} : { description: parts.description }),
  };
};
