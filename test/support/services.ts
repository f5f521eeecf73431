/**
 * Finds or starts what the tests need besides our own processes: PostgreSQL, NATS, Redis.
 * The runner calls this once and passes the result on in TEST_PG_URL, TEST_NATS_URL and TEST_REDIS_URL; a test file
 * run alone calls it for itself. Each way is tried in order with a short timeout, so the answer is a service or the
 * list of reasons why there is none. What is started here ends with this process.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { get } from 'node:http';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort, openEmbeddedPostgres, tether } from '@authserver/cli/embedded-postgres';
import pg from 'pg';

const run = promisify(execFile);

const PROBE_TIMEOUT_MS = 1_000;
const DOCKER_TIMEOUT_MS = 500;
const START_TIMEOUT_MS = 10_000;
const INSTALL_TIMEOUT_MS = 120_000;
/** The oldest PostgreSQL we support, as `server_version_num`. */
const OLDEST_POSTGRES = 150_000;

interface Found {
  url: string;
  source: string;
}

/** A way to a service: what it found, or the reason why it found nothing (returned or thrown). */
type Way = () => Promise<Found | string>;

const known = new Map<string, Promise<Found>>();
const cleanups: (() => unknown)[] = [];

/** A PostgreSQL 15 or newer in which we may create databases; `adminDsn` names its maintenance database. */
export async function postgres(): Promise<{ adminDsn: string; source: string }> {
  const { url, source } = await once('postgres', process.env.TEST_PG_URL, explicitPostgres, [
    localPostgres,
    installedPostgres,
    embeddedPostgres,
    () => afterAptInstall('postgresql', installedPostgres),
    () =>
      container('postgres:18', 5432, (at) => `postgres://postgres:test@${at}/postgres`, { POSTGRES_PASSWORD: 'test' }),
  ]);
  return { adminDsn: url, source };
}

/** A NATS server, possibly shared with others: use a subject prefix of your own. */
export function nats(): Promise<Found> {
  return once('nats', process.env.TEST_NATS_URL, taken('TEST_NATS_URL'), [
    () => localNats(4222, 'localhost:4222'),
    installedNats,
    () => afterAptInstall('nats-server', installedNats),
    () => container('nats:2', 4222, (at) => `nats://${at}`),
  ]);
}

/** A Redis server, possibly shared with others: use a key prefix of your own. */
export function redis(): Promise<Found> {
  return once('redis', process.env.TEST_REDIS_URL, taken('TEST_REDIS_URL'), [
    () => localRedis(6379, 'localhost:6379'),
    installedRedis,
    () => afterAptInstall('redis-server', installedRedis),
    () => container('redis:7', 6379, (at) => `redis://${at}`),
  ]);
}

/** Stops what this process started and removes its data. */
export async function stopServices(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** Why the runner found no such service; false where there is one, or nobody has looked yet. */
export const isMissing = (name: 'nats' | 'redis'): string | false =>
  process.env[`TEST_NO_${name.toUpperCase()}`] ?? false;

/** A file whose tests all need what is not there is one skipped test, and nothing else. */
async function skipFile(name: string, reason: string): Promise<never> {
  await test(`all tests of this file need ${name}`, { skip: reason });
  process.exit(0);
}

function once(
  name: 'postgres' | 'nats' | 'redis',
  url: string | undefined,
  use: (url: string) => Promise<Found | string>,
  ways: Way[],
) {
  const reason = name !== 'postgres' && process.env.NODE_TEST_CONTEXT !== undefined && isMissing(name);
  if (reason) return skipFile(name, reason);
  const service = known.get(name) ?? choose(name, url ? [() => use(url)] : ways);
  known.set(name, service);
  return service;
}

async function choose(name: string, ways: Way[]): Promise<Found> {
  const reasons: string[] = [];
  for (const way of ways) {
    const found = await way().catch((error: Error) => error.message || String(error));
    if (typeof found === 'string') {
      reasons.push(`  - ${found}`);
      continue;
    }
    // A test file under the runner stays silent: the runner has said it.
    if (!process.env.NODE_TEST_CONTEXT) console.log(`${name}: ${found.source}`);
    return found;
  }
  throw new Error(`The tests need ${name} and found none:\n${reasons.join('\n')}`);
}

const taken = (source: string) => async (url: string) => ({ url, source });

async function explicitPostgres(url: string): Promise<Found | string> {
  // The runner has checked what it passes on.
  if (process.env.NODE_TEST_CONTEXT) return { url, source: 'TEST_PG_URL' };
  const checked = await checkPostgres(url);
  return 'reason' in checked ? `TEST_PG_URL: ${checked.reason}` : { url, source: `TEST_PG_URL (${checked.version})` };
}

async function localPostgres(): Promise<Found | string> {
  const { PGHOST, PGUSER, PGPASSWORD, PGPORT, USER } = process.env;
  const port = Number(PGPORT ?? 5432);
  const host = PGHOST && !PGHOST.startsWith('/') ? PGHOST : '127.0.0.1';
  const place = host === '127.0.0.1' ? `localhost:${port}` : `${host}:${port}`;
  const open = await exchange(host, port, '', undefined).catch((error: Error) => error);
  if (open instanceof Error) return `${place}: ${open.message}`;
  const password = PGPASSWORD ? `:${encodeURIComponent(PGPASSWORD)}` : '';
  const users = new Set([PGUSER, USER, userInfo().username, 'postgres', 'root'].filter((user) => user !== undefined));
  const reasons: string[] = [];
  for (const user of users) {
    const url = `postgres://${encodeURIComponent(user)}${password}@${host}:${port}/postgres`;
    const checked = await checkPostgres(url);
    if (!('reason' in checked)) return { url, source: `${place} (${checked.version})` };
    reasons.push(`${user}: ${checked.reason}`);
  }
  return `${place}: ${reasons.join('; ')}`;
}

async function checkPostgres(url: string): Promise<{ version: string } | { reason: string }> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: PROBE_TIMEOUT_MS,
    query_timeout: PROBE_TIMEOUT_MS,
  });
  client.on('error', () => {}); // the query rejects as well
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string; number: number; allowed: boolean }>(
      `select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
              rolsuper or rolcreatedb as allowed
         from pg_roles where rolname = current_user`,
    );
    const row = rows[0];
    if (!row?.allowed) return { reason: 'the role may not create databases' };
    if (row.number < OLDEST_POSTGRES) return { reason: `PostgreSQL ${row.version} is too old` };
    return { version: `PostgreSQL ${row.version.split(' ')[0]}` };
  } catch (error) {
    return { reason: (error as Error).message };
  } finally {
    await client.end().catch(() => {});
  }
}

async function installedPostgres(): Promise<Found | string> {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const directories = [...path(), ...versions.map((version) => join(debian, version, 'bin'))];
  const reasons: string[] = [];
  for (const bin of directories) {
    if (!existsSync(join(bin, 'postgres')) || !existsSync(join(bin, 'initdb'))) continue;
    const found = await startPostgres(bin, bin).catch((error: Error) => error.message);
    if (typeof found !== 'string') return found;
    reasons.push(`${bin}: ${found}`);
  }
  return reasons.join('; ') || 'no initdb on PATH or under /usr/lib/postgresql';
}

async function embeddedPostgres(): Promise<Found | string> {
  return startPostgres('embedded', undefined);
}

async function startPostgres(source: string, binaries: string | undefined): Promise<Found | string> {
  // Passable, because as root PostgreSQL runs as somebody else; the data directory in it is its own.
  const parent = await mkdtemp(join(tmpdir(), 'authserver-test-'));
  await chmod(parent, 0o755);
  const remove = (directory: string) => rmSync(directory, { recursive: true, force: true });
  onStop(() => remove(parent));
  const server = await openEmbeddedPostgres({
    dataDir: join(parent, 'postgres'),
    durable: false,
    ...(binaries ? { binaries } : {}),
  });
  onStop(() => remove(server.directory));
  onStop(() => server.stop());
  const checked = await checkPostgres(server.dsn);
  return 'reason' in checked ? checked.reason : { url: server.dsn, source: `${source} (${checked.version})` };
}

async function localNats(port: number, source: string): Promise<Found> {
  const info = await exchange('127.0.0.1', port, '', /^INFO .*"version":"([^"]*)"/);
  return { url: `nats://127.0.0.1:${port}`, source: `${source} (NATS ${info})` };
}

async function localRedis(port: number, source: string): Promise<Found> {
  const version = await exchange('127.0.0.1', port, 'PING\r\nINFO server\r\n', /^\+PONG[\s\S]*redis_version:(\S*)/);
  return { url: `redis://127.0.0.1:${port}`, source: `${source} (Redis ${version})` };
}

const installedNats = () => startServer('nats-server', (port) => ['-a', '127.0.0.1', '-p', `${port}`], localNats);

const installedRedis = () =>
  startServer('redis-server', (port) => ['--bind', '127.0.0.1', '--port', `${port}`, '--save', ''], localRedis);

async function startServer(
  name: string,
  flags: (port: number) => string[],
  probe: (port: number, source: string) => Promise<Found>,
): Promise<Found | string> {
  const binary = path()
    .map((directory) => join(directory, name))
    .find((file) => existsSync(file));
  if (!binary) return `no ${name} on PATH`;
  const port = await freePort();
  const server = tether(binary, flags(port), { signal: 'TERM', env: { PATH: process.env.PATH } });
  onStop(() => server.stop());
  for (const deadline = Date.now() + START_TIMEOUT_MS; Date.now() < deadline && !server.hasExited(); ) {
    const found = await probe(port, binary).catch(() => undefined);
    if (found) return found;
    await setTimeout(20);
  }
  return `${binary} did not start: ${server.output()}`;
}

async function afterAptInstall(name: string, installed: Way): Promise<Found | string> {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return 'no apt-get, or not root';
  console.error(`installing ${name} with apt-get …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const limits = { env, signal: AbortSignal.timeout(INSTALL_TIMEOUT_MS) };
  await run('apt-get', ['update', '-qq'], limits);
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name], limits);
  return installed();
}

async function container(
  image: string,
  port: number,
  url: (address: string) => string,
  environment: Record<string, string> = {},
): Promise<Found | string> {
  if (!(await dockerAnswers())) return 'no Docker engine answers';
  const { GenericContainer, Wait } = await import('testcontainers');
  const started = await new GenericContainer(image)
    .withExposedPorts(port)
    .withEnvironment(environment)
    .withWaitStrategy(Wait.forListeningPorts())
    .withStartupTimeout(INSTALL_TIMEOUT_MS)
    .start();
  onStop(() => started.stop());
  return { url: url(`${started.getHost()}:${started.getMappedPort(port)}`), source: `container ${image}` };
}

function dockerAnswers(): Promise<boolean> {
  const host = new URL(process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock');
  const address =
    host.protocol === 'unix:'
      ? { socketPath: host.pathname }
      : { host: host.hostname, port: Number(host.port || 2375) };
  return new Promise((resolve) => {
    const request = get({ ...address, path: '/_ping', signal: AbortSignal.timeout(DOCKER_TIMEOUT_MS) }, (response) => {
      resolve(response.statusCode === 200);
      response.destroy();
    });
    request.on('error', () => resolve(false));
  });
}

/** Connects, sends `text`, and resolves to what `answer` captures; with no `answer`, as soon as it is connected. */
function exchange(host: string, port: number, text: string, answer: RegExp | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    let received = '';
    const finish = (settle: () => void) => {
      socket.destroy();
      settle();
    };
    socket.on('connect', () => (answer ? socket.write(text) : finish(() => resolve(''))));
    socket.on('data', (chunk) => {
      received += chunk;
      const match = answer?.exec(received);
      if (match) finish(() => resolve(match[1] ?? ''));
    });
    socket.on('error', (error: NodeJS.ErrnoException) => finish(() => reject(new Error(describe(error, port)))));
    socket.on('close', () => reject(new Error(`port ${port} answered ${JSON.stringify(received.slice(0, 80))}`)));
  });
}

function describe(error: NodeJS.ErrnoException, port: number): string {
  if (error.code === 'ECONNREFUSED') return `nothing listens on port ${port}`;
  if (error.name === 'AbortError') return `no proper answer on port ${port} within ${PROBE_TIMEOUT_MS} ms`;
  return error.message;
}

function path(): string[] {
  // Debian keeps servers in sbin, which ordinary users do not have on their path.
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
}

function onStop(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

process.on('exit', () => {
  // Only when nobody awaited stopServices(): then the servers end by themselves and the data goes now.
  for (const cleanup of cleanups.splice(0).reverse()) {
    try {
      void cleanup();
    } catch {
      // Still being written to; the directory is a temporary one.
    }
  }
});
