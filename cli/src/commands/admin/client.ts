import type { AdminClient } from '@authserver/admin-api';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { forceFlag, idFlag, listFlag, listOf, pageFlags, present } from '../../flags.ts';
import { pairs, rows } from '../../output.ts';
import { parseScope } from '../../scopes.ts';

type Client = Awaited<ReturnType<AdminClient['client']['get']>>;
type CreateClient = Parameters<AdminClient['client']['create']>[0]['body'];
type GrantTypes = NonNullable<CreateClient['grant_types']>;

const clientId = () => idFlag('client', { env: 'AUTHSERVER_CLIENT_ID' });
const summaryOf = ({ id, name, status, registration_source }: Client) => ({
  id,
  name,
  status,
  source: registration_source,
});

/** What a client is registered with, on creation and later. */
const metadataFlags = {
  'redirect-uris': listFlag({
    description: 'where responses may go (RFC 6749 §3.1.2)',
    env: 'AUTHSERVER_CLIENT_REDIRECT_URIS',
  }),
  'grant-types': listFlag({
    description: 'grants the client may use (RFC 7591 §2)',
    env: 'AUTHSERVER_CLIENT_GRANT_TYPES',
  }),
  scope: Flags.string({
    description: 'upper bound of what the client may be granted, separated by spaces',
    env: 'AUTHSERVER_CLIENT_SCOPE',
    helpValue: '<a b>',
  }),
  scopes: Flags.string({
    description: 'the same, one scope each time; of name|upstream|description only the name counts',
    multiple: true,
    multipleNonGreedy: true,
    exclusive: ['scope'],
    helpValue: '<tuple>',
  }),
};

const scopeOf = (flags: { scope?: string | undefined; scopes?: string[] | undefined }): string | undefined =>
  flags.scopes ? flags.scopes.map((tuple) => parseScope(tuple).name).join(' ') : flags.scope;

const list = adminCommand({
  summary: 'list clients',
  examples: ['admin client list', 'admin client list --status suspended --json'],
  flags: {
    status: Flags.option({ options: ['active', 'suspended', 'revoked'] as const, description: 'only these' })(),
    source: Flags.option({
      options: ['dcr', 'cimd', 'admin'] as const,
      description: 'only those registered this way',
    })(),
    ...pageFlags(100),
  },
  call: (api, { status, source, limit, offset }) =>
    api.client.list({ query: present({ status, source, limit, offset }) }),
  show: (clients) => rows(clients, 'no clients found', summaryOf),
});

const get = adminCommand({
  summary: 'show a client',
  examples: ['admin client get --id <client_id>'],
  flags: { id: clientId() },
  call: (api, { id }) => api.client.get({ id }),
  show: ({ response_types: _, ...client }) => [pairs(client)],
});

const create = adminCommand({
  summary: 'create a client and show its secret, this once',
  examples: [
    'admin client create --name "My App" --redirect-uris https://app.example.com/cb',
    'admin client create --name Job --grant-types client_credentials --auth-method client_secret_post --scope "tools/read"',
  ],
  flags: {
    name: Flags.string({
      description: 'name on the consent page',
      env: 'AUTHSERVER_CLIENT_NAME',
      helpValue: '<name>',
      required: true,
    }),
    ...metadataFlags,
    'auth-method': Flags.option({
      options: ['none', 'client_secret_basic', 'client_secret_post'] as const,
      description: 'how the client proves itself (RFC 7591 §2); none when not given',
      env: 'AUTHSERVER_CLIENT_AUTH_METHOD',
    })(),
    'application-type': Flags.option({
      options: ['web', 'native'] as const,
      description: 'native allows private-use redirect schemes; web when not given',
    })(),
    agent: Flags.boolean({ description: 'an autonomous agent acts here' }),
    'agent-description': Flags.string({ description: 'what the agent does', helpValue: '<text>' }),
  },
  call: (api, flags) =>
    api.client.create({
      body: {
        client_name: flags.name,
        ...present({
          redirect_uris: listOf(flags['redirect-uris']),
          // The server knows which grants there are, and which of them are enabled.
          grant_types: listOf(flags['grant-types']) as GrantTypes | undefined,
          scope: scopeOf(flags),
          token_endpoint_auth_method: flags['auth-method'],
          application_type: flags['application-type'],
          agent: flags.agent || undefined,
          agent_description: flags['agent-description'],
        }),
      },
    }),
  show: ({ client_id, client_name, client_secret }) => [
    `client created: ${pairs({ id: client_id, name: client_name })}`,
    ...(client_secret ? [pairs({ client_secret })] : []),
  ],
  remark: ({ client_secret }) => (client_secret ? shownOnce : undefined),
});

const update = adminCommand({
  summary: 'change a client; what is not given stays',
  examples: ['admin client update --id <client_id> --name "New name" --scope "tools/read tools/write"'],
  flags: {
    id: clientId(),
    name: Flags.string({
      description: 'name on the consent page',
      env: 'AUTHSERVER_CLIENT_NAME',
      helpValue: '<name>',
    }),
    ...metadataFlags,
  },
  call: (api, flags) =>
    api.client.update({
      id: flags.id,
      body: present({
        client_name: flags.name,
        redirect_uris: listOf(flags['redirect-uris']),
        grant_types: listOf(flags['grant-types']) as GrantTypes | undefined,
        scope: scopeOf(flags),
      }),
    }),
  show: ({ id, name }) => [`client updated: ${pairs({ id, name })}`],
});

const rotateSecret = adminCommand({
  summary: 'replace the secret of a client; the old one ends at once',
  examples: ['admin client rotate-secret --id <client_id>'],
  flags: { id: clientId() },
  call: (api, { id }) => api.client.rotateSecret({ id }),
  show: ({ client_id, client_secret }) => [`secret rotated: ${pairs({ client_id })}`, pairs({ client_secret })],
  remark: () => shownOnce,
});

const remove = adminCommand({
  summary: 'delete a client',
  examples: ['admin client delete --id <client_id> --force'],
  flags: { id: clientId(), ...forceFlag() },
  call: async (api, { id, force }) => {
    await api.client.delete({ id, query: force ? { force: 'true' } : {} });
    return { id };
  },
  show: ({ id }) => [`client deleted: ${pairs({ id })}`],
});

type StateChange = 'suspend' | 'reactivate' | 'revoke';

const stateChange = (verb: StateChange, summary: string) =>
  adminCommand({
    summary,
    examples: [`admin client ${verb} --id <client_id>`],
    flags: { id: clientId() },
    call: (api, { id }) => api.client[verb]({ id }),
    show: ({ status }, { id }) => [`client ${status}: ${pairs({ id })}`],
  });

const shownOnce = 'The secret is shown this once; only its hash is kept.';

export const clientCommands = {
  'admin:client:list': list,
  'admin:client:get': get,
  'admin:client:create': create,
  'admin:client:update': update,
  'admin:client:rotate-secret': rotateSecret,
  'admin:client:delete': remove,
  'admin:client:suspend': stateChange('suspend', 'suspend a client: it gets no new tokens'),
  'admin:client:reactivate': stateChange('reactivate', 'reactivate a suspended client'),
  'admin:client:revoke': stateChange('revoke', 'revoke a client for good, with all its tokens'),
};
