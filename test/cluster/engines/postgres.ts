import { readdirSync, readFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type EmbeddedPostgres, openEmbeddedPostgres } from '@authserver/cli/embedded-postgres';
import pg from 'pg';

/** A PostgreSQL of the cluster's own, to be stopped, frozen and killed. It comes back on another port. */
export type ClusterPostgres = {
  port(): number;
  /** A superuser's way to it, past the proxies; `port` is that of the proxy to use instead. */
  dsn(port?: number): string;
  start(): Promise<void>;
  /** `fast` cuts sessions and writes everything, `immediate` leaves it to recovery, `kill` is the end of the machine. */
  stop(how: 'fast' | 'immediate' | 'kill'): Promise<void>;
  /** kill -9 of one backend: PostgreSQL then restarts all of them. False when there was none of that name. */
  killBackend(applicationName: string): Promise<boolean>;
  freeze(): void;
  thaw(): void;
  query<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
};

/** How often a postmaster that does not come up is started; what the one before left may be in its way for seconds. */
const START_TRIES = 3;

const signals = { fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' } as const;

/** Makes and starts it below `directory`, which other accounts may pass. */
export const startPostgres = async (directory: string): Promise<ClusterPostgres> => {
  const log = (line: string) => void appendFile(join(directory, 'postgres.log'), `${line}\n`).catch(() => {});
  const open = () => openEmbeddedPostgres({ dataDir: join(directory, 'postgres'), log });
  let server: EmbeddedPostgres = await open();
  let frozen: number[] = [];

  const postmaster = (): number =>
    Number(readFileSync(join(server.directory, 'postmaster.pid'), 'utf8').split('\n')[0]);
  const signalAll = (pids: readonly number[], signal: NodeJS.Signals): void => {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // It ended meanwhile.
      }
    }
  };
  const query = async <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) => {
    const client = new pg.Client({
      connectionString: server.dsn,
      connectionTimeoutMillis: 3_000,
      query_timeout: 20_000,
    });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query<Row>(text, [...values])).rows;
    } finally {
      await client.end().catch(() => {});
    }
  };

  // Nothing survives a power cut here, which no test makes; every commit survives a kill -9.
  await query('alter system set fsync = off');
  await query('alter system set max_connections = 300');
  await server.stop();
  server = await open();

  return {
    port: () => Number(new URL(server.dsn).port),
    dsn(port) {
      const url = new URL(server.dsn);
      if (port !== undefined) url.port = String(port);
      return url.href;
    },
    async start() {
      for (let attempt = 1; ; attempt += 1) {
        try {
          server = await open();
          return;
        } catch (error) {
          if (attempt === START_TRIES) throw error;
          log(`harness: started again, ${(error as Error).message}`);
        }
      }
    },
    async stop(how) {
      signalAll([postmaster()], signals[how]);
      await server.exited;
    },
    async killBackend(name) {
      const [found] = await query<{ pid: number }>(
        'select pid from pg_stat_activity where application_name = $1 order by random() limit 1',
        [name],
      );
      if (found) signalAll([found.pid], 'SIGKILL');
      return found !== undefined;
    },
    freeze() {
      const main = postmaster();
      signalAll([main], 'SIGSTOP'); // no new children from here on
      frozen = [main, ...childrenOf(main)];
      signalAll(frozen, 'SIGSTOP');
    },
    thaw() {
      signalAll(frozen, 'SIGCONT');
      frozen = [];
    },
    query,
  };
};

/** As Linux tells it; elsewhere only the postmaster is frozen, and so are all new connections. */
const childrenOf = (parent: number): number[] => {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? '';
          return Number(afterName.split(' ')[1]) === parent;
        } catch {
          return false;
        }
      })
      .map(Number);
  } catch {
    return [];
  }
};
