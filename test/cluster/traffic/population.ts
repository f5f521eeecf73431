import { randomBytes } from 'node:crypto';
import type { AuthMethod, GrantType } from '@authserver/oauth';
import type { TestUser } from '../../support/auth-server.ts';
import { DpopKey } from '../../support/dpop-key.ts';
import { TestApp } from '../../support/test-app.ts';
import type { Cluster } from '../cluster.ts';
import type { Random } from '../random.ts';
import { administer, type World } from '../world.ts';

/** Who takes part: made once, at the start. */
export type Population = {
  resource: string;
  scope: string;
  /** Acts for the resource, so it may ask about every token for it. */
  inspector: TestApp;
  /** Apps of users: a public one and a confidential one. */
  apps: TestApp[];
  machines: TestApp[];
  /** Machines that are suspended and reactivated, each by one actor at a time. */
  unsteady: TestApp[];
  users: TestUser[];
  dpopKey: DpopKey;
};

type Maker = Pick<World, 'cluster' | 'disturbances' | 'violations' | 'tally'>;

const password = 'correct horse battery staple';
const redirectUri = 'https://app.example.com/cb';

/** Makes them through the admin API. */
export const createPopulation = async (world: Maker, random: Random, userCount: number): Promise<Population> => {
  const { cluster } = world;
  const uri = 'https://mcp.example.com/mcp';
  const scope = 'tools/read';
  const inspector = await createClient(world, random, { name: 'Inspector', scope });
  await administer(world, random, 'create a resource', (admin) =>
    admin.resource.create({
      body: {
        slug: 'mcp',
        uri,
        scopes: [{ name: 'tools/read', description: 'Read' }],
        policy: { runtime: { client_ids: [inspector.clientId] } },
      } as never,
    }),
  );
  const many = async <T>(count: number, make: (n: number) => Promise<T>): Promise<T[]> => {
    const made: T[] = [];
    for (let n = 1; n <= count; n += 1) made.push(await make(n));
    return made;
  };
  const web = { scope, redirectUri, grantTypes: ['authorization_code', 'refresh_token'] as const };
  return {
    resource: uri,
    scope,
    inspector,
    apps: [
      await createClient(world, random, { ...web, name: 'Public app', authMethod: 'none' }),
      await createClient(world, random, { ...web, name: 'Confidential app' }),
    ],
    machines: await many(3, (n) => createClient(world, random, { name: `Job ${n}`, scope })),
    unsteady: await many(3, (n) => createClient(world, random, { name: `Unsteady job ${n}`, scope })),
    users: await many(userCount, () => createUser(world, random)),
    dpopKey: await DpopKey.create({ issuer: cluster.issuer, clock: { now: () => new Date() } }),
  };
};

export const createUser = async (world: Maker, random: Random): Promise<TestUser> => {
  const email = `user-${randomBytes(6).toString('hex')}@example.com`;
  const idempotencyKey = randomBytes(12).toString('hex');
  const created = await administer(world, random, 'create a user', (admin) =>
    admin.user.create({ idempotencyKey, body: { email, password, name: 'Ada' } }),
  );
  return { id: String(created?.id), email, password };
};

type ClientOptions = {
  name: string;
  scope: string;
  authMethod?: AuthMethod;
  redirectUri?: string;
  grantTypes?: readonly GrantType[];
};

const createClient = async (world: Maker, random: Random, options: ClientOptions): Promise<TestApp> => {
  const authMethod = options.authMethod ?? 'client_secret_basic';
  const redirectUris = options.redirectUri === undefined ? [] : [options.redirectUri];
  const created = await administer(world, random, 'create a client', (admin) =>
    admin.client.create({
      body: {
        client_name: options.name,
        token_endpoint_auth_method: authMethod,
        grant_types: [...(options.grantTypes ?? ['client_credentials' as const])],
        redirect_uris: redirectUris,
        scope: options.scope,
      } as never,
    }),
  );
  return appAt([world.cluster.balancer.url], {
    clientId: String(created?.client_id),
    clientSecret: created?.client_secret,
    authMethod,
    redirectUris,
  });
};

const appAt = (urls: readonly string[], client: ConstructorParameters<typeof TestApp>[1]): TestApp =>
  new TestApp(urls, client);

/** The same client, at the door of one pod. */
export const atPod = (cluster: Cluster, app: TestApp, pod: string): TestApp => appAt([cluster.balancer.door(pod)], app);
