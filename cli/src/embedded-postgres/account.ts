import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

/** Who PostgreSQL runs as. `change` is true when that is not who we are. */
export interface Account {
  uid: number;
  gid: number;
  change: boolean;
}

/** The kernel's overflow id, which `nobody` has nearly everywhere. */
const NOBODY = 65534;

/** Ourselves; or, since PostgreSQL refuses root: the owner of an existing data directory, else `nobody`. */
export async function postgresAccount(dataDir: string): Promise<Account> {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) return { uid, gid: process.getgid?.() ?? 0, change: false };
  const owner = await stat(dataDir).catch(() => undefined);
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid, change: true };
  const [nobody, group] = await Promise.all([lookUp('-u'), lookUp('-g')]);
  return { uid: nobody, gid: group, change: true };
}

/** Options of `spawn` that make a child run as this account. */
export function asAccount({ uid, gid, change }: Account): { uid?: number; gid?: number } {
  return change ? { uid, gid } : {};
}

/** The first directory from the root down to `directory` that the account may not pass, by its mode bits. */
export async function barrier(directory: string, account: Account): Promise<string | undefined> {
  if (!account.change) return undefined;
  const parent = dirname(directory);
  const above = parent === directory ? undefined : await barrier(parent, account);
  if (above) return above;
  const { uid, gid, mode } = await stat(directory);
  return passes({ uid, gid, mode }, account) ? undefined : directory;
}

/** Whether the mode bits let the account through; exactly one of the three classes applies. */
export function passes(entry: { uid: number; gid: number; mode: number }, account: Account): boolean {
  if (entry.uid === account.uid) return (entry.mode & 0o100) !== 0;
  if (entry.gid === account.gid) return (entry.mode & 0o010) !== 0;
  return (entry.mode & 0o001) !== 0;
}

async function lookUp(what: '-u' | '-g'): Promise<number> {
  try {
    const { stdout } = await promisify(execFile)('id', [what, 'nobody']);
    return Number.parseInt(stdout, 10);
  } catch {
    return NOBODY;
  }
}
