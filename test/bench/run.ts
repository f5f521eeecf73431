/**
 * `npm run bench`: how fast the server is, in turn with a bare server that does the least each operation can cost, and with
 * `oidc-provider`. The server that is measured has one core; load and PostgreSQL have the other. `docs/performance.md` says
 * what the figures mean.
 *
 * Environment: OPERATIONS, PEERS, PODS, WORKERS (lists with commas, or `none`), ROUNDS (3), SECONDS a round (5), WARM_UP in
 * seconds (10), CONNECTIONS (64).
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedPostgres } from '@authserver/cli/embedded-postgres';
import pg from 'pg';
import { otherCore, pin, pinned } from './machine.ts';
import { measureBothPlanes, memoryRow } from './memory.ts';
import { readOptions } from './options.ts';
import { reportOperations, table } from './report.ts';
import { measure, type Round } from './rounds.ts';
import { measureScaling } from './scaling.ts';
import { startAuthserver } from './subjects/authserver.ts';
import { startCeiling } from './subjects/ceiling.ts';
import { startOidcProvider } from './subjects/oidc-provider.ts';
import { documentsOf, type Operation, type Subject } from './subjects/subject.ts';

const options = readOptions(process.env);
const peers = { ceiling: startCeiling, 'oidc-provider': startOidcProvider };
const directory = await mkdtemp(join(tmpdir(), 'authserver-bench-'));
const database = await openEmbeddedPostgres({ dataDir: join(directory, 'postgres') });
const pool = new pg.Pool({ connectionString: database.dsn, max: 1 });
pool.on('error', () => {}); // its connection may outlive it by a moment, and the database not
const subjects: Subject[] = [];
try {
  const pid = await postmasterPid();
  pin(pid, otherCore);
  pin(process.pid, otherCore);
  const subjectOptions = { dsn: database.dsn, directory, people: options.connections };
  const authserver = await startAuthserver(subjectOptions);
  subjects.push(authserver);
  const peerOptions = { ...subjectOptions, documents: await documentsOf(authserver.port) };
  for (const [name, start] of Object.entries(peers))
    if (options.peers.includes(name)) subjects.push(await start(peerOptions));

  const results = new Map<Operation, Map<Subject, Round[]>>();
  for (const operation of options.operations) {
    console.error(`measuring ${operation} …`);
    results.set(operation, await measure(operation, subjects, { pool, pid }, options));
  }
  const { rows } = await pool.query('show server_version');
  const [{ model } = { model: 'unknown' }] = cpus();
  console.log(
    `\nNode ${process.version}, PostgreSQL ${rows[0].server_version}, ${model}; ${options.connections} connections, ` +
      `${options.rounds} rounds of ${options.seconds} s, ${pinned ? 'the server on a core of its own' : 'not pinned'}\n`,
  );
  console.log(reportOperations(results));
  const memory = [...subjects.map(memoryRow), await measureBothPlanes(authserver, options)];
  console.log(`\n${table([['server', 'resident when ready', 'after the load'], ...memory])}`);
  if (options.pods.length + options.workers.length > 0) console.log(`\n${await measureScaling(authserver, options)}`);
} finally {
  await Promise.all(subjects.map(({ server }) => server.stop()));
  await pool.end();
  await database.stop();
  await rm(directory, { recursive: true, force: true });
}

async function postmasterPid(): Promise<number> {
  return Number((await readFile(join(database.directory, 'postmaster.pid'), 'utf8')).split('\n')[0]);
}
