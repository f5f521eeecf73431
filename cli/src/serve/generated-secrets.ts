import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
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
  await mkdir(directory, { recursive: true, mode: 0o700 });
  try {
    const value = `as_${randomBytes(32).toString('base64url')}`; // a leading "-" would look like a flag
    await writeFile(file, `${value}\n`, { mode: 0o600, flag: 'wx' });
    await chmod(file, 0o600);
    return { value, created: true, file };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const value = (await readFile(file, 'utf8')).trim();
  if (value === '') throw new Error(`${file} is empty; delete it and start again`);
  return { value, created: false, file };
};
