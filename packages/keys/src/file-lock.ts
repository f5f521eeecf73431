/**
 * A lock between processes: a file that exists while one of them works. It is held for milliseconds (an RSA key: for
 * some hundred), so one left by a crash is recognised by its dead owner or, failing that, by its age.
 *
 * No file lock can fence a process that was suspended in the middle of its work and wakes after its lock was taken.
 * So the work asks `requireHeld` immediately before its one decisive rename.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyStoreError } from './errors.ts';
import { errorCode, fileError } from './private-files.ts';

export interface HeldLock {
  /** @throws {KeyStoreError} when another process has taken the lock meanwhile */
  requireHeld(): Promise<void>;
}

export interface LockTimes {
  /** Age at which a lock is stale even if its owner seems alive: its pid may belong to another program by now. */
  readonly staleAfterMs: number;
  /** How long to wait for others before giving up. */
  readonly waitMs: number;
}

const defaults: LockTimes = { staleAfterMs: 30_000, waitMs: 40_000 };

/** Locks of this process. After a container restarts, a stale lock may name our own pid, often 1. */
const heldHere = new Set<string>();

/** Runs `work` while no other process, and no other caller in this one, runs work under the same path. */
export async function withFileLock<T>(
  path: string,
  work: (lock: HeldLock) => Promise<T>,
  times: LockTimes = defaults,
): Promise<T> {
  const token = randomUUID();
  heldHere.add(token);
  try {
    await acquire(path, token, times);
    return await work({
      async requireHeld() {
        if ((await readOwner(path))?.token !== token) throw new KeyStoreError(`The lock ${path} was lost.`);
      },
    });
  } finally {
    if ((await readOwner(path).catch(() => undefined))?.token === token) await rm(path, { force: true });
    heldHere.delete(token);
  }
}

async function acquire(path: string, token: string, times: LockTimes): Promise<void> {
  const deadline = performance.now() + times.waitMs;
  while (!(await create(path, token))) {
    if (await isStale(path, times)) await takeAway(path, times);
    else if (performance.now() > deadline) throw new KeyStoreError(`Another process holds ${path}.`);
    else await sleep(10 + Math.random() * 20);
  }
}

async function create(path: string, token: string): Promise<boolean> {
  try {
    const owner: Owner = { token, pid: process.pid, host: hostname() };
    await writeFile(path, JSON.stringify(owner), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw fileError('create', path, error);
  }
}

/**
 * Removes a stale lock. Two processes may see the same stale lock, and the slower must not remove the lock the faster
 * has made since; so only the holder of a second file removes, after looking again.
 */
async function takeAway(path: string, times: LockTimes): Promise<void> {
  const guard = `${path}.break`;
  if (!(await create(guard, randomUUID()))) {
    if (await isOlder(guard, times.staleAfterMs)) await rm(guard, { force: true });
    await sleep(10);
    return;
  }
  try {
    if (await isStale(path, times)) await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

async function isStale(path: string, { staleAfterMs }: LockTimes): Promise<boolean> {
  if (await isOlder(path, staleAfterMs)) return true;
  const owner = await readOwner(path); // undefined: released, or not written yet; its age will tell
  if (owner === undefined || owner.host !== hostname()) return false;
  return owner.pid === process.pid ? !heldHere.has(owner.token) : !isAlive(owner.pid);
}

interface Owner {
  token: string;
  pid: number;
  host: string;
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Owner;
  } catch (error) {
    if (error instanceof SyntaxError || errorCode(error) === 'ENOENT') return undefined;
    throw fileError('read', path, error);
  }
}

async function isOlder(path: string, ageMs: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > ageMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0); // signal 0 only asks
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}
