/**
 * `node test/bench/purge.ts`: what deleting millions of expired rows costs those who get tokens meanwhile. The server runs
 * as it is; machines get tokens and people refresh theirs at a steady rate. In turn in one run: a while without a purge,
 * a while with `authserver purge` beside it, which is ended by SIGTERM and goes on the next time, until nothing is left.
 *
 * Environment: ROWS (5000000), SECONDS of a window (10), CONNECTIONS of each kind (8), THINK_MS (40), the mean pause of a
 * connection between two requests; 0 is as fast as the machine can.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAdminClient } from '@authserver/admin-api';
import { openEmbeddedPostgres } from '@authserver/cli/embedded-postgres';
import { uuidv7 } from '@authserver/store';
import pg from 'pg';
import type { Plan } from './load/plan.ts';
import { runLoad } from './load/run-load.ts';
import { onCore, otherCore, pin, pinned, serverCore } from './machine.ts';

const rows = Number(process.env.ROWS ?? 5_000_000);
const seconds = Number(process.env.SECONDS ?? 10);
const connections = Number(process.env.CONNECTIONS ?? 8);
const thinkMs = Number(process.env.THINK_MS ?? 40);
const [serverPort, adminPort] = [19_100, 19_101];
const adminKey = 'an-admin-key-for-the-benchmark';
const uri = 'http://localhost:3000/mcp';
const root = resolve(import.meta.dirname, '../..');

/** Kinds of traffic, and where each stands in the results. */
const kinds = ['client_credentials', 'refresh_token'] as const;
type Kind = (typeof kinds)[number];
type Window = Record<Kind, number[]>;

const directory = await mkdtemp(join(tmpdir(), 'authserver-bench-'));
const children: ChildProcess[] = [];
const database = await openEmbeddedPostgres({ dataDir: join(directory, 'postgres') });
pin(Number((await readFile(join(database.directory, 'postmaster.pid'), 'utf8')).split('\n')[0]), otherCore);
const env = {
  ...process.env,
  AUTHPLANE_SERVER_ISSUER: `http://localhost:${serverPort}`,
  AUTHPLANE_SERVER_ADDRESS: `:${serverPort}`,
  AUTHPLANE_SERVER_DATA_DIR: join(directory, 'data'),
  AUTHPLANE_ADMIN_ADDRESS: `:${adminPort}`,
  AUTHPLANE_ADMIN_API_KEY: adminKey,
  AUTHPLANE_SIGNING_KEY_PATH: join(directory, 'keys'),
  AUTHPLANE_STORAGE_DRIVER: 'postgres',
  AUTHPLANE_STORAGE_POSTGRES_DSN: database.dsn,
  AUTHPLANE_RATE_LIMIT_ENABLED: 'false', // all the load comes from one address
  AUTHPLANE_PURGE_INTERVAL: '0',
};

try {
  await startServer();
  const sql = new pg.Client({ connectionString: database.dsn });
  await sql.connect();
  const plans = await prepareTraffic(sql);
  const started = performance.now();
  await fill(sql);
  console.log(`${rows} expired rows made in ${((performance.now() - started) / 1000).toFixed(0)} s`);
  await drive(plans, 3); // warm

  const without: Window = { client_credentials: [], refresh_token: [] };
  const during: Window = { client_credentials: [], refresh_token: [] };
  const ratios: Record<Kind, number[]> = { client_credentials: [], refresh_token: [] };
  const memory: number[] = [];
  let purgeSeconds = 0;
  let told = false;
  process.once('SIGINT', () => {
    told = true; // after this pair
  });
  for (let pair = 1, left = rows; left > 0 && !told; pair += 1) {
    const before = await drive(plans, seconds);
    const purge = await startPurge(memory);
    const beside = await drive(plans, seconds);
    const ended = await purge.stop();
    const now = await countLeft(sql);
    purgeSeconds += ended.seconds;
    // A window in which the purge had nothing left to do says nothing about it.
    if (ended.interrupted) {
      for (const kind of kinds) {
        without[kind].push(...before[kind]);
        during[kind].push(...beside[kind]);
        ratios[kind].push(at(beside[kind], 0.99) / at(before[kind], 0.99));
      }
    }
    const figures = kinds.map(
      (kind) => `${kind} p99 ${at(before[kind], 0.99).toFixed(1)} → ${at(beside[kind], 0.99).toFixed(1)} ms`,
    );
    console.log(`pair ${pair}  ${figures.join('  ')}  ${left - now} rows deleted, ${now} left`);
    left = now;
  }

  const length = ratios.client_credentials.length;
  console.log(`\nnode ${process.version}, ${connections} connections of each kind, pinned to cores: ${pinned}`);
  const gone = rows - (await countLeft(sql));
  console.log(`${gone} rows in ${purgeSeconds.toFixed(0)} s of purging, ${Math.round(gone / purgeSeconds)} rows/s`);
  for (const kind of kinds) {
    const [a, b] = [without[kind], during[kind]];
    const rate = (window: number[]) => Math.round(window.length / (length * seconds));
    console.log(
      `${kind.padEnd(18)}  ${rate(a)} → ${rate(b)} a second  p50 ${at(a, 0.5).toFixed(2)} → ${at(b, 0.5).toFixed(2)} ms  ` +
        `p99 ${at(a, 0.99).toFixed(2)} → ${at(b, 0.99).toFixed(2)} ms`,
    );
    console.log(
      `${''.padEnd(18)}  p99 ratio ${(at(b, 0.99) / at(a, 0.99)).toFixed(2)} over all windows, ` +
        `${at(ratios[kind], 0.5).toFixed(2)} in the median pair of ${length}`,
    );
  }
  console.log(`memory of the purge  ${Math.min(...memory)} to ${Math.max(...memory)} MB resident`);
  await sql.end();
} finally {
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(children.map((child) => child.exitCode ?? new Promise((exited) => child.once('exit', exited))));
  await database.stop();
  await rm(directory, { recursive: true, force: true });
}

/** One client for machines and one with a family for every connection, made as the server makes them. */
async function prepareTraffic(sql: pg.Client): Promise<Record<Kind, Plan>> {
  const admin = createAdminClient({
    transport: async ({ method, path, body }) => {
      const response = await fetch(`http://localhost:${adminPort}${path}`, {
        method,
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: await response.json() };
    },
  });
  const resource = await admin.resource.create({
    body: { slug: 'bench', uri, backend_kind: 'mint', scopes: [{ name: 'tools/read' }] },
  });
  const client = (name: string, grants: ('client_credentials' | 'authorization_code' | 'refresh_token')[]) =>
    admin.client.create({
      body: {
        client_name: name,
        grant_types: grants,
        ...(grants.includes('refresh_token') ? { redirect_uris: ['https://app.example.com/cb'] } : {}),
        token_endpoint_auth_method: 'client_secret_basic',
        scope: 'tools/read',
      },
    });
  const machine = await client('machine', ['client_credentials']);
  const app = await client('app', ['authorization_code', 'refresh_token']);
  const [userId, consentId] = [uuidv7(new Date()), uuidv7(new Date())];
  await sql.query(`insert into users (id, email) values ($1, 'bench@example.com')`, [userId]);
  await sql.query(
    `insert into consent_grants (id, user_id, client_id, resource_id, scopes) values ($1, $2, $3, $4, '{tools/read}')`,
    [consentId, userId, app.client_id, resource.id],
  );
  const lines: string[] = [];
  // One more family, ended by nobody, is what the expired refresh tokens belong to.
  for (let n = 0; n <= connections; n += 1) {
    const familyId = uuidv7(new Date());
    const token = randomBytes(32).toString('base64url');
    await sql.query(
      `insert into token_families (id, client_id, user_id, consent_grant_id, user_epoch, consent_epoch, scopes, resource_id,
         resource, auth_time, created_at, expires_at)
       values ($1, $2, $3, $4, 1, 1, '{tools/read}', $5, $6, now(), now(), now() + interval '90 days')`,
      [familyId, app.client_id, userId, consentId, resource.id, uri],
    );
    await sql.query(
      `insert into refresh_tokens (token_hash, family_id, issued_at, expires_at)
       values ($1, $2, now(), now() + interval '7 days')`,
      [createHash('sha256').update(token).digest(), familyId],
    );
    lines.push(`grant_type=refresh_token&refresh_token=${token}`);
  }
  const basic = ({ client_id, client_secret = '' }: { client_id: string; client_secret?: string | undefined }) =>
    `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`;
  const post = (authorization: string, forms: string[]): Plan => ({
    kind: 'post',
    path: '/oauth/token',
    authorization,
    forms,
  });
  return {
    client_credentials: post(basic(machine), [
      `grant_type=client_credentials&scope=tools%2Fread&resource=${encodeURIComponent(uri)}`,
    ]),
    refresh_token: post(basic(app), lines.slice(0, connections)),
  };
}

/** Half are refresh tokens, in the table that is refreshed from meanwhile; a quarter each sign-ins and DPoP proofs. */
async function fill(sql: pg.Client): Promise<void> {
  const half = Math.ceil(rows / 2);
  const quarter = Math.floor(rows / 4);
  const over = `now() - interval '30 days' + n * interval '0.1 s'`;
  await sql.query(
    `insert into refresh_tokens (token_hash, family_id, issued_at, expires_at, spent_at)
     select sha256(('r' || n)::bytea), (select id from token_families order by id desc limit 1),
            ${over} - interval '7 days', ${over}, ${over} - interval '6 days' from generate_series(1, $1::int) as n`,
    [half],
  );
  await sql.query(
    `insert into browser_sessions (id_hash, user_id, user_epoch, auth_time, expires_at, ip)
     select sha256(('s' || n)::bytea), (select id from users limit 1), 1, ${over} - interval '1 day', ${over}, '192.0.2.1'
       from generate_series(1, $1::int) as n`,
    [quarter],
  );
  await sql.query(
    `insert into single_use (kind, key_hash, expires_at)
     select 'dpop_proof', sha256(('p' || n)::bytea), ${over} from generate_series(1, $1::int) as n`,
    [rows - half - quarter],
  );
  await sql.query('vacuum analyze');
  await sql.query('checkpoint');
}

/** The rows are found where they were made: nothing else is over. */
async function countLeft(sql: pg.Client): Promise<number> {
  const { rows: found } = await sql.query(
    `select (select count(*) from refresh_tokens where expires_at < now() - interval '1 hour')
          + (select count(*) from browser_sessions) + (select count(*) from single_use) as n`,
  );
  return Number(found[0]?.n);
}

/** Both kinds of traffic at once; every latency, in milliseconds. */
async function drive(plans: Record<Kind, Plan>, duration: number): Promise<Window> {
  const one = async (kind: Kind): Promise<number[]> => {
    const result = await runLoad({
      plan: plans[kind],
      ports: [serverPort],
      connections,
      seconds: duration,
      thinkMs,
      latencies: true,
    });
    if (result.errors > 0) throw new Error(`${result.errors} requests of ${kind} were refused`);
    plans[kind] = result.plan;
    return result.latencies ?? [];
  };
  const [machines, people] = await Promise.all([one('client_credentials'), one('refresh_token')]);
  return { client_credentials: machines, refresh_token: people };
}

/** `authserver purge`, once it is at work. */
async function startPurge(memory: number[]): Promise<{ stop(): Promise<{ interrupted: boolean; seconds: number }> }> {
  const [command = '', ...rest] = onCore(otherCore, [
    process.execPath,
    'cli/bin/authserver.js',
    'purge',
    '--timeout',
    '0',
  ]);
  const started = performance.now();
  const child = spawn(command, rest, { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const ended = new Promise<number>((resolve) => child.once('exit', () => resolve(performance.now())));
  await sleep(1500); // its own start is no part of what it does to others
  const watch = setInterval(() => {
    readFile(`/proc/${child.pid}/status`, 'utf8')
      .then((status) => {
        const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(status) ?? []; // absent when it has just ended
        if (kilobytes !== undefined) memory.push(Math.round(Number(kilobytes) / 1024));
      })
      .catch(() => {});
  }, 200);
  return {
    async stop() {
      child.kill('SIGTERM');
      const at = await ended;
      clearInterval(watch);
      if (!/purge (interrupted|completed)/.test(log)) throw new Error(`the purge did not work: ${log}`);
      return { interrupted: log.includes('purge interrupted'), seconds: (at - started) / 1000 };
    },
  };
}

async function startServer(): Promise<void> {
  const args = ['--max-semi-space-size=8', 'cli/bin/authserver.js', 'serve'];
  const [command = '', ...rest] = onCore(serverCore, [process.execPath, ...args]);
  const child = spawn(command, rest, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await new Promise<void>((ready, failed) => {
    child.once('exit', (code) => failed(new Error(`the server ended with ${code}`)));
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('is ready')) ready();
    });
  });
}

function at(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}
