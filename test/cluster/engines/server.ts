import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../../support/programs.ts';
import { reservePort } from '../ports.ts';
import { type ManagedProcess, startProcess } from '../process.ts';

/** Redis or NATS of the cluster's own, which always has the same port. */
export type Engine = {
  port: number;
  start(): Promise<void>;
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
};

const START_TIMEOUT_MS = 20_000;

/** Undefined where the program is not installed and cannot be. */
export const startRedis = (directory: string): Promise<Engine | undefined> =>
  startEngine('redis-server', directory, (port) => [
    ...['--bind', '127.0.0.1', '--port', `${port}`, '--dir', directory],
    ...['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'],
  ]);

export const startNats = (directory: string): Promise<Engine | undefined> =>
  startEngine('nats-server', directory, (port) => ['-a', '127.0.0.1', '-p', `${port}`]);

const startEngine = async (
  name: string,
  directory: string,
  args: (port: number) => string[],
): Promise<Engine | undefined> => {
  const command = await findProgram([name], [name]);
  if (command === undefined) return undefined;
  const port = await reservePort();
  let running: ManagedProcess;
  const start = async (): Promise<void> => {
    running = startProcess({
      command,
      args: args(port),
      env: { PATH: process.env.PATH },
      cwd: directory,
      logFile: join(directory, `${name}.log`),
    });
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await accepts(port))) {
      if (Date.now() > deadline || !running.running()) throw new Error(`${name} did not start, see ${directory}`);
      await sleep(20);
    }
  };
  await start();
  return {
    port,
    start,
    kill: async () => void (await running.kill()),
    freeze: () => running.signal('SIGSTOP'),
    thaw: () => running.signal('SIGCONT'),
  };
};

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
