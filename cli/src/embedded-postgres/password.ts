import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * The superuser's password, from `<dataDir>.password`; made there, mode 0600, before the first use of `directory`.
 * Throws when data exists and its password does not, or is another user's.
 */
export async function readPassword(dataDir: string, directory: string): Promise<string> {
  const file = `${dataDir}.password`;
  const known = await read(file);
  if (known) return known;
  if (existsSync(`${directory}/PG_VERSION`)) {
    throw new Error(
      `${file} is missing, so the data in ${directory} cannot be opened. Restore it or move the data away.`,
    );
  }
  // Linked into place whole: of two processes that get here at once, both use the one that came first.
  const work = `${file}.${process.pid}`;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(work, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
  await link(work, file).catch(refuseUnlessTaken);
  await rm(work);
  return (await read(file)) ?? '';
}

async function read(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new Error(`Cannot read the password of the embedded PostgreSQL: ${message}`, { cause: error });
  }
}

function refuseUnlessTaken(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
