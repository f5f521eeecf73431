import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Account, asAccount, barrier } from './account.ts';

const run = promisify(execFile);

/** Where data goes when PostgreSQL's account cannot reach the directory that was asked for. */
const ELSEWHERE = '/var/lib/authserver';

/** PostgreSQL gets nothing of our environment but the path: it may hold secrets, and PG* settings meant for others. */
export const serverEnvironment = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' };

/**
 * The directory that is to hold, or holds, the data; a real path. Below a directory that the account may not pass
 * (a checkout in root's home), that is one under /var/lib/authserver, and `dataDir` becomes a symbolic link to it.
 */
export async function placeDataDirectory(dataDir: string, account: Account): Promise<string> {
  await mkdir(dirname(dataDir), { recursive: true });
  const directory = await follow(dataDir);
  const blocked = await barrier(dirname(directory), account);
  if (blocked) return await placeElsewhere(dataDir, directory, blocked, account);
  await handOver(directory, account);
  return directory;
}

async function follow(dataDir: string): Promise<string> {
  const entry = await lstat(dataDir).catch(() => undefined);
  if (!entry?.isSymbolicLink()) return join(await realpath(dirname(dataDir)), basename(dataDir));
  const target = resolve(dirname(dataDir), await readlink(dataDir));
  await makePassable(dirname(target));
  return join(await realpath(dirname(target)), basename(target));
}

async function placeElsewhere(dataDir: string, directory: string, blocked: string, account: Account): Promise<string> {
  if (existsSync(directory)) {
    await rmdir(directory).catch(() => {
      throw new Error(
        `PostgreSQL runs as uid ${account.uid}, which may not pass ${blocked} to reach the data in ${directory}. ` +
          `Allow it with: chmod o+x ${blocked}`,
      );
    });
  }
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  const home = join(ELSEWHERE, name);
  await makePassable(home);
  await setAside(join(home, 'postgres'), dataDir);
  await rm(dataDir, { force: true });
  await symlink(join(home, 'postgres'), dataDir);
  await handOver(join(home, 'postgres'), account);
  return join(home, 'postgres');
}

/**
 * Data of a directory that was deleted, link and password with it, cannot be opened any more and must not stand in the
 * way of a new start. It is moved aside, never deleted.
 */
async function setAside(directory: string, dataDir: string): Promise<void> {
  if (existsSync(directory) && !existsSync(`${dataDir}.password`))
    await rename(directory, `${directory}.left-${Date.now()}`);
}

/** Makes a directory, and its parent under /var/lib, that everyone may pass whatever our umask. */
async function makePassable(directory: string): Promise<void> {
  if (existsSync(directory)) return;
  await mkdir(directory, { recursive: true });
  for (const made of [dirname(directory), directory]) {
    if (made.startsWith(ELSEWHERE)) await chmod(made, 0o755);
  }
}

/** An existing directory must be the account's: root hands its own over, anybody else can only say so. */
async function handOver(directory: string, account: Account): Promise<void> {
  const entry = await stat(directory).catch(() => undefined);
  if (!entry || entry.uid === account.uid) return;
  if (!account.change)
    throw new Error(`${directory} belongs to uid ${entry.uid}; run as that user, or use another directory.`);
  await run('chown', ['-R', `${account.uid}:${account.gid}`, directory]);
}

export interface InitializeOptions {
  bin: string;
  directory: string;
  password: string;
  account: Account;
  durable: boolean;
}

/**
 * Makes a cluster with `initdb`: superuser `authserver`, UTF8, locale C, passwords for every connection.
 * It is made aside and renamed, so an interrupted one leaves no half-made data; if another process was faster, its
 * result stands.
 */
export async function initialize({ bin, directory, password, account, durable }: InitializeOptions): Promise<void> {
  await removeInterrupted(directory);
  const work = await mkdtemp(`${directory}.init-`);
  try {
    const passwordFile = join(work, 'password');
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (account.change) {
      for (const path of [work, passwordFile]) await chown(path, account.uid, account.gid);
    }
    const data = join(work, 'data');
    const login = ['--username=authserver', '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    const options = ['--encoding=UTF8', '--locale=C', '--no-instructions', ...(durable ? [] : ['--no-sync'])];
    const how = { cwd: '/', env: serverEnvironment, ...asAccount(account) };
    await run(join(bin, 'initdb'), ['-D', data, ...login, ...options], how).catch(
      (error: Error & { stderr?: string }) => {
        throw new Error(`initdb failed: ${error.stderr || error.message}`, { cause: error });
      },
    );
    await rename(data, directory).catch((error: Error) => {
      if (existsSync(join(directory, 'PG_VERSION'))) return;
      throw new Error(`${directory} cannot hold a database: ${error.message}`, { cause: error });
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const INTERRUPTED_MS = 600_000;

async function removeInterrupted(directory: string): Promise<void> {
  for (const name of await readdir(dirname(directory))) {
    if (!name.startsWith(`${basename(directory)}.init-`)) continue;
    const path = join(dirname(directory), name);
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > INTERRUPTED_MS) await rm(path, { recursive: true, force: true });
  }
}
