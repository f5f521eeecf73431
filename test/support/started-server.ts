import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { AuthMethod } from '@authserver/oauth';
import type { TestUser } from './auth-server.ts';
import {
  cleanEnvironment,
  cliFile,
  type Ended,
  emptyDirectory,
  freePorts,
  root,
  type ServerProcess,
  startProcess,
} from './server-process.ts';
import { TestApp } from './test-app.ts';

const CLI_TIMEOUT_MS = 60_000;

export type StartOptions = {
  /** Settings by their environment name without `AUTHPLANE_`; they win over the ports and the issuer chosen here. */
  env?: Record<string, string>;
  /** Where it runs; an empty directory unless given. */
  directory?: string;
  /** Ports of an earlier server, to start it again. */
  ports?: Ports;
  role?: 'all' | 'token' | 'admin';
  /** Further flags of `serve`. */
  flags?: string[];
  /** `npm start` as a person types it, the command line behind it, which is a second faster, or the service of the role. */
  by?: 'npm' | 'cli' | 'service';
  /** The program of Node that runs it. */
  node?: string;
};

export type Ports = { token: number; admin: number; internal: number };
export type CliResult = { code: number | null; stdout: string; stderr: string };

/** Starts the process and does not wait for anything: for starts that fail. */
export const launchServer = async (options: StartOptions = {}): Promise<StartedServer> => {
  const { node = process.execPath } = options;
  const directory = options.directory ?? (await emptyDirectory());
  const [token = 0, admin = 0, internal = 0] = options.ports ? [] : await freePorts(3);
  const ports = options.ports ?? { token, admin, internal };
  const settings = {
    SERVER_ISSUER: `http://localhost:${ports.token}`,
    SERVER_ADDRESS: `:${ports.token}`,
    SERVER_INTERNAL_ADDRESS: `:${ports.internal}`,
    ADMIN_ADDRESS: `:${ports.admin}`,
    ...options.env,
  };
  // npm start runs in the repository, so what it keeps is sent elsewhere.
  const elsewhere = {
    SERVER_DATA_DIR: join(directory, 'data'),
    STORAGE_EMBEDDED_PATH: join(directory, 'data/postgres'),
    SIGNING_KEY_PATH: join(directory, 'data/keys'),
  };
  const env = named(options.by === 'npm' ? { ...elsewhere, ...settings } : settings);
  if (options.by === 'service') {
    const main = join(root, 'services', options.role ?? 'token', 'src/main.ts');
    const args = [main, ...(options.flags ?? [])];
    const child = startProcess(node, args, { cwd: directory, env: cleanEnvironment(env) });
    return new StartedServer({ process: child, directory, ports, env, started: performance.now() });
  }
  const role = [...(options.role === undefined ? [] : ['--role', options.role]), ...(options.flags ?? [])];
  const started = performance.now();
  const process_ =
    options.by === 'npm'
      ? startProcess('npm', ['start', '--', ...role], { cwd: root, env: cleanEnvironment(env) })
      : startProcess(node, [cliFile, 'serve', ...role], { cwd: directory, env: cleanEnvironment(env) });
  return new StartedServer({ process: process_, directory, ports, env, started });
};

/** Starts the real thing as a child process, by default in an empty directory, and waits for its banner. */
export const startServer = async (options: StartOptions = {}): Promise<StartedServer> => {
  const server = await launchServer(options);
  await server.ready();
  return server;
};

const named = (settings: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [`AUTHPLANE_${name}`, value]));

export class StartedServer {
  readonly process: ServerProcess;
  readonly directory: string;
  readonly ports: Ports;
  /** Seconds from the start of the process to its banner, as somebody who waits would measure them. */
  readySeconds = Number.NaN;
  readonly #env: Record<string, string>;
  readonly #started: number;

  constructor(parts: {
    process: ServerProcess;
    directory: string;
    ports: Ports;
    env: Record<string, string>;
    started: number;
  }) {
    this.process = parts.process;
    this.directory = parts.directory;
    this.ports = parts.ports;
    this.#env = parts.env;
    this.#started = parts.started;
  }

  get issuer(): string {
    return this.#env.AUTHPLANE_SERVER_ISSUER ?? '';
  }

  get adminUrl(): string {
    return `http://localhost:${this.ports.admin}`;
  }

  get internalUrl(): string {
    return `http://localhost:${this.ports.internal}`;
  }

  async ready(): Promise<void> {
    await this.process.printed(/ is ready \(|"msg":"ready"/);
    this.readySeconds = (performance.now() - this.#started) / 1000;
  }

  /** The admin API key, from where the command line finds it. */
  async adminKey(): Promise<string> {
    return (await readFile(join(this.directory, 'data/admin-api-key'), 'utf8')).trim();
  }

  /** Ends it as an operator does, and waits. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', to: 'process' | 'group' = 'process'): Promise<Ended> {
    this.process.signal(signal, to);
    return this.process.ended();
  }

  /** Runs the command line against this server's admin API. */
  async cli(args: readonly string[], input = ''): Promise<CliResult> {
    const child = spawn(process.execPath, [cliFile, ...args], {
      cwd: this.directory,
      env: cleanEnvironment({ AUTHPLANE_ADMIN_URL: this.adminUrl }),
      timeout: CLI_TIMEOUT_MS,
    });
    child.stdin.on('error', () => {}); // a command that reads nothing has closed it
    child.stdin.end(input);
    const ended = new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject));
    const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    return { code, stdout, stderr };
  }

  /** The answer of a command that succeeds. */
  async admin<T = Record<string, unknown>>(args: readonly string[], input = ''): Promise<T> {
    const result = await this.cli(['admin', ...args, '--json'], input);
    assert.equal(result.code, 0, `authserver admin ${args.join(' ')}\n${result.stdout}\n${result.stderr}`);
    return (result.stdout === '' ? undefined : JSON.parse(result.stdout)) as T;
  }

  async user(): Promise<TestUser> {
    const password = 'correct horse battery staple';
    const email = `user-${randomBytes(4).toString('hex')}@example.com`;
    const args = ['user', 'create', '--email', email, '--name', 'Ada Lovelace', '--password-stdin'];
    const { id } = await this.admin<{ id: string }>(args, `${password}\n`);
    return { id, email, password };
  }

  async resource(options: {
    slug: string;
    uri: string;
    scopes?: readonly string[];
    runtimeClients?: readonly string[];
    name?: string;
  }): Promise<void> {
    const scopes = options.scopes ?? ['tools/read||Read tools', 'tools/write||Change things'];
    await this.admin([
      ...['resource', 'create', '--slug', options.slug, '--uri', options.uri],
      ...(options.name === undefined ? [] : ['--display-name', options.name]),
      ...scopes.flatMap((scope) => ['--scopes', scope]),
      ...(options.runtimeClients ?? []).flatMap((id) => ['--policy-runtime-client-ids', id]),
    ]);
  }

  async client(options: {
    name?: string;
    authMethod?: AuthMethod;
    grantTypes?: readonly string[];
    redirectUris?: readonly string[];
    scope?: string;
  }): Promise<TestApp> {
    const authMethod = options.authMethod ?? 'client_secret_basic';
    const redirectUris = options.redirectUris ?? [];
    const created = await this.admin<{ client_id: string; client_secret?: string }>([
      ...['client', 'create', '--name', options.name ?? 'Test App', '--auth-method', authMethod],
      ...(redirectUris.length > 0 ? ['--redirect-uris', redirectUris.join(',')] : []),
      ...(options.grantTypes ? ['--grant-types', options.grantTypes.join(',')] : []),
      ...(options.scope === undefined ? [] : ['--scope', options.scope]),
    ]);
    return new TestApp([this.issuer], {
      clientId: created.client_id,
      clientSecret: created.client_secret,
      authMethod,
      redirectUris,
    });
  }
}
