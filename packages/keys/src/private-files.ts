/** Files only their owner may read, replaced as a whole or not at all. Windows has no such modes; there we trust ACLs. */
import { randomUUID } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { chmod, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KeyStoreError } from './errors.ts';

const hasModes = process.platform !== 'win32';
const openToOthers = (mode: number) => hasModes && (mode & 0o077) !== 0;

/**
 * Makes the directory (0700) when it is missing. An existing one is closed to others if it is empty; with files in it,
 * it may serve someone else too, so it is refused instead.
 */
export async function preparePrivateDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    if (openToOthers((await stat(directory)).mode) && (await readdir(directory)).length === 0) {
      await chmod(directory, 0o700);
    }
  } catch (error) {
    throw fileError('prepare', directory, error);
  }
  await requirePrivate(directory);
}

/** @throws {KeyStoreError} when group or others have any right on the file or directory */
export async function requirePrivate(path: string): Promise<void> {
  const { mode } = await stat(path).catch((error) => {
    throw fileError('read', path, error);
  });
  refuseIfOpen(path, mode, '700');
}

/**
 * Reads a file after checking its mode; undefined when there is none.
 *
 * @throws {KeyStoreError} when it cannot be read, or others may read it
 */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    refuseIfOpen(path, (await file.stat()).mode, '600');
    return await file.readFile('utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error instanceof KeyStoreError ? error : fileError('read', path, error);
  } finally {
    await file?.close();
  }
}

/**
 * Replaces a file (0600) so that a crash leaves the old content or the new, on disk. `beforeCommit` runs when the new
 * content is safe under its temporary name; if it throws, nothing has changed.
 */
export async function writePrivateFile(path: string, content: string, beforeCommit?: () => Promise<void>) {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, content, { flag: 'wx', mode: 0o600, flush: true });
    await beforeCommit?.();
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error instanceof KeyStoreError ? error : fileError('write', path, error);
  }
}

/** Whether this is the name of a temporary file that `writePrivateFile` left behind in a crash. */
export const isTemporary = (name: string): boolean => /^\..+\.[0-9a-f-]{36}\.tmp$/.test(name);

/** An error that says what was tried on which file, and the system's code. */
export const fileError = (verb: string, path: string, cause: unknown): KeyStoreError =>
  new KeyStoreError(`Cannot ${verb} ${path}: ${errorCode(cause) ?? 'unexpected error'}.`, { cause });

export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;

function refuseIfOpen(path: string, mode: number, wanted: string): void {
  if (!openToOthers(mode)) return;
  const octal = (mode & 0o777).toString(8);
  throw new KeyStoreError(`${path} is open to group or others (mode ${octal}). Run: chmod ${wanted} ${path}`);
}

/** Makes a rename survive a power cut. Windows cannot open a directory, and its file systems need no such call. */
async function syncDirectory(path: string): Promise<void> {
  if (!hasModes) return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
