/** The task itself, as a child that has our terminal, gets our signals and gives us its exit code. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const PARENT_POLL_MS = 500;
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Resolves to the child's exit code, or 128 + n when signal n ended it, as a shell would say. */
export function run(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: 'inherit' });
    const forward = (signal) => {
      // Ctrl-C in a terminal goes to the whole foreground group: the child has it already.
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    // npm passes a signal on to the shell between us, which dies of it and tells nobody: notice that it is gone.
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (process.env.npm_lifecycle_event && process.ppid !== parent) child.kill('SIGTERM');
    }, PARENT_POLL_MS);
    const done = () => {
      clearInterval(watch);
      for (const signal of FORWARDED) process.off(signal, forward);
    };
    child.on('error', (cause) => {
      done();
      reject(new Error(`Cannot run ${command}: ${cause.message}`, { cause }));
    });
    child.on('exit', (code, signal) => {
      done();
      resolve(signal ? 128 + constants.signals[signal] : code);
    });
  });
}
