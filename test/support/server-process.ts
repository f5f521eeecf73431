import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const cliFile = join(root, 'cli/bin/authserver.js');

const END_TIMEOUT_MS = 30_000;

export type Ended = { code: number | null; signal: NodeJS.Signals | null };

/** A server as an operator has one: a process that is started, watched and signalled. */
export type ServerProcess = {
  child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves when the text has been printed; fails when the process ends or the time is over before. */
  printed(text: string | RegExp, timeoutMs?: number): Promise<void>;
  exited: Promise<Ended>;
  /** Sends a signal to the process, or to its whole group as Ctrl-C does. */
  signal(signal: NodeJS.Signals, to?: 'process' | 'group'): void;
  /** Waits for the end that was asked for. */
  ended(timeoutMs?: number): Promise<Ended>;
};

/** Our own environment without what is meant for another authserver, for the test runner or for npm. */
export const cleanEnvironment = (more: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(AUTHPLANE_|AUTHSERVER_|NODE_TEST|npm_|INIT_CWD)/.test(name)),
  ),
  XDG_CONFIG_HOME: '/nowhere', // the servers of whoever runs the tests are not theirs
  ...more,
});

/** Starts a command in a process group of its own. It does not outlive this test file, however this one ends. */
export const startProcess = (
  command: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): ServerProcess => {
  const child = spawn(command, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  const collect = (name: keyof typeof output) => (chunk: string) => {
    output[name] += chunk;
    for (const look of watchers) look();
  };
  child.stdout.setEncoding('utf8').on('data', collect('stdout'));
  child.stderr.setEncoding('utf8').on('data', collect('stderr'));
  const exited = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
    child.once('error', (error) => {
      output.stderr += error.message;
      resolve({ code: null, signal: null });
    });
  });
  let over = false;
  void exited.then(() => {
    over = true;
    for (const look of watchers) look();
  });
  const everything = () => `${output.stdout}\n${output.stderr}`;

  const kill = (signal: NodeJS.Signals, to: 'process' | 'group') => {
    if (child.pid === undefined) return;
    try {
      process.kill(to === 'group' ? -child.pid : child.pid, signal);
    } catch {
      // It has ended.
    }
  };
  const guard = killWithUs(child.pid);
  after(async () => {
    kill('SIGKILL', 'group');
    await exited;
    guard.kill('SIGKILL');
  });

  return {
    child,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    exited,
    signal: (signal, to = 'process') => kill(signal, to),
    printed: (text, timeoutMs = 60_000) =>
      new Promise((resolve, reject) => {
        const give = (result: Error | undefined) => {
          clearTimeout(timer);
          watchers.delete(look);
          if (result) reject(result);
          else resolve();
        };
        const look = () => {
          if (typeof text === 'string' ? everything().includes(text) : text.test(everything())) give(undefined);
          else if (over) give(new Error(`the process ended before it printed ${text}:\n${everything()}`));
        };
        const timer = setTimeout(() => give(new Error(`${text} was not printed in time:\n${everything()}`)), timeoutMs);
        watchers.add(look);
        look();
      }),
    async ended(timeoutMs = END_TIMEOUT_MS) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`it did not end:\n${everything()}`)), timeoutMs);
      });
      try {
        return await Promise.race([exited, late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
};

/** Kills the group when the pipe to us closes, which happens whenever this process is gone, also after kill -9. */
export const killWithUs = (group: number | undefined): ChildProcess => {
  const script = 'read -r _; kill -s KILL -- "-$1"';
  const guard = spawn('/bin/sh', ['-c', script, 'sh', String(group)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => {});
  guard.unref();
  return guard;
};

/** An empty directory that other accounts may pass, as the embedded database under root needs. Removed at the end. */
export const emptyDirectory = async (): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), 'authserver-started-'));
  await chmod(directory, 0o755);
  after(() => rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
  return directory;
};

/** Ports of localhost that were free a moment ago, all different. */
export const freePorts = async (count: number): Promise<number[]> => {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once('error', reject);
          server.listen(0, 'localhost', () => resolve(server));
        }),
    ),
  );
  return Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          const address = server.address();
          server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
        }),
    ),
  );
};
