import {
  AgentDescription,
  ApplicationType,
  authMethods,
  ClientName,
  GrantTypes,
  grantTypes,
  isScopeToken,
  JwksUri,
  metadataProblems,
  PublicJwks,
  RedirectUris,
  ScopeString,
} from '@authserver/oauth';
import { z } from 'zod';
import { page, plainText, SearchText, Timestamp } from './fields.ts';

const AuthMethod = z.enum(authMethods);
export const ClientStatus = z.enum(['active', 'suspended', 'revoked']);
const RefreshTokenPolicy = z.enum(['registered', 'offline_access', 'always']);
export const RegistrationSource = z.enum(['dcr', 'cimd', 'admin']);

const described = {
  client_name: ClientName.describe('Name on the consent page.'),
  redirect_uris: RedirectUris.describe('Where responses may go (RFC 6749 §3.1.2); needed for authorization_code.'),
  grant_types: GrantTypes.describe('Grants the client may use (RFC 7591 §2).'),
  scope: ScopeString.describe('Upper bound of what the client may be granted, separated by spaces.'),
  jwks: PublicJwks.describe('Public keys of a private_key_jwt client (RFC 7591 §2); not beside jwks_uri.'),
  jwks_uri: JwksUri.describe(
    'Where the public keys of a private_key_jwt client are: an https URL on the public internet.',
  ),
  dpop_bound_access_tokens: z.boolean().describe('Refuse a token request without a DPoP proof (RFC 9449 §5.2).'),
  require_pushed_authorization_requests: z
    .boolean()
    .describe('Refuse an authorization request that was not pushed (RFC 9126 §6).'),
  refresh_token_policy: RefreshTokenPolicy.describe(
    'When an authorization comes with a refresh token: if the client is registered for the grant; only if offline_access was asked for as well; or always, registered or not.',
  ),
};

/** Not that of a user: then a token of the client itself would read like one of the user (RFC 9700 §4.15). */
const looksLikeUserId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An id the operator chose. Never a URL, which would be the address of a metadata document. */
export const ChosenClientId = z
  .string()
  .regex(/^[A-Za-z0-9._~-]{1,128}$/, 'must be 1 to 128 of A-Z, a-z, 0-9, -, ., _ and ~')
  .refine((id) => !/^\.+$/.test(id), 'must not consist of dots')
  .refine((id) => !looksLikeUserId.test(id), 'must not look like the id of a user (RFC 9700 §4.15)');

/** A secret is kept under a fast hash, so it must be random, and it must survive HTTP Basic without form-encoding. */
export const ChosenClientSecret = z
  .string()
  .regex(/^[A-Za-z0-9._~-]{32,255}$/, 'must be 32 to 255 random characters of A-Z, a-z, 0-9, -, ., _ and ~');

export const CreateClient = z
  .strictObject({
    client_id: ChosenClientId.optional().describe('An id of your choice; a random one if absent.'),
    client_secret: ChosenClientSecret.optional().describe(
      'A secret of your choice, for a method that has one; it is not shown again. A random one if absent.',
    ),
    client_name: described.client_name,
    redirect_uris: described.redirect_uris.default([]),
    grant_types: described.grant_types.default(['authorization_code', 'refresh_token']),
    response_types: z.array(z.literal('code')).max(1).optional().describe('What the grant types imply, if absent.'),
    token_endpoint_auth_method: AuthMethod.default('none').describe(
      'How the client proves itself at our endpoints (RFC 7591 §2). A client_secret method gets a secret, private_key_jwt needs jwks or jwks_uri.',
    ),
    application_type: ApplicationType.default('web').describe('native allows private-use redirect schemes.'),
    scope: described.scope.default(''),
    jwks: described.jwks.optional(),
    jwks_uri: described.jwks_uri.optional(),
    dpop_bound_access_tokens: described.dpop_bound_access_tokens.default(false),
    require_pushed_authorization_requests: described.require_pushed_authorization_requests.default(false),
    refresh_token_policy: described.refresh_token_policy.default('registered'),
    agent: z.boolean().default(false).describe('An autonomous agent acts here; set once.'),
    agent_description: AgentDescription.default(''),
  })
  .check(
    z.superRefine(
      (client, context) => {
        for (const { member, message } of metadataProblems(client))
          context.addIssue({ code: 'custom', path: [member], message });
        if (client.client_secret !== undefined && !methodsWithSecret.includes(client.token_endpoint_auth_method))
          context.addIssue({
            code: 'custom',
            path: ['client_secret'],
            message: `${client.token_endpoint_auth_method} has no secret`,
          });
      },
      // Also beside other violations, so that one answer names all, but only over members that are what they should be.
      { when: ({ value }) => TiedMembers.safeParse(value).success },
    ),
  )
  .meta({ id: 'CreateClient' });

const methodsWithSecret: readonly string[] = ['client_secret_basic', 'client_secret_post'];

const TiedMembers = z.object({
  response_types: z.array(z.string()).optional(),
  redirect_uris: RedirectUris,
  grant_types: GrantTypes,
  token_endpoint_auth_method: AuthMethod,
  application_type: ApplicationType,
  jwks: z.unknown().optional(),
  jwks_uri: z.string().optional(),
});

export const UpdateClient = z.strictObject(described).partial().meta({ id: 'UpdateClient' });

export const ListClients = z.strictObject({
  status: ClientStatus.optional(),
  source: RegistrationSource.optional(),
  q: SearchText.optional().describe('Part of the id, the name or a redirect URI, in any case of letters.'),
  agent: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional()
    .describe('Those of autonomous agents, or all others.'),
  grant_type: z.enum(grantTypes).optional().describe('Those that may use this grant.'),
  redirect_uri: plainText(2000).min(1).optional().describe('Those that registered this very address.'),
  scope: z
    .string()
    .refine(isScopeToken, 'must be one scope token')
    .optional()
    .describe('Those with it in their scope.'),
  last_used_before: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('RFC 3339; those that got no token and no consent since, nor were made since.'),
  ...page({ default: 50, max: 10_000 }),
});

const shown = {
  redirect_uris: z.array(z.string()),
  grant_types: z.array(z.enum(grantTypes)),
  response_types: z.array(z.string()),
  token_endpoint_auth_method: AuthMethod,
  application_type: ApplicationType,
  scope: z.string(),
  jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }).optional(),
  jwks_uri: z.string().optional(),
  dpop_bound_access_tokens: z.boolean(),
  require_pushed_authorization_requests: z.boolean(),
  refresh_token_policy: RefreshTokenPolicy,
  status: ClientStatus,
  registration_source: RegistrationSource,
  agent: z.boolean(),
  agent_description: z.string(),
  issued_at: Timestamp,
};

const ClientSecretView = z.object({
  id: z.string(),
  created_at: Timestamp,
  expires_at: Timestamp.optional().describe('When it ends; absent for the one that stays.'),
  last_used_at: Timestamp.optional().describe('To about a minute; absent when it was never used.'),
});

/** A client as it is read. The reply to its creation spells id and name as registration does. */
export const ClientView = z
  .object({
    id: z.string(),
    name: z.string(),
    ...shown,
    secrets: z
      .array(ClientSecretView)
      .describe('Its secrets, oldest first; two while one replaces the other. Never the secret itself.'),
    cimd_url: z.string().optional().describe('Its metadata document, for a client that identified itself by one.'),
    updated_at: Timestamp,
    first_user_id: z.string().optional().describe('Who consented to it first.'),
    last_used_at: Timestamp.optional().describe('When it last got a token or a consent, to the hour.'),
  })
  .meta({ id: 'Client' });

export const CreatedClient = z
  .object({
    client_id: z.string(),
    client_secret: z
      .string()
      .optional()
      .describe('Shown this once; absent for a client that has none, and for a secret the caller chose.'),
    client_name: z.string(),
    ...shown,
  })
  .meta({ id: 'CreatedClient' });

const maxOverlapSeconds = 30 * 24 * 3600;

export const RotateSecret = z
  .strictObject({
    overlap: z
      .number()
      .int()
      .min(0)
      .max(maxOverlapSeconds)
      .default(0)
      .describe('Seconds the present secret stays good beside the new one. 0: it ends at once.'),
    client_secret: ChosenClientSecret.optional().describe(
      'A secret of your choice; it is not shown again. A random one if absent.',
    ),
  })
  .nullish()
  .meta({ id: 'RotateSecret' });

export const ClientSecret = z
  .object({
    client_id: z.string(),
    client_secret: z.string().optional().describe('Shown this once; absent when the caller chose it.'),
    old_secret_expires_at: Timestamp.optional().describe('When the secret it replaces ends; absent when it has.'),
  })
  .meta({ id: 'ClientSecret' });

export const ClientState = z.object({ status: ClientStatus }).meta({ id: 'ClientState' });
