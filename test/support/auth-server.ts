import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import type { AdminClient } from '@authserver/admin-api';
import type { Config } from '@authserver/config';
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
import { hash } from '@node-rs/argon2';
import { type AdminPlane, askAdmin } from './admin-plane.ts';
import { TestClock } from './clock.ts';
import { type Pod, type StartOptions, startAdmin, startPods } from './planes.ts';

export type { Pod, StartOptions } from './planes.ts';

import { createDatabase } from './database.ts';
import { type Answer, TestApp } from './test-app.ts';

export type TestUser = { id: string; email: string; password: string };
export type TestResource = { id: string; slug: string; uri: string };

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

export class AuthServer {
  readonly config: Config;
  readonly pods: readonly Pod[];
  readonly clock: TestClock;
  readonly dsn: string;
  readonly store: Store;
  readonly #database: Database;
  readonly #stopped = new Set<Pod | AdminPlane>();
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
      exchangeClients?: string[];
      dpopRequired?: boolean;
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
        dpopBoundAccessTokensRequired: options.dpopRequired ?? false,
        policy: {
          exchange: { allowed_client_ids: options.exchangeClients ?? [] },
          runtime: { client_ids: options.runtimeClients ?? [] },
          connect: { allowed_return_urls: [] },
        },
      }),
    );
    return { id, slug, uri };
  }

  /** What an operator lets a token for one resource become at another. */
  async link(source: TestResource, target: TestResource, scopeMap: Record<string, string[]>): Promise<void> {
    await this.change('fronting_link', `${source.slug}/${target.slug}`, (tx) =>
      tx.frontingLinks.insert({ sourceId: source.id, targetId: target.id, scopeMap, createdBy: 'admin' }),
    );
  }

  /** A registered client, and the app that uses it. Public unless an authentication method is named. */
  async client(
    options: {
      clientId?: string;
      authMethod?: AuthMethod;
      grantTypes?: GrantType[];
      redirectUris?: string[];
      ceiling?: string[];
      name?: string;
      source?: 'admin' | 'dcr';
      requirePushed?: boolean;
      refreshTokenPolicy?: RefreshTokenPolicy;
      agent?: boolean;
      dpopBound?: boolean;
    } = {},
  ): Promise<TestApp> {
    const authMethod = options.authMethod ?? 'none';
    const clientId = options.clientId ?? newClientId();
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
        agent: options.agent ?? false,
        agentDescription: '',
        dpopBoundAccessTokens: options.dpopBound ?? false,
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

  /** One pod less, in good order. */
  async stopPod(index: number): Promise<void> {
    const pod = this.pods[index];
    if (!pod) throw new Error(`there is no pod ${index}`);
    this.#stopped.add(pod);
    await pod.service.close();
  }

  /** No control plane any more. */
  async stopAdmins(): Promise<void> {
    for (const plane of this.admins) this.#stopped.add(plane);
    await Promise.all(this.admins.map(({ service }) => service.close()));
  }

  async close(): Promise<void> {
    const running = [...this.pods, ...this.admins].filter((plane) => !this.#stopped.has(plane));
    await Promise.all(running.map(({ service }) => service.close()));
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
