/** The server under test, and the same few clients, users and resources there and in the model. */
import type { GrantType } from '@authserver/oauth';
import { type AuthServer, soon, startAuthServer, type TestResource, type TestUser } from '../../support/auth-server.ts';
import { TestBrowser } from '../../support/browser.ts';
import type { TestApp } from '../../support/test-app.ts';
import type { Asking } from './askings.ts';
import { type Client, type Family, Model, type Resource, type Token, type User } from './model.ts';

/** A token of the model, as it is on the wire. */
export type Known = { token: Token; text: string; jti: string; expiresAt: number };
/** A refresh token chain: the one that is good now, and those that were. */
export type KnownFamily = { family: Family; current: string; spent: string[] };

export type World = {
  server: AuthServer;
  model: Model;
  clients: readonly Client[];
  users: readonly User[];
  resources: readonly Resource[];
  app(client: Client): TestApp;
  person(user: User): { user: TestUser; browser: TestBrowser };
  at(resource: Resource): TestResource;
  /** Asks about tokens and does nothing else; it is never in the model. */
  auditor: TestApp;
  tokens: Known[];
  families: KnownFamily[];
  /** Requests that were answered with a token. */
  granted: Asking[];
  /** Waits until every pod follows what operators changed: the documents promise no less and no sooner. */
  settled(): Promise<void>;
};

const exchange: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const userGrants: GrantType[] = ['authorization_code', 'refresh_token', exchange];
const machineGrants: GrantType[] = ['client_credentials', exchange];

const files = ['files/read', 'files/write'];
const rows = ['rows/read', 'rows/write'];
export const tools = ['tools/read', 'tools/write'];

/** All that a resource may ever offer. */
export const scopesOf = ({ name }: Resource): readonly string[] =>
  name === 'hidden' ? rows : name === 'last' ? files : tools;

const longLived = { DCR_DEFAULT_TOKEN_EXPIRY: '24h', CLIENT_CREDENTIALS_TOKEN_EXPIRY: '24h' };

export const createWorld = async (): Promise<World> => {
  const server = await startAuthServer({
    pods: 2,
    admin: true,
    env: { ...longLived, TOKEN_EXCHANGE_TOKEN_EXPIRY: '24h', OAUTH_REFRESH_REUSE_WINDOW: '0s' },
  });
  const model = new Model();
  const apps = new Map<Client, TestApp>();
  const client = async (name: string, grantTypes: GrantType[], ceiling: string[]): Promise<Client> => {
    const made: Client = { name, ceiling, active: true };
    apps.set(made, await server.client({ name, authMethod: 'client_secret_basic', grantTypes, ceiling }));
    return made;
  };
  const clients = [
    await client('assistant', userGrants, []),
    await client('reader', userGrants, ['tools/read']),
    await client('gateway', machineGrants, [...tools, ...rows, ...files]),
    await client('robot', machineGrants, ['tools/read', ...rows, 'files/read']),
  ];
  const auditor = await server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'] });
  const made = new Map<Resource, TestResource>();
  for (const [slug, scopes] of Object.entries({ front: tools, side: tools, hidden: rows, last: files })) {
    const resource: Resource = { name: slug, offered: scopes, runtime: new Set(), exchange: new Set() };
    made.set(resource, await server.resource({ slug, scopes, runtimeClients: [auditor.clientId] }));
  }
  const people = new Map<User, { user: TestUser; browser: TestBrowser }>();
  for (const name of ['ada', 'bob', 'eve'])
    people.set({ name, active: true, era: 0 }, { user: await server.user(), browser: new TestBrowser() });
  const known = <Key, Value>(map: Map<Key, Value>, key: Key): Value => map.get(key) as Value;
  return {
    ...{ server, model, clients, auditor, users: [...people.keys()], resources: [...made.keys()] },
    app: (client) => known(apps, client),
    person: (user) => known(people, user),
    at: (resource) => known(made, resource),
    tokens: [],
    families: [],
    granted: [],
    async settled() {
      const [row] = await server.sql('select coalesce(max(version), 0) as newest from changes');
      const newest = Number(row?.newest);
      const follows = () => server.pods.every(({ service }) => (service.feedStatus().version ?? -1) >= newest);
      await soon(`change ${newest} everywhere`, async () => follows(), 5_000);
    },
  };
};
