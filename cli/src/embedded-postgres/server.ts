import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Account, asAccount } from './account.ts';
import { servedDirectory } from './connection.ts';
import { serverEnvironment } from './data-directory.ts';
import { freePort } from './free-port.ts';
import { tether } from './tether.ts';

const POLL_MS = 5;
/** Recovery after a crash reads the log of the last minutes; longer than this it is stuck. */
const START_TIMEOUT_MS = 120_000;

export interface StartOptions {
  bin: string;
  directory: string;
  account: Account;
  durable: boolean;
  log: (line: string) => void;
}

export type Start =
  | { port: number; exited: Promise<void>; stop: () => Promise<void> }
  /** `mayPass`: another server holds the lock or the port, perhaps only until it has ended. */
  | { output: string; mayPass: boolean };

/** The server that runs in this directory already, if one does and lets us in. */
export async function runningServer(directory: string, password: string): Promise<{ port: number } | undefined> {
  const file = await readPidFile(directory);
  if (!file?.ready) return undefined;
  // A copied data directory brings the other cluster's postmaster.pid, and its password.
  const served = await servedDirectory(file.port, password);
  if (!served || (await realpath(served).catch(() => served)) !== directory) return undefined;
  return { port: file.port };
}

/** Starts PostgreSQL on a free port of 127.0.0.1, without a socket file, and waits until it accepts connections. */
export async function startServer({ bin, directory, account, durable, log }: StartOptions): Promise<Start> {
  const port = await freePort();
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: 300 }),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = tether(join(bin, 'postgres'), ['-D', directory, ...flags], {
    signal: 'INT', // fast shutdown: sessions are cut, data is written
    env: serverEnvironment,
    log,
    ...asAccount(account),
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!server.hasExited()) {
    const file = await readPidFile(directory);
    if (file?.ready && file.port === port) return { port, exited: server.exited, stop: server.stop };
    if (Date.now() > deadline) await server.stop();
    await setTimeout(POLL_MS);
  }
  return { output: server.output(), mayPass: /lock file|in use/.test(server.output()) };
}

/** What the postmaster says of itself (PostgreSQL, miscadmin.h): line 4 is the port, line 8 the status. */
async function readPidFile(directory: string): Promise<{ port: number; ready: boolean } | undefined> {
  const text = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  const port = Number(lines[3]);
  return port ? { port, ready: lines[7]?.trim() === 'ready' } : undefined;
}
