import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import type { AdminClient } from '@authserver/admin-api';
import { type Config, loadConfig } from '@authserver/config';
import { type AuthMethod, type GrantType, hashClientSecret, newClientId, newClientSecret } from '@authserver/oauth';
import {
  createStore,
  type Database,
  openDatabase,
  type RefreshTokenPolicy,
  type Repositories,
  type ResourceScope,
  type Row,
  type Store,
  uuidv7,
} from '@authserver/store';
import { createLogger, createMetrics, type Metrics } from '@authserver/telemetry';
import { startTokenService, type TokenService } from '@authserver/token';
import { hash } from '@node-rs/argon2';
import { type AdminPlane, askAdmin, startAdminPlane } from './admin-plane.ts';
import { TestClock } from './clock.ts';
import { createDatabase } from './database.ts';
import { openKeys } from './open-keys.ts';
import { freePorts } from './server-process.ts';
import { type Answer, TestApp } from './test-app.ts';

export type StartOptions = {
  /** Settings by their environment name without `AUTHPLANE_`. */
  env?: Record<string, string>;
  /** Variables that settings name, such as that of the master key. */
  secrets?: Record<string, string>;
  /** Identical token services over the same database. */
  pods?: number;
  /** Path of the issuer. */
  issuerPath?: string;
  /** Also the control plane; with a number so many of it, all with one key. */
  admin?: boolean | number;
  /** Another way for the data plane to the same database, such as a proxy that can be cut. */
  databaseThrough?: (dsn: string) => Promise<string>;
  /** What the names of other hosts lead to; nothing leads anywhere else. */
  hosts?: (name: string) => readonly string[];
  /** Mean time between two rounds of deleting what is over. */
  housekeepingMs?: number;
  /** Mean time between two looks of the control plane whether a key rotation is due. */
  rotationCheckMs?: number;
  /** The time by which processes judge how long ago they read the signing keys. */
  monotonicMs?: () => number;
};

export type TestUser = { id: string; email: string; password: string };
export type TestResource = { id: string; slug: string; uri: string };

/** All tests come from one address. Those about limits set their own. */
const roomyLimits = {
  RATE_LIMIT_RPS: '100000',
  RATE_LIMIT_BURST: '100000',
  RATE_LIMIT_AUTH_FAIL_MAX: '10000',
  DCR_RATE_LIMIT: '100000',
  DCR_RATE_LIMIT_BURST: '100000',
  ADMIN_REQUESTS_PER_SECOND: '0',
  ADMIN_AUTH_FAIL_MAX: '10000',
};

const sessionSecret = 'a session secret of the tests, long enough';

/**
 * Starts the data plane on a database of its own and returns it in the words of OAuth. Stopped when the test file ends.
 */
export const startAuthServer = async (options: StartOptions = {}): Promise<AuthServer> => {
  const database = await createDatabase();
  const directory = await mkdtemp(join(tmpdir(), 'authserver-test-'));
  const clock = new TestClock();
  const podDsn = (await options.databaseThrough?.(database.dsn)) ?? database.dsn;
  const pods = await startPods(options, podDsn, directory, clock);
  const first = pods[0] as Pod;
  const admins: AdminPlane[] = [];
  const startAnotherAdmin = async () => {
    const { issuer } = first.config.server;
    admins.push(await startAdmin(options, issuer, database.dsn, directory, clock, admins[0]?.key));
  };
  for (let n = 0; n < Number(options.admin ?? 0); n += 1) await startAnotherAdmin();
  const server = new AuthServer(first.config, pods, clock, database.dsn, admins, startAnotherAdmin);
  after(async () => {
    await server.close();
    await database.drop();
    await rm(directory, { recursive: true, force: true });
  });
  return server;
};

export type Pod = { url: string; config: Config; metrics: Metrics; service: TokenService };

const configFrom = (settings: Record<string, string>, secrets: Record<string, string> = {}): Config =>
  loadConfig({
    env: {
      ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [`AUTHPLANE_${name}`, value])),
      ...secrets,
    },
  }).config;

/** The control plane as a process of its own would be: with settings and keys of its own reading. */
const startAdmin = async (
  options: StartOptions,
  issuer: string,
  dsn: string,
  directory: string,
  clock: TestClock,
  key?: string,
) => {
  const settings = {
    SERVER_ISSUER: issuer,
    ADMIN_ADDRESS: `:${(await freePorts(1))[0]}`,
    STORAGE_DRIVER: 'postgres',
    STORAGE_POSTGRES_DSN: dsn,
    SIGNING_KEY_PATH: join(directory, 'keys'),
    LOG_LEVEL: 'error',
    PURGE_INTERVAL: '0', // a test deletes when it means to
    ...roomyLimits,
    ...options.env,
  };
  const config = configFrom(settings, options.secrets);
  const { keyStore, keyring, closeKeys } = await openKeys(config, dsn, clock, options);
  const plane = await startAdminPlane({
    ...{ config, dsn, keyStore, keyring, clock, key },
    resolveHost: options.hosts && (async (name) => options.hosts?.(name) ?? []),
    rotationCheckMs: options.rotationCheckMs,
  });
  const { close } = plane.service;
  return { ...plane, service: { ...plane.service, close: () => close().then(closeKeys) } };
};

const startPods = async (options: StartOptions, dsn: string, directory: string, clock: TestClock): Promise<Pod[]> => {
  const ports = await freePorts(options.pods ?? 1);
  const issuer = `http://localhost:${ports[0]}${options.issuerPath ?? ''}`;
  return Promise.all(
    ports.map(async (port) => {
      const settings = {
        SERVER_ISSUER: issuer,
        SERVER_ADDRESS: `:${port}`,
        STORAGE_DRIVER: 'postgres',
        STORAGE_POSTGRES_DSN: dsn,
        SIGNING_KEY_PATH: join(directory, 'keys'),
        LOG_LEVEL: 'error',
        CHANGES_RECONCILE_INTERVAL: '500ms',
        ...roomyLimits,
        ...options.env,
      };
      const config = configFrom(settings, options.secrets);
      const metrics = createMetrics();
      const { keyring, closeKeys } = await openKeys(config, dsn, clock, options);
      const logger = createLogger({ level: config.observability.logging.level, format: 'json', stdout: true });
      const service = await startTokenService({
        config,
        dsn,
        sessionSecret,
        keyring,
        logger,
        metrics,
        clock,
        internalListener: false,
        resolveHost: options.hosts && (async (name) => options.hosts?.(name) ?? []),
        housekeepingIntervalMs: options.housekeepingMs,
      });
      const close = () => service.close().then(closeKeys);
      return {
        ...{ url: `http://localhost:${port}${options.issuerPath ?? ''}`, config, metrics },
        service: { ...service, close },
      };
    }),
  );
};

export class AuthServer {
  readonly config: Config;
  readonly pods: readonly Pod[];
  readonly clock: TestClock;
  readonly dsn: string;
  readonly store: Store;
  readonly #database: Database;
  /** The control planes, of which `admin` and `adminRequest` ask the first. */
  readonly admins: readonly AdminPlane[];

  /** One more control plane, with the key of the first. */
  readonly startAnotherAdmin: () => Promise<void>;

  constructor(
    config: Config,
    pods: readonly Pod[],
    clock: TestClock,
    dsn: string,
    admins: readonly AdminPlane[],
    startAnotherAdmin: () => Promise<void>,
  ) {
    this.startAnotherAdmin = startAnotherAdmin;
    this.config = config;
    this.admins = admins;
    this.pods = pods;
    this.clock = clock;
    this.dsn = dsn;
    this.#database = openDatabase({ dsn, maxConnections: 2, applicationName: 'authserver test' });
    this.store = createStore(this.#database);
  }

  get issuer(): string {
    return this.config.server.issuer;
  }

  /** The admin API, typed: a refusal is thrown as `AdminApiError`. */
  get admin(): AdminClient {
    return this.#requireAdmin().client;
  }

  get adminUrl(): string {
    return this.#requireAdmin().url;
  }

  get adminKey(): string {
    return this.#requireAdmin().key;
  }

  /** The admin API as it is on the wire, with the key unless `headers` says otherwise. */
  adminRequest(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string | undefined> = {},
  ): Promise<Answer> {
    return askAdmin(this.#requireAdmin(), method, path, body, headers);
  }

  /** A configuration file for another process on the same database and keys. */
  async configFile(more: Record<string, unknown> = {}): Promise<string> {
    const directory = dirname(this.config.signing.key_path);
    const file = join(directory, `${randomBytes(4).toString('hex')}.yaml`);
    const settings = {
      server: { issuer: this.issuer, data_dir: directory },
      storage: { driver: 'postgres', postgres: { dsn: this.dsn } },
      signing: { key_path: this.config.signing.key_path },
      ...more,
    };
    await writeFile(file, JSON.stringify(settings));
    return file;
  }

  #requireAdmin(): AdminPlane {
    const [admin] = this.admins;
    if (!admin) throw new Error('start it with { admin: true }');
    return admin;
  }

  /** A row of the database, for what no endpoint shows. */
  async sql<R extends Row = Row>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    const name = createHash('sha256').update(text).digest('hex').slice(0, 16);
    return (await this.#database.query<R>(`test_${name}`, text, values)).rows;
  }

  /** A change as an operator makes it: with its change row, and waited for until every pod has applied it. */
  async change(kind: string, key: string, work: (tx: Repositories) => Promise<unknown>): Promise<void> {
    const version = await this.store.transaction(async (tx) => {
      await work(tx);
      return tx.changes.record(kind, key);
    });
    void version;
    await new Promise((resolve) => setTimeout(resolve, 60));
  }

  async user(options: { email?: string } = {}): Promise<TestUser> {
    const password = 'correct horse battery staple';
    const email = options.email ?? `user-${randomBytes(4).toString('hex')}@example.com`;
    const { id } = await this.store.users.insert({
      id: uuidv7(new Date()),
      email,
      name: 'Test User',
      role: 'user',
      passwordHash: await hash(password, { memoryCost: 64, timeCost: 1, parallelism: 1 }),
    });
    return { id, email, password };
  }

  async resource(
    options: {
      slug?: string;
      uri?: string;
      scopes?: (string | Partial<ResourceScope>)[];
      runtimeClients?: string[];
    } = {},
  ): Promise<TestResource> {
    const slug = options.slug ?? `mcp-${randomBytes(4).toString('hex')}`;
    const uri = options.uri ?? `https://${slug}.example.com/mcp`;
    const id = uuidv7(new Date());
    const scopes = (options.scopes ?? ['tools/read', 'tools/write']).map((scope) => ({
      name: '',
      description: '',
      upstream: '',
      default: false,
      ...(typeof scope === 'string' ? { name: scope } : scope),
    }));
    await this.change('resource', id, (tx) =>
      tx.resources.insert({
        id,
        slug,
        uri,
        backendKind: 'mint',
        brokerProviderId: undefined,
        displayName: slug,
        scopes,
        policy: {
          exchange: { allowed_client_ids: [] },
          runtime: { client_ids: options.runtimeClients ?? [] },
          connect: { allowed_return_urls: [] },
        },
      }),
    );
    return { id, slug, uri };
  }

  /** A registered client, and the app that uses it. Public unless an authentication method is named. */
  async client(
    options: {
      authMethod?: AuthMethod;
      grantTypes?: GrantType[];
      redirectUris?: string[];
      ceiling?: string[];
      name?: string;
      source?: 'admin' | 'dcr';
      requirePushed?: boolean;
      refreshTokenPolicy?: RefreshTokenPolicy;
    } = {},
  ): Promise<TestApp> {
    const authMethod = options.authMethod ?? 'none';
    const clientId = newClientId();
    const clientSecret = authMethod === 'none' ? undefined : newClientSecret();
    const redirectUris = options.redirectUris ?? ['https://app.example.com/cb'];
    await this.change('client', clientId, async (tx) => {
      await tx.clients.insert({
        clientId,
        clientName: options.name ?? 'Test App',
        redirectUris,
        grantTypes: options.grantTypes ?? ['authorization_code', 'refresh_token'],
        responseTypes: ['code'],
        tokenEndpointAuthMethod: authMethod,
        applicationType: 'web',
        ceiling: options.ceiling ?? [],
        registrationSource: options.source ?? 'admin',
        cimdUrl: undefined,
        agent: false,
        agentDescription: '',
        requirePushedAuthorizationRequests: options.requirePushed ?? false,
        refreshTokenPolicy: options.refreshTokenPolicy ?? 'registered',
      });
      if (clientSecret) await tx.clients.replaceSecret(clientId, hashClientSecret(clientSecret));
    });
    return new TestApp(
      this.pods.map(({ url }) => url),
      { clientId, clientSecret, authMethod, redirectUris },
    );
  }

  /** A metric summed over all pods; with labels, the series that has them. */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    const texts = await Promise.all(this.pods.map(async (pod) => (await pod.metrics.render()).body));
    return texts
      .flatMap((text) => text.split('\n'))
      .reduce((sum, line) => {
        const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
        if (match?.[1] !== name) return sum;
        const held = match[2] ?? '';
        return Object.entries(labels).every(([key, value]) => held.includes(`${key}="${value}"`))
          ? sum + Number(match[3])
          : sum;
      }, 0);
  }

  async close(): Promise<void> {
    await Promise.all([...this.pods, ...this.admins].map(({ service }) => service.close()));
    await this.#database.end();
  }
}

/** Waits for what an operator's change does to the pods; a second is what the change feed promises. */
export const soon = async (what: string, holds: () => Promise<boolean>, milliseconds = 1000): Promise<void> => {
  const started = performance.now();
  while (!(await holds())) {
    if (performance.now() - started > milliseconds) throw new Error(`${what}: not within ${milliseconds} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
