/**
 * `npm run bench`: durable client_credentials tokens of the real all-in-one server, against a bare handler that does the
 * least such a token can cost, in turn in one run. The server has one core, load and PostgreSQL have the other.
 *
 * Environment: ROUNDS (3), SECONDS a round (5), CONNECTIONS (64).
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createAdminClient } from '@authserver/admin-api';
import { openEmbeddedPostgres } from '@authserver/cli/embedded-postgres';

type Measurement = { rate: number; p50: number; p99: number; errors: number };

const rounds = Number(process.env.ROUNDS ?? 3);
const seconds = Number(process.env.SECONDS ?? 5);
const connections = Number(process.env.CONNECTIONS ?? 64);
const [serverPort, adminPort, ceilingPort] = [19000, 19001, 19002];
const adminKey = 'an-admin-key-for-the-benchmark';
const root = resolve(import.meta.dirname, '../..');
const pinned = canPin();

const directory = await mkdtemp(join(tmpdir(), 'authserver-bench-'));
const children: ChildProcess[] = [];
const database = await openEmbeddedPostgres({ dataDir: join(directory, 'postgres') });
if (pinned) pin(await postmasterPid(database.directory), 1);

try {
  const server = await start('is ready', ['--max-semi-space-size=8', 'cli/bin/authserver.js', 'serve'], {
    AUTHPLANE_SERVER_ISSUER: `http://localhost:${serverPort}`,
    AUTHPLANE_SERVER_ADDRESS: `:${serverPort}`,
    AUTHPLANE_SERVER_DATA_DIR: join(directory, 'data'),
    AUTHPLANE_ADMIN_ADDRESS: `:${adminPort}`,
    AUTHPLANE_ADMIN_API_KEY: adminKey,
    AUTHPLANE_SIGNING_KEY_PATH: join(directory, 'keys'),
    AUTHPLANE_STORAGE_DRIVER: 'postgres',
    AUTHPLANE_STORAGE_POSTGRES_DSN: database.dsn,
    AUTHPLANE_RATE_LIMIT_ENABLED: 'false', // all the load comes from one address
    AUTHPLANE_LOG_LEVEL: process.env.AUTHPLANE_LOG_LEVEL ?? 'info',
  });
  const client = await createClient();
  await start('ready', ['test/bench/ceiling.ts', String(ceilingPort), database.dsn, client.secret], {});

  const credentials = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`;
  const body = 'grant_type=client_credentials&scope=tools%2Fread&resource=http%3A%2F%2Flocalhost%3A3000%2Fmcp';
  await measure(serverPort, credentials, body, 2);
  await measure(ceilingPort, credentials, body, 2);
  const ours: Measurement[] = [];
  const ceiling: Measurement[] = [];
  for (let round = 0; round < rounds; round += 1) {
    ours.push(await measure(serverPort, credentials, body, seconds));
    ceiling.push(await measure(ceilingPort, credentials, body, seconds));
    report(`round ${round + 1}  server `, ours.at(-1) as Measurement);
    report(`round ${round + 1}  ceiling`, ceiling.at(-1) as Measurement);
  }
  const ratio = median(ours.map(({ rate }, index) => rate / (ceiling[index]?.rate ?? Number.NaN)));
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8').catch(() => '');
  console.log(`\nnode ${process.version}, ${connections} connections, pinned to cores: ${pinned}`);
  console.log(`server  median ${median(ours.map(({ rate }) => rate))} tokens/s`);
  console.log(`ceiling median ${median(ceiling.map(({ rate }) => rate))} tokens/s`);
  console.log(`ratio   median ${ratio.toFixed(2)} (server / ceiling, pair by pair)`);
  console.log(`memory  ${Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024)} MB resident after the load`);
} finally {
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(children.map((child) => child.exitCode ?? new Promise((exited) => child.once('exit', exited))));
  await database.stop();
  await rm(directory, { recursive: true, force: true });
}

async function createClient(): Promise<{ id: string; secret: string }> {
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
  const uri = 'http://localhost:3000/mcp';
  await admin.resource.create({
    body: { slug: 'bench', uri, backend_kind: 'mint', scopes: [{ name: 'tools/read' }] },
  });
  const client = await admin.client.create({
    body: {
      client_name: 'bench',
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_basic',
      scope: 'tools/read',
    },
  });
  return { id: client.client_id, secret: client.client_secret ?? '' };
}

/** A child on the first core, once it has printed that it is ready. What it prints later is read and dropped. */
async function start(readyText: string, args: string[], env: Record<string, string>): Promise<ChildProcess> {
  const [command = '', ...rest] = onCore(0, args);
  const child = spawn(command, rest, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await new Promise<void>((ready, failed) => {
    child.once('exit', (code) => failed(new Error(`${args.join(' ')} ended with ${code}`)));
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes(readyText)) ready();
    });
  });
  return child;
}

async function measure(port: number, authorization: string, body: string, duration: number): Promise<Measurement> {
  const args = ['test/bench/load.ts', port, connections, duration, '/oauth/token', authorization, body].map(String);
  const [command = '', ...rest] = onCore(1, args);
  const child = spawn(command, rest, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await new Promise((exited) => child.once('exit', exited));
  return JSON.parse(text) as Measurement;
}

function report(what: string, { rate, p50, p99, errors }: Measurement): void {
  console.log(`${what}  ${String(rate).padStart(6)} tokens/s  p50 ${p50} ms  p99 ${p99} ms  errors ${errors}`);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function onCore(core: number, args: string[]): string[] {
  return pinned ? ['taskset', '-c', String(core), process.execPath, ...args] : [process.execPath, ...args];
}

function canPin(): boolean {
  try {
    execFileSync('taskset', ['-c', '1', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function pin(pid: number, core: number): void {
  execFileSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' });
}

async function postmasterPid(dataDirectory: string): Promise<number> {
  return Number((await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8')).split('\n')[0]);
}
