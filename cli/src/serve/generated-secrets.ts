import { randomBytes } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Secrets that a localhost server makes for itself, one file each, readable by its owner alone. Two processes that start
 * at once agree: the file is created exclusively, and the loser reads what the winner wrote.
 */
export const readOrCreateSecret = async (
  directory: string,
  name: string,
): Promise<{ value: string; created: boolean; file: string }> => {
  const file = join(directory, name);
  await mkdir(directory, { recursive: true, mode: 0o711 });
  try {
    const value = `as_${randomBytes(32).toString('base64url')}`; // a leading "-" would look like a flag
    await writeFile(file, `${value}\n`, { mode: 0o600, flag: 'wx' });
    return { value, created: true, file };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  if (process.platform !== 'win32' && (await stat(file)).mode & 0o077)
    throw new Error(`${file} can be read by other users; chmod 600 it, or delete it to have a new one made`);
  const value = (await readFile(file, 'utf8')).trim();
  if (value === '') throw new Error(`${file} is empty; delete it and start again`);
  return { value, created: false, file };
};
