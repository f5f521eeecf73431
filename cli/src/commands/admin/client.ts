import { readFile } from 'node:fs/promises';
import type { AdminClient } from '@authserver/admin-api';
import { grantTypes } from '@authserver/oauth';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { forceFlag, idFlag, listFlag, listOf, present } from '../../flags.ts';
import { listCommand } from '../../list-command.ts';
import { pairs } from '../../output.ts';
import { parseScope } from '../../scopes.ts';
import { parseSince } from '../../since.ts';
import { parseSpan } from '../../span.ts';

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
    description: `grants the client may use (RFC 7591 §2): ${grantTypes.join(', ')}`,
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

const authorizationFlags = {
  'require-par': Flags.boolean({
    description: 'refuse its authorization requests unless they were pushed (RFC 9126 §6)',
    allowNo: true,
  }),
  'refresh-token-policy': Flags.option({
    options: ['registered', 'offline_access', 'always'] as const,
    description:
      'when it gets a refresh token: registered for the grant, if it asked for offline_access too, or always',
  })(),
};

const keyFlags = {
  'jwks-file': Flags.file({
    description: 'file with the public keys of a private_key_jwt client, a JWK set (RFC 7517 §5)',
    exists: true,
    exclusive: ['jwks-uri'],
    helpValue: '<path>',
  }),
  'jwks-uri': Flags.string({ description: 'where those keys are instead (RFC 7591 §2)', helpValue: '<url>' }),
};

/** The server says what is wrong with the keys; here they only have to be JSON. */
const keysOf = async (flags: { 'jwks-file'?: string | undefined; 'jwks-uri'?: string | undefined }) => {
  const file = flags['jwks-file'];
  return {
    jwks: file === undefined ? undefined : ((await readJson(file)) as CreateClient['jwks']),
    jwks_uri: flags['jwks-uri'],
  };
};

const readJson = async (file: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new Error(`${file} cannot be read as JSON`, { cause });
  }
};

const dpopFlag = {
  'dpop-bound-access-tokens': Flags.boolean({
    description: 'refuse its token requests without a DPoP proof (RFC 9449 §5.2)',
    allowNo: true,
  }),
};

const scopeOf = (flags: { scope?: string | undefined; scopes?: string[] | undefined }): string | undefined =>
  flags.scopes ? flags.scopes.map((tuple) => parseScope(tuple).name).join(' ') : flags.scope;

const list = listCommand({
  summary: 'list clients',
  examples: [
    'admin client list',
    'admin client list --q cursor',
    'admin client list --source dcr --unused-since 90d --all --quiet',
    'admin client list --status suspended --json',
  ],
  operations: ['client.list'],
  flags: {
    q: Flags.string({ description: 'part of the id, the name or a redirect URI, in any case', helpValue: '<text>' }),
    status: Flags.option({ options: ['active', 'suspended', 'revoked'] as const, description: 'only these' })(),
    source: Flags.option({
      options: ['dcr', 'cimd', 'admin'] as const,
      description: 'only those registered this way',
    })(),
    agent: Flags.boolean({
      description: 'only those of autonomous agents, or with --no-agent all others',
      allowNo: true,
    }),
    'grant-type': Flags.string({ description: 'only those that may use this grant', helpValue: '<grant>' }),
    'redirect-uri': Flags.string({ description: 'only those that registered this very address', helpValue: '<uri>' }),
    scope: Flags.string({ description: 'only those with this scope in their upper bound', helpValue: '<scope>' }),
    'unused-since': Flags.string({
      description: 'only those not used and not made for so long, such as 90d; or since an RFC 3339 timestamp',
      helpValue: '<span>',
    }),
  },
  ...{ limit: 100, most: 10_000, none: 'no clients found' },
  list: (api) => api.client.list,
  input: ({ q, status, source, agent, scope, ...flags }) => ({
    query: present({
      ...{ q, status, source, agent, scope },
      grant_type: flags['grant-type'],
      redirect_uri: flags['redirect-uri'],
      last_used_before:
        flags['unused-since'] === undefined
          ? undefined
          : parseSince(flags['unused-since'], new Date(), '--unused-since'),
    }),
  }),
  items: (clients) => clients,
  values: summaryOf,
});

const get = adminCommand({
  summary: 'show a client',
  examples: ['admin client get --id <client_id>'],
  flags: { id: clientId() },
  call: (api, { id }) => api.client.get({ id }),
  show: ({ response_types: _, secrets, jwks, ...client }) => [
    pairs({ ...client, ...(jwks && { jwks: jwks.keys.map((key) => String(key.kid ?? key.kty)) }) }),
    ...secrets.map(({ id, ...times }) => pairs({ secret: id, ...times })),
  ],
});

const create = adminCommand({
  summary: 'create a client and show its secret, this once',
  examples: [
    'admin client create --name "My App" --redirect-uris https://app.example.com/cb',
    'admin client create --name Worker --grant-types client_credentials --auth-method private_key_jwt --jwks-file keys.json --scope "tools/read"',
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
      options: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const,
      description: 'how the client proves itself (RFC 7591 §2); none when not given',
      env: 'AUTHSERVER_CLIENT_AUTH_METHOD',
    })(),
    'application-type': Flags.option({
      options: ['web', 'native'] as const,
      description: 'native allows private-use redirect schemes; web when not given',
    })(),
    ...keyFlags,
    ...authorizationFlags,
    ...dpopFlag,
    agent: Flags.boolean({ description: 'an autonomous agent acts here' }),
    'agent-description': Flags.string({ description: 'what the agent does', helpValue: '<text>' }),
  },
  call: async (api, flags) =>
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
          ...(await keysOf(flags)),
          require_pushed_authorization_requests: flags['require-par'],
          refresh_token_policy: flags['refresh-token-policy'],
          dpop_bound_access_tokens: flags['dpop-bound-access-tokens'],
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
    ...keyFlags,
    ...authorizationFlags,
    ...dpopFlag,
  },
  call: async (api, flags) =>
    api.client.update({
      id: flags.id,
      body: present({
        client_name: flags.name,
        redirect_uris: listOf(flags['redirect-uris']),
        grant_types: listOf(flags['grant-types']) as GrantTypes | undefined,
        scope: scopeOf(flags),
        ...(await keysOf(flags)),
        require_pushed_authorization_requests: flags['require-par'],
        refresh_token_policy: flags['refresh-token-policy'],
        dpop_bound_access_tokens: flags['dpop-bound-access-tokens'],
      }),
    }),
  show: ({ id, name }) => [`client updated: ${pairs({ id, name })}`],
});

const rotateSecret = adminCommand({
  summary: 'replace the secret of a client; the old one ends at once, or after an overlap',
  examples: ['admin client rotate-secret --id <client_id>', 'admin client rotate-secret --id <client_id> --overlap 1d'],
  flags: {
    id: clientId(),
    overlap: Flags.string({
      description: 'how long the present secret stays good beside the new one, 30d at most; a bare number is seconds',
      helpValue: '<span>',
    }),
  },
  call: (api, { id, overlap: span }) => {
    if (span === undefined) return api.client.rotateSecret({ id });
    const overlap = /^\d+$/.test(span) ? Number(span) : parseSpan('--overlap', span);
    return api.client.rotateSecret({ id, body: { overlap } });
  },
  show: ({ client_id, client_secret, old_secret_expires_at }) => [
    `secret rotated: ${pairs({ client_id, old_secret_expires_at })}`,
    pairs({ client_secret }),
  ],
  remark: () => shownOnce,
});

const revokeSecret = adminCommand({
  summary: 'end a replaced secret of a client before its time',
  examples: ['admin client revoke-secret --id <client_id> --secret <secret_id>'],
  flags: { id: clientId(), secret: idFlag('secret, as `client get` shows it') },
  call: async (api, { id, secret }) => {
    await api.client.revokeSecret({ id, secret_id: secret });
    return { id, secret };
  },
  show: (ended) => [`secret revoked: ${pairs(ended)}`],
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
  'admin:client:revoke-secret': revokeSecret,
  'admin:client:delete': remove,
  'admin:client:suspend': stateChange('suspend', 'suspend a client: it gets no new tokens'),
  'admin:client:reactivate': stateChange('reactivate', 'reactivate a suspended client'),
  'admin:client:revoke': stateChange('revoke', 'revoke a client for good, with all its tokens'),
};
