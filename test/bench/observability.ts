/**
 * `node test/bench/observability.ts`: what it costs to be watched. Two servers in turn: one with metrics by both ways, traces of
 * every hundredth request and the JSON log with its access lines; one without any of it. The collector has the second core, as
 * PostgreSQL and the load have.
 *
 * Environment: OPERATIONS (client_credentials, refresh_token), ROUNDS (3), SECONDS a round (5), CONNECTIONS (64).
 */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, openEmbeddedPostgres } from '@authserver/cli/embedded-postgres';
import pg from 'pg';
import { otherCore, pin, startServer } from './machine.ts';
import { readOptions } from './options.ts';
import { reportOperations } from './report.ts';
import { measure, type Round } from './rounds.ts';
import { startAuthserver } from './subjects/authserver.ts';
import type { Operation, Subject } from './subjects/subject.ts';

const options = readOptions({ OPERATIONS: 'client_credentials,refresh_token', ...process.env });
const directory = await mkdtemp(join(tmpdir(), 'authserver-bench-'));
const database = await openEmbeddedPostgres({ dataDir: join(directory, 'postgres') });
const pools: pg.Pool[] = [];
const connect = (dsn: string): pg.Pool => {
  const pool = new pg.Pool({ connectionString: dsn, max: 1 });
  pool.on('error', () => {}); // its connection may outlive it by a moment, and the database not
  pools.push(pool);
  return pool;
};
const sinkPort = await freePort();
const sink = await startServer({
  args: ['test/bench/otlp-sink.ts'],
  env: { PORT: String(sinkPort) },
  core: otherCore,
  readyUrl: `http://127.0.0.1:${sinkPort}/`,
});
const collector = `http://127.0.0.1:${sinkPort}`;
const watched = {
  AUTHPLANE_METRICS_PROVIDER: 'both',
  AUTHPLANE_METRICS_OTEL_ENDPOINT: collector,
  AUTHPLANE_METRICS_INSECURE: 'true',
  AUTHPLANE_TRACING_ENABLED: 'true',
  AUTHPLANE_TRACING_ENDPOINT: collector,
  AUTHPLANE_TRACING_INSECURE: 'true',
  AUTHPLANE_TRACING_SAMPLE_RATE: '0.01',
};
const unwatched = { AUTHPLANE_METRICS_PROVIDER: 'none', AUTHPLANE_LOG_LEVEL: 'error' };

/** With tables of its own, in a cluster that both share. */
const start = async (name: string, env: Record<string, string>): Promise<Subject> => {
  await connect(database.dsn).query(`create database ${name}`);
  const dsn = new URL(database.dsn);
  dsn.pathname = `/${name}`;
  connect(dsn.href);
  await mkdir(join(directory, name));
  const where = { dsn: dsn.href, directory: join(directory, name), people: options.connections };
  return { ...(await startAuthserver(where, env)), name };
};

const subjects: Subject[] = [];
try {
  const pid = Number((await readFile(join(database.directory, 'postmaster.pid'), 'utf8')).split('\n')[0]);
  pin(pid, otherCore);
  pin(process.pid, otherCore);
  subjects.push(await start('watched', watched), await start('unwatched', unwatched));
  const pool = {
    query: async (text: string) => (await Promise.all(pools.map((one) => one.query(text))))[0] as pg.QueryResult,
  };
  const results = new Map<Operation, Map<Subject, Round[]>>();
  for (const operation of options.operations)
    results.set(operation, await measure(operation, subjects, { pool, pid }, options));
  console.log(reportOperations(results));
} finally {
  await Promise.all([...subjects.map(({ server }) => server.stop()), sink.stop()]);
  await Promise.all(pools.map((one) => one.end()));
  await database.stop();
  await rm(directory, { recursive: true, force: true });
}
