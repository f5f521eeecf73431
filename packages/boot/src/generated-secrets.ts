import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Secrets that a localhost server makes for itself, one file each, readable by its owner alone. Two processes that start
 * at once agree: the file appears whole or not at all, and the loser reads what the winner wrote.
 */
export const readOrCreateSecret = async (
  directory: string,
  name: string,
): Promise<{ value: string; created: boolean; file: string }> => {
  const file = join(directory, name);
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const made = `as_${randomBytes(32).toString('base64url')}`; // a leading "-" would look like a flag
  if (await createWhole(file, `${made}\n`)) return { value: made, created: true, file };
  if (process.platform !== 'win32' && (await stat(file)).mode & 0o077)
    throw new Error(`${file} can be read by other users; chmod 600 it, or delete it to have a new one made`);
  const value = (await readFile(file, 'utf8')).trim();
  if (value === '') throw new Error(`${file} is empty; delete it and start again`);
  return { value, created: false, file };
};

/**
 * Creates `file` with its content in one step. An exclusive open would let the other process read it between its
 * creation and its first byte.
 *
 * @returns false when the file exists already
 */
const createWhole = async (file: string, content: string): Promise<boolean> => {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, content, { mode: 0o600, flag: 'wx' });
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    await rm(draft, { force: true });
  }
};
