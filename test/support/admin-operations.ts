/**
 * A call of every operation of the admin API that succeeds, for tests of what all operations have in common. An operation
 * without an entry does not compile.
 */
import {
  type AdminRequest,
  type Entities,
  entities,
  type Operation,
  type PathParams,
  toRequest,
} from '@authserver/admin-api';
import { decodeJwt, exportJWK, generateKeyPair } from 'jose';
import type { z } from 'zod';
import type { AuthServer, StartOptions } from './auth-server.ts';
import { brokerGrant, github, newLink, newProvider } from './brokering.ts';
import { masterKey, newMasterKey } from './master-key.ts';
import { startMetadataHost } from './metadata-host.ts';

/** What a call consists of, as the table types it: path parameters, query and body before they are parsed. */
export type ExampleCall<O extends Operation> = ([PathParams<O['path']>] extends [never]
  ? { params?: never }
  : { params: { [Name in PathParams<O['path']>]: string } }) &
  (O extends { query: infer Q extends z.ZodType } ? { query?: z.input<Q> } : { query?: never }) &
  (O extends { body: infer B extends z.ZodType }
    ? undefined extends z.input<B>
      ? { body?: z.input<B> }
      : { body: z.input<B> }
    : { body?: never });

/** Makes what the call is about, anew each time, and says the call. */
type Example<O extends Operation> = (server: AuthServer) => Promise<ExampleCall<O>> | ExampleCall<O>;

/** `entity.operation` of every operation of the table. */
export type OperationName = {
  [E in keyof Entities]: `${E}.${keyof Entities[E]['operations'] & string}`;
}[keyof Entities];

type OperationOf<Name> = Name extends `${infer E extends keyof Entities}.${infer O}`
  ? O extends keyof Entities[E]['operations']
    ? Entities[E]['operations'][O]
    : never
  : never;

type Examples = {
  [Name in OperationName]: OperationOf<Name> extends infer O extends Operation ? Example<O> : never;
};

/** What the server has to be started with for all examples. */
export const exampleServer: StartOptions = { admin: true, ...masterKey(newMasterKey()) };

export const examples: Examples = {
  'client.list': () => ({ query: { limit: 10 } }),
  'client.get': async (server) => ({ params: await clientOf(server) }),
  'client.create': () => ({
    body: {
      client_name: 'Example',
      redirect_uris: ['https://app.example.com/cb'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
  }),
  'client.update': async (server) => ({ params: await clientOf(server), body: { client_name: 'Another name' } }),
  'client.delete': async (server) => ({ params: await clientOf(server) }),
  'client.rotateSecret': async (server) => ({ params: await confidentialClientOf(server), body: { overlap: 60 } }),
  'client.revokeSecret': async (server) => {
    const { id } = await confidentialClientOf(server);
    await server.admin.client.rotateSecret({ id, body: { overlap: 3600 } });
    const { secrets } = await server.admin.client.get({ id });
    return { params: { id, secret_id: secrets.find(({ expires_at }) => expires_at !== undefined)?.id ?? '' } };
  },
  'client.suspend': async (server) => ({ params: await clientOf(server) }),
  'client.reactivate': async (server) => {
    const params = await clientOf(server);
    await server.admin.client.suspend(params);
    return { params };
  },
  'client.revoke': async (server) => ({ params: await clientOf(server) }),

  'user.list': () => ({ query: { limit: 10 } }),
  'user.get': async (server) => ({ params: await userOf(server) }),
  'user.create': () => ({ body: { email: newEmail(), password: 'a password of an example', name: 'Example' } }),
  'user.update': async (server) => ({ params: await userOf(server), body: { name: 'Another name' } }),
  'user.delete': async (server) => ({ params: await userOf(server) }),
  'user.disable': async (server) => ({ params: await userOf(server) }),
  'user.enable': async (server) => {
    const params = await userOf(server);
    await server.admin.user.disable(params);
    return { params };
  },
  'user.forceLogout': async (server) => ({ params: await userOf(server) }),

  'resource.list': () => ({ query: { limit: 10 } }),
  'resource.get': async (server) => ({ params: { id: (await server.resource()).id } }),
  'resource.create': () => ({ body: { slug: newName(), uri: `https://${newName()}.example.com/mcp` } }),
  'resource.update': async (server) => ({
    params: { id: (await server.resource()).id },
    body: { display_name: 'Another name' },
  }),
  'resource.delete': async (server) => ({ params: { id: (await server.resource()).id } }),

  'policy.listExchangeClients': async (server) => ({ params: { slug: (await server.resource()).slug } }),
  'policy.addExchangeClient': policyClient,
  'policy.removeExchangeClient': async (server) => {
    const { params, body } = await policyClient(server);
    await server.admin.policy.addExchangeClient({ ...params, body });
    return { params: { ...params, ...body } };
  },
  'policy.listExchangeBudgets': async (server) => ({ params: { slug: (await server.resource()).slug } }),
  'policy.setExchangeBudget': async (server) => {
    const { params, body } = await policyClient(server);
    return { params, body: { ...body, max_uses: 5 } };
  },
  'policy.removeExchangeBudget': async (server) => {
    const { params, body } = await policyClient(server);
    await server.admin.policy.setExchangeBudget({ ...params, body: { ...body, max_uses: 5 } });
    return { params, query: body };
  },
  'policy.listRuntimeClients': async (server) => ({ params: { slug: (await server.resource()).slug } }),
  'policy.addRuntimeClient': policyClient,
  'policy.removeRuntimeClient': async (server) => {
    const { params, body } = await policyClient(server);
    await server.admin.policy.addRuntimeClient({ ...params, body });
    return { params: { ...params, ...body } };
  },
  'policy.listReturnUrls': async (server) => ({ params: { slug: (await brokerResource(server)).slug } }),
  'policy.addReturnUrl': async (server) => ({
    params: { slug: (await brokerResource(server)).slug },
    body: { url: 'https://app.example.com/back' },
  }),
  'policy.removeReturnUrl': async (server) => {
    const { slug } = await brokerResource(server);
    const url = 'https://app.example.com/back';
    await server.admin.policy.addReturnUrl({ slug, body: { url } });
    return { params: { slug }, query: { url } };
  },

  'provider.list': () => ({ query: { limit: 10 } }),
  'provider.get': async (server) => ({ params: { id: (await newProvider(server)).id } }),
  'provider.create': () => ({
    body: { slug: newName(), display_name: 'Example', protocol: 'oauth', config_data: github },
  }),
  'provider.update': async (server) => ({
    params: { id: (await newProvider(server)).id },
    body: { display_name: 'Another name' },
  }),
  'provider.delete': async (server) => ({ params: { id: (await newProvider(server)).id } }),

  'fronting.list': () => ({ query: { limit: 10 } }),
  'fronting.show': async (server) => ({ params: { slug: (await server.resource()).slug } }),
  'fronting.get': async (server) => ({ params: await linkOf(server) }),
  'fronting.create': async (server) => ({
    body: {
      source: (await server.resource()).slug,
      target: (await server.resource()).slug,
      scope_map: { 'tools/read': ['tools/write'] },
    },
  }),
  'fronting.update': async (server) => ({
    params: await linkOf(server),
    body: { scope_map: { 'tools/read': ['tools/write'] } },
  }),
  'fronting.delete': async (server) => ({ params: await linkOf(server) }),

  'grant.listUserGrants': async (server) => ({ params: await userOf(server) }),
  'grant.revokeConsent': async (server) => {
    const { userId } = await tokenOf(server);
    const { consent_grants: grants } = await server.admin.grant.listUserGrants({ id: userId });
    return { params: { id: grants[0]?.id ?? '' } };
  },

  'idp.list': () => ({ query: { limit: 10 } }),
  'idp.get': async (server) => ({ params: await idpOf(server) }),
  'idp.create': () => {
    const issuer = `https://${newName()}.example.com`;
    return { body: { issuer, jwks_uri: `${issuer}/keys` } };
  },
  'idp.update': async (server) => ({ params: await idpOf(server), body: { name: 'Another name' } }),
  'idp.put': async (server) => ({ params: await idpOf(server), body: { enabled: false } }),
  'idp.delete': async (server) => ({ params: await idpOf(server) }),
  'idp.refreshKeys': async (server) => {
    const host = await startMetadataHost();
    const { publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwks_uri = host.publish('/keys', { keys: [await exportJWK(publicKey)] });
    const { id } = await server.admin.idp.create({ body: { issuer: host.origin, jwks_uri } });
    return { params: { id } };
  },

  'xaaPolicy.list': async (server) => ({ query: { idp_id: (await idpOf(server)).id } }),
  'xaaPolicy.get': async (server) => ({ params: await xaaPolicyOf(server) }),
  'xaaPolicy.create': async (server) => ({ body: { idp_id: (await idpOf(server)).id, scopes: ['tools/read'] } }),
  'xaaPolicy.update': async (server) => ({ params: await xaaPolicyOf(server), body: { name: 'Another name' } }),
  'xaaPolicy.put': async (server) => ({ params: await xaaPolicyOf(server), body: { enabled: false } }),
  'xaaPolicy.delete': async (server) => ({ params: await xaaPolicyOf(server) }),

  'subjectMapping.list': async (server) => ({ query: { idp_id: (await idpOf(server)).id } }),
  'subjectMapping.get': async (server) => ({ params: await subjectMappingOf(server) }),
  'subjectMapping.create': async (server) => ({
    body: { idp_id: (await idpOf(server)).id, idp_subject: 'somebody', local_user_id: (await userOf(server)).id },
  }),
  'subjectMapping.update': async (server) => ({
    params: await subjectMappingOf(server),
    body: { local_user_id: (await userOf(server)).id },
  }),
  'subjectMapping.delete': async (server) => ({ params: await subjectMappingOf(server) }),

  'grant.revokeBroker': async (server) => {
    const [user, provider] = [await server.user(), await newProvider(server)];
    return { params: { id: await brokerGrant(server, { userId: user.id, providerId: provider.id }) } };
  },

  'token.list': async (server) => ({ query: { user_id: (await tokenOf(server)).userId } }),
  'token.revoke': async (server) => ({ params: { jti: (await tokenOf(server)).jti } }),
  'user.tokens': async (server) => ({ params: { id: (await tokenOf(server)).userId } }),

  'issuance.list': async (server) => ({ query: { user: (await server.user()).id } }),
  'exchange.explain': async (server) => ({
    body: {
      client_id: (await confidentialClientOf(server)).id,
      subject_jti: (await tokenOf(server)).jti,
      resource: ['nowhere'],
    },
  }),

  'issuance.get': async (server) => ({ params: { id: (await tokenOf(server)).jti } }),
  'issuance.revoke': async (server) => ({ params: { id: (await tokenOf(server)).jti } }),

  'key.list': () => ({}),
  // Keys of a server that has just started have not been seen by everybody yet.
  'key.rotate': () => ({ body: { force: true } }),
  'key.retire': async (server) => {
    await server.admin.key.rotate({ body: { force: true } });
    const { keys } = await server.admin.key.list();
    return { params: { kid: keys.find(({ status }) => status === 'retiring')?.kid ?? '' }, body: { force: true } };
  },

  'crypto.status': () => ({}),
  'crypto.reencrypt': () => ({}),

  'dcr.get': () => ({}),
  'dcr.set': async (server) => {
    const { mode } = await server.admin.dcr.get();
    return { body: { mode: mode === 'open' ? 'admin_only' : 'open' } };
  },

  'initialAccessToken.list': () => ({ query: { limit: 10 } }),
  'initialAccessToken.create': () => ({ body: { label: 'example' } }),
  'initialAccessToken.delete': async (server) => {
    const { id } = await server.admin.initialAccessToken.create({ body: { label: 'example' } });
    return { params: { id } };
  },

  'adminKey.list': () => ({ query: { limit: 10 } }),
  'adminKey.get': async (server) => ({ params: { id: (await adminKeyOf(server)).id } }),
  'adminKey.self': () => ({}),
  'adminKey.create': () => ({ body: { label: 'example', role: 'viewer' } }),
  'adminKey.update': async (server) => ({
    params: { id: (await adminKeyOf(server)).id },
    body: { label: 'another label' },
  }),
  'adminKey.delete': async (server) => ({ params: { id: (await adminKeyOf(server)).id } }),
  'auth.verify': () => ({}),

  'configuration.export': () => ({}),
  'configuration.owners': () => ({ query: { owner: 'default' } }),
  'configuration.plan': () => ({ body: { configuration: { users: [{ email: newEmail() }] } } }),
  // A user that is there and is as declared: nothing but its owner changes.
  'configuration.apply': async (server) => {
    const { email } = await server.user();
    return { body: { configuration: { users: [{ email, name: 'Test User' }] } } };
  },

  'audit.list': () => ({ query: { limit: 10 } }),
  'audit.export': () => ({ query: {} }),
  'audit.verify': () => ({ query: {} }),
  'trace.list': () => ({ query: { client_id: 'somebody' } }),
  'system.stats': () => ({}),
  'system.status': () => ({}),
  'system.config': () => ({}),
};

export type TableRow = {
  name: OperationName;
  operation: Operation;
  /** The request of the example, to a world that was made for it. */
  prepare: (server: AuthServer) => Promise<AdminRequest>;
};

/** Every operation of the table, with its example. */
export const tableRows = (): TableRow[] =>
  Object.entries(entities).flatMap(([entity, row]) =>
    Object.entries<Operation>(row.operations).map(([verb, operation]) => {
      const name = `${entity}.${verb}` as OperationName;
      const prepare = async (server: AuthServer): Promise<AdminRequest> => {
        const example = examples[name] as ((server: AuthServer) => Promise<AnyCall> | AnyCall) | undefined;
        if (!example) throw new Error(`test/support/admin-operations.ts has no example of ${name}`);
        const { params, ...rest } = await example(server);
        return toRequest(operation, { ...params, ...rest });
      };
      return { name, operation, prepare };
    }),
  );

type AnyCall = { params?: Record<string, string>; query?: Record<string, unknown>; body?: unknown };

const newName = (): string => `example-${crypto.randomUUID().slice(0, 8)}`;
const newEmail = (): string => `${newName()}@example.com`;

const userOf = async (server: AuthServer) => ({ id: (await server.user()).id });
const clientOf = async (server: AuthServer) => ({ id: (await server.client()).clientId });
const confidentialClientOf = async (server: AuthServer) => ({
  id: (await server.client({ authMethod: 'client_secret_basic' })).clientId,
});

const adminKeyOf = (server: AuthServer) => server.admin.adminKey.create({ body: { label: 'example', role: 'viewer' } });

const idpOf = async (server: AuthServer) => {
  const issuer = `https://${newName()}.example.com`;
  const { id } = await server.admin.idp.create({ body: { issuer, jwks_uri: `${issuer}/keys` } });
  return { id };
};
const xaaPolicyOf = async (server: AuthServer) => {
  const { id: idp_id } = await idpOf(server);
  const { id } = await server.admin.xaaPolicy.create({ body: { idp_id } });
  return { id };
};
const subjectMappingOf = async (server: AuthServer) => {
  const { id: idp_id } = await idpOf(server);
  const { id } = await server.admin.subjectMapping.create({ body: { idp_id, idp_subject: 'somebody' } });
  return { id };
};

const brokerResource = async (server: AuthServer) =>
  server.admin.resource.create({
    body: { slug: newName(), backend_kind: 'broker', broker_provider_id: (await newProvider(server)).id },
  });
const linkOf = async (server: AuthServer) => {
  const { link } = await newLink(server);
  return { source: link.source_slug, target: link.target_slug };
};

/** A client and a resource whose policy does not know it. */
async function policyClient(server: AuthServer) {
  const { slug } = await server.resource();
  return { params: { slug }, body: { client_id: (await server.client()).clientId } };
}

/** A token that a user gave an app. */
const tokenOf = async (server: AuthServer): Promise<{ userId: string; jti: string }> => {
  const user = await server.user();
  const resource = await server.resource();
  const app = await server.client();
  const tokens = await app.authorize({ user, resource: resource.uri, scope: 'tools/read' });
  return { userId: user.id, jti: String(decodeJwt(tokens.access_token).jti) };
};
