import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { postgresAccount } from './embedded-postgres/account.ts';
import { embeddedBinaries } from './embedded-postgres/binaries.ts';
import { dsnOf, ensureDatabase } from './embedded-postgres/connection.ts';
import { initialize, placeDataDirectory } from './embedded-postgres/data-directory.ts';
import { readPassword } from './embedded-postgres/password.ts';
import { runningServer, startServer } from './embedded-postgres/server.ts';

export { freePort } from './embedded-postgres/free-port.ts';
export { type Tethered, tether } from './embedded-postgres/tether.ts';

/** How long another server's lock may stand in the way: a killed one leaves it for a second or two. */
const LOCK_WAIT_MS = 8_000;
const LOCK_POLL_MS = 200;

export interface EmbeddedPostgresOptions {
  /** Where the data lives, relative to the working directory; the password is kept beside it, in `<dataDir>.password`. */
  dataDir: string;
  /** False trades safety after a crash for speed (no fsync); for tests. Default true. */
  durable?: boolean;
  /** Receives what PostgreSQL logs, line by line. */
  log?: (line: string) => void;
  /** A directory with `initdb` and `postgres` to use instead of the embedded ones. */
  binaries?: string;
}

export interface EmbeddedPostgres {
  /** Superuser DSN of the database `authserver`, with the password. */
  dsn: string;
  /** False when the server was running already; it is then somebody else's to stop. */
  owned: boolean;
  /** The real data directory; not `dataDir` when that is a symbolic link. */
  directory: string;
  /** Resolves when a server that is ours has ended, asked or not; never for somebody else's. */
  exited: Promise<void>;
  /** Fast shutdown, waiting for its end. Does nothing to a server that is not ours. May be called again. */
  stop(): Promise<void>;
}

/**
 * Opens the PostgreSQL cluster in `dataDir`, on 127.0.0.1 and a free port: makes it on first use, starts it, or
 * attaches to the one that is running there. It ends with this process, however this process ends.
 * As root it runs as the owner of the directory, else as `nobody`, because PostgreSQL refuses to be root.
 * Throws with a sentence for the operator where that cannot be done.
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const durable = options.durable ?? true;
  const log = options.log ?? (() => {});
  const dataDir = resolve(options.dataDir);
  const account = await postgresAccount(dataDir);
  const bin = options.binaries ?? (await embeddedBinaries(account));
  const directory = await placeDataDirectory(dataDir, account);
  const password = await readPassword(dataDir, directory);
  if (!existsSync(`${directory}/PG_VERSION`)) await initialize({ bin, directory, password, account, durable });

  const deadline = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    const running = await runningServer(directory, password);
    if (running)
      return {
        dsn: await opened(running.port, password),
        owned: false,
        directory,
        exited: new Promise(() => {}),
        stop: async () => {},
      };

    const started = await startServer({ bin, directory, account, durable, log });
    if ('port' in started) {
      try {
        return {
          dsn: await opened(started.port, password),
          owned: true,
          directory,
          exited: started.exited,
          stop: started.stop,
        };
      } catch (error) {
        await started.stop();
        throw error;
      }
    }
    if (!started.mayPass || Date.now() > deadline) {
      throw new Error(`PostgreSQL did not start in ${directory}:\n${await withVersionHint(started.output, directory)}`);
    }
    await setTimeout(LOCK_POLL_MS);
  }
}

async function opened(port: number, password: string): Promise<string> {
  await ensureDatabase(port, password);
  return dsnOf(port, password);
}

async function withVersionHint(output: string, directory: string): Promise<string> {
  if (!output.includes('incompatible with server')) return output;
  const version = (await readFile(`${directory}/PG_VERSION`, 'utf8')).trim();
  return `${output}\nThe data was written by PostgreSQL ${version}: dump it with that version and load it again.`;
}
