import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The server that is measured has one core; PostgreSQL and the load have the other. */
export const [serverCore, otherCore] = [0, 1];
const startTimeoutMs = 60_000;
/** Characters that are told of a server that does not start. */
const mostSaid = 4000;
const ticksPerSecond = 100; // USER_HZ of Linux, on every architecture Node runs on

/** Whether processes can be held to a core here: two cores, and a `taskset`. */
export const pinned = canPin();

/** A command line, held to a core where that can be done; `undefined` is any core. */
export const onCore = (core: number | undefined, command: readonly string[]): readonly string[] =>
  pinned && core !== undefined ? ['taskset', '-c', String(core), ...command] : command;

export const pin = (pid: number, core: number): void => {
  if (pinned) execFileSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' });
};

export type Server = {
  child: ChildProcess;
  pid: number;
  /** Resident when it first answered. */
  readyMegabytes: number;
  stop(): Promise<void>;
};

/**
 * A Node program that has answered at `readyUrl`. What it logs goes into a pipe that is read on the other core, as that of a
 * container does: a file would be on PostgreSQL's disk, and wait for its flushes.
 */
export const startServer = async (options: {
  args: readonly string[];
  env?: Record<string, string>;
  core: number | undefined;
  readyUrl: string;
}): Promise<Server> => {
  const [command = '', ...args] = onCore(options.core, [process.execPath, ...options.args]);
  const child = spawn(command, args, {
    cwd: join(import.meta.dirname, '../..'),
    env: { MALLOC_ARENA_MAX: '2', ...process.env, ...options.env }, // as `npm start` does, and the same for all
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const hear = (chunk: Buffer): void => {
    said = `${said}${chunk}`.slice(-mostSaid);
  };
  const outputs = [child.stdout, child.stderr].map((output) => output.on('data', hear));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
  };
  const deadline = Date.now() + startTimeoutMs;
  while (!(await answers(options.readyUrl))) {
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`${options.args.join(' ')} did not start:\n${said}`);
    await sleep(50);
  }
  for (const output of outputs) output.off('data', hear).resume();
  const pid = child.pid as number;
  return { child, pid, readyMegabytes: residentMegabytes(pid), stop };
};

const answers = async (url: string): Promise<boolean> => {
  const response = await fetch(url).catch(() => undefined);
  await response?.arrayBuffer();
  return response?.ok === true;
};

/** Seconds a process has computed, all its threads, in user mode and in the kernel (proc(5)). */
export const cpuSeconds = (pid: number): number => {
  const [utime, stime] = statFields(pid).slice(11, 13).map(Number);
  return ((utime ?? Number.NaN) + (stime ?? Number.NaN)) / ticksPerSecond;
};

/** From the state on: what stands before is a name in parentheses, with whatever is in it. */
const statFields = (pid: number): string[] => (proc(pid, 'stat').split(/\) (?=[A-Z] )/)[1] ?? '').split(' ');

/** The same of a process and its children, such as PostgreSQL's, one for each connection; those that have ended too. */
export const familyCpuSeconds = (parent: number): number => {
  const pids = (existsSync('/proc') ? readdirSync('/proc') : []).map(Number);
  const children = pids.filter((pid) => Number(statFields(pid)[1]) === parent);
  const ended = statFields(parent).slice(13, 15).map(Number);
  return [cpuSeconds(parent), ...children.map(cpuSeconds), ...ended.map((ticks) => ticks / ticksPerSecond)].reduce(
    (sum, seconds) => sum + (seconds || 0), // one that has ended since has no figures
    0,
  );
};

export const residentMegabytes = (pid: number): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(proc(pid, 'status'))?.[1]) / 1024);

/** Empty where there is no such thing, as on a Mac. */
function proc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

function canPin(): boolean {
  if (availableParallelism() < 2) return false;
  try {
    execFileSync('taskset', ['-c', '1', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
