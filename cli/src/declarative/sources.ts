import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { usageFailure } from '../failure.ts';

/** A text with declarations, and what to call it in a message. */
export type Source = { file: string; text: string };

const isDeclarationFile = (name: string): boolean => /\.(ya?ml|json)$/i.test(name);

/** Places that hold no declarations: those of version control, of editors and of package managers. */
const isPassedOver = (name: string): boolean => name.startsWith('.') || name === 'node_modules';

/**
 * The files of `-f`: a file, standard input as `-`, or every YAML and JSON file of a directory and those in it.
 *
 * @throws {CommandFailure} usage, when there is nothing to read
 */
export const readSources = async (paths: readonly string[]): Promise<Source[]> => {
  const sources: Source[] = [];
  for (const path of paths) {
    if (path === '-') {
      sources.push({ file: '(standard input)', text: await text(process.stdin) });
      continue;
    }
    for (const file of await filesOf(path)) sources.push({ file, text: await readFile(file, 'utf8') });
  }
  return sources;
};

const filesOf = async (path: string): Promise<string[]> => {
  const found = await stat(path).catch((cause: Error) => {
    throw usageFailure(
      `-f ${path}: ${(cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : cause.message}`,
    );
  });
  if (!found.isDirectory()) return [path];
  const files = (await inDirectory(path)).sort();
  if (files.length === 0) throw usageFailure(`-f ${path}: there is no .yaml, .yml or .json file in it`);
  return files;
};

const inDirectory = async (directory: string): Promise<string[]> => {
  const entries = (await readdir(directory, { withFileTypes: true })).filter(({ name }) => !isPassedOver(name));
  const found = await Promise.all(
    entries.map((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return inDirectory(path);
      return isDeclarationFile(entry.name) ? [path] : [];
    }),
  );
  return found.flat();
};
