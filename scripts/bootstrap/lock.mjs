/** One installer at a time, across processes. */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const LONGEST_INSTALL_MS = 15 * 60_000;
const POLL_MS = 100;

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM'; // another user's
  }
}

/** The text naming the holder, or undefined when the lock is free. */
function holder(lock) {
  try {
    return readFileSync(join(lock, 'pid'), 'utf8');
  } catch {
    try {
      statSync(lock);
      return ''; // held, its owner not written yet
    } catch {
      return undefined;
    }
  }
}

function isStale(lock, owner) {
  let ageMs;
  try {
    ageMs = Date.now() - statSync(lock).mtimeMs;
  } catch {
    return false; // released meanwhile
  }
  if (ageMs > LONGEST_INSTALL_MS) return true;
  return owner === '' ? ageMs > 5_000 : !isAlive(Number(owner));
}

/** Take a dead process's lock out of the way, unless someone else was faster and the lock is a new one by now. */
function removeStale(lock, owner) {
  const aside = `${lock}-stale-${process.pid}`;
  try {
    renameSync(lock, aside);
    if (holder(aside) !== owner) renameSync(aside, lock);
    else rmSync(aside, { recursive: true, force: true });
  } catch {
    // Gone or taken over: the caller looks again.
  }
}

/** Runs `work` while holding the lock of this directory, which is made if needed. Waits for other processes. */
export async function withLock(directory, work) {
  const lock = join(directory, 'lock');
  let told = false;
  for (;;) {
    try {
      mkdirSync(directory, { recursive: true });
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw new Error(`Cannot write to ${directory}: ${error.message}`, { cause: error });
    }
    const owner = holder(lock);
    if (owner !== undefined && isStale(lock, owner)) removeStale(lock, owner);
    else await setTimeout(POLL_MS);
    if (!told && owner) {
      told = true;
      console.error('waiting for another process that is installing …');
    }
  }
  try {
    writeFileSync(join(lock, 'pid'), String(process.pid));
    return await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}
