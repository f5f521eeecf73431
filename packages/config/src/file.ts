import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { ConfigError } from './problems.ts';
import { isTree, type Tree, withoutNulls } from './tree.ts';

/**
 * Reads the YAML file at `path`. Messages name a position and never quote the file, which may hold secrets.
 * @throws ConfigError when the file is missing, unreadable, or not a YAML mapping.
 */
export function readConfigFile(path: string): Tree {
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([{ key: path, message: unreadable(error) }]);
  }

  const lineCounter = new LineCounter();
  const document = parseDocument(source, { lineCounter, prettyErrors: false });
  const problems = document.errors.map(({ code, pos }) => {
    const { line, col } = lineCounter.linePos(pos[0]);
    return { key: path, message: `is not valid YAML at line ${line}, column ${col} (${code})` };
  });
  if (problems.length > 0) throw new ConfigError(problems);

  const content = toPlain(document, path);
  if (content === null || content === undefined) return {};
  if (!isTree(content)) throw new ConfigError([{ key: path, message: 'must be a mapping of settings' }]);
  return withoutNulls(content) as Tree;
}

function toPlain(document: ReturnType<typeof parseDocument>, path: string): unknown {
  try {
    return document.toJS();
  } catch {
    throw new ConfigError([{ key: path, message: 'has an alias that does not resolve, or too many of them' }]);
  }
}

/** Why a file could not be read, in words. */
export function unreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`;
}
