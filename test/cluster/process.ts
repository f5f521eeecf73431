import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { killWithUs } from '../support/server-process.ts';

export type Ended = { code: number | null; signal: NodeJS.Signals | null };

/** A process of the cluster: it can be frozen, killed and asked to stop, and never outlives us. */
export type ManagedProcess = {
  pid: number;
  exited: Promise<Ended>;
  running(): boolean;
  /** To the whole group, so that workers share the fate of what started them. */
  signal(signal: NodeJS.Signals): void;
  /** To the process alone. */
  tell(signal: NodeJS.Signals): void;
  /** To the process alone, as a supervisor asks it to stop. */
  terminate(): Promise<Ended>;
  kill(): Promise<Ended>;
};

/** Starts a command whose output goes to `logFile`. */
export const startProcess = (options: {
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  logFile: string;
}): ManagedProcess => {
  const output = openSync(options.logFile, 'a');
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['ignore', output, output],
  });
  const { pid } = child;
  let over = false;
  const exited = new Promise<Ended>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  const guard = killWithUs(pid);
  void exited.then(() => {
    over = true;
    guard.kill('SIGKILL');
  });
  if (pid === undefined) throw new Error(`${options.command} cannot be started`);

  const send = (target: number, signal: NodeJS.Signals): void => {
    if (over) return;
    try {
      process.kill(target, signal);
    } catch {
      // It ended meanwhile.
    }
  };
  return {
    pid,
    exited,
    running: () => !over,
    signal: (signal) => send(-pid, signal),
    tell: (signal) => send(pid, signal),
    terminate() {
      send(pid, 'SIGTERM');
      return exited;
    },
    kill() {
      send(-pid, 'SIGKILL');
      return exited;
    },
  };
};
