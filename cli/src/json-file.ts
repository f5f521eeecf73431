import { readFile, stat } from 'node:fs/promises';
import { usageFailure } from './failure.ts';

const limitBytes = 1024 * 1024;

/**
 * What a JSON file holds that a flag names. The server checks what is in it.
 *
 * @throws {CommandFailure} usage
 */
export const readJsonFile = async (flag: string, path: string): Promise<unknown> => {
  const refused = (why: string) => usageFailure(`--${flag}: ${path} ${why}`);
  const size = await stat(path).then(
    (file) => file.size,
    () => undefined,
  );
  if (size === undefined) throw refused('cannot be read');
  if (size > limitBytes) throw refused('is larger than 1 MiB');
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    throw refused('is not JSON');
  }
};

/** The same for a file that holds an object. */
export const readJsonObject = async (flag: string, path: string): Promise<Record<string, unknown>> => {
  const value = await readJsonFile(flag, path);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw usageFailure(`--${flag}: ${path} is not a JSON object`);
};
