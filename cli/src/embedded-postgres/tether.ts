import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/**
 * Runs "$@" and, when our end of the pipe on its standard input closes, sends it signal $0. The pipe closes whenever
 * the process at the other end is gone, also after kill -9, so the command never outlives it.
 */
const SCRIPT = `
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
(read -r _ <&3; kill -s "$0" "$server") >/dev/null 2>&1 &
watch=$!
wait "$server"
code=$?
kill -s KILL "$watch" 2>/dev/null
exit "$code"
`;

const KEPT_LINES = 20;
const PATIENCE_MS = 10_000;

export interface TetherOptions {
  /** What makes the command stop in good order. */
  signal: 'INT' | 'TERM';
  uid?: number;
  gid?: number;
  env?: NodeJS.ProcessEnv;
  /** Receives each line the command prints. */
  log?: (line: string) => void;
}

/** A command that ends when this process does. */
export interface Tethered {
  /** Resolves when the command has ended, for whatever reason. */
  exited: Promise<void>;
  hasExited(): boolean;
  /** The last lines it printed. */
  output(): string;
  /** Asks it to stop, waits for its end, and stops being polite after ten seconds. */
  stop(): Promise<void>;
}

/** Starts `command` in a session of its own (a Ctrl-C meant for us does not reach it), tied to the life of this process. */
export function tether(command: string, args: string[], options: TetherOptions): Tethered {
  const { signal, log, ...spawnOptions } = options;
  const child = spawn('/bin/sh', ['-c', SCRIPT, signal, command, ...args], {
    ...spawnOptions,
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const keep = (line: string) => {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
    log?.(line);
  };
  // EPIPE when the shell is gone already: its exit is what counts.
  child.stdin.on('error', () => {});
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', keep);

  let over = false;
  const exited = new Promise<void>((resolve) => {
    // 'close' rather than 'exit': the last lines say why.
    child.once('close', () => resolve());
    child.once('error', (error) => {
      keep(error.message);
      resolve();
    });
  }).then(() => {
    over = true;
  });
  // An open database is no reason to keep a finished process alive.
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as Socket).unref();

  const stop = async () => {
    if (over) return;
    const insist = setTimeout(() => killSession(child.pid), PATIENCE_MS);
    child.ref();
    child.stdin.end();
    await exited;
    clearTimeout(insist);
  };
  return { exited, hasExited: () => over, output: () => lines.join('\n'), stop };
}

function killSession(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
