import { readFile, stat } from 'node:fs/promises';
import { usageFailure } from './failure.ts';

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

const fileLimitBytes = 1024 * 1024;

/**
 * Reads a JSON array of `{ name, upstream?, description? }`. The server checks its members.
 *
 * @throws {CommandFailure} usage
 */
export const readScopesFile = async (path: string): Promise<Scope[]> => {
  const refused = (why: string) => usageFailure(`--scopes-file: ${path} ${why}`);
  const size = await stat(path).then(
    (file) => file.size,
    () => undefined,
  );
  if (size === undefined) throw refused('cannot be read');
  if (size > fileLimitBytes) throw refused('is larger than 1 MiB');
  let scopes: unknown;
  try {
    scopes = JSON.parse(await readFile(path, 'utf8'));
  } catch {
    throw refused('is not JSON');
  }
  if (!Array.isArray(scopes)) throw refused('is not a JSON array of scopes');
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
