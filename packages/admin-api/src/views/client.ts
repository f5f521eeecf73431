import {
  AgentDescription,
  ApplicationType,
  authMethods,
  ClientName,
  GrantTypes,
  grantTypes,
  metadataProblems,
  RedirectUris,
  ScopeString,
} from '@authserver/oauth';
import { z } from 'zod';
import { page, Timestamp } from './fields.ts';

const AuthMethod = z.enum(authMethods);
export const ClientStatus = z.enum(['active', 'suspended', 'revoked']);
export const RegistrationSource = z.enum(['dcr', 'cimd', 'admin']);

const described = {
  client_name: ClientName.describe('Name on the consent page.'),
  redirect_uris: RedirectUris.describe('Where responses may go (RFC 6749 §3.1.2); needed for authorization_code.'),
  grant_types: GrantTypes.describe('Grants the client may use (RFC 7591 §2).'),
  scope: ScopeString.describe('Upper bound of what the client may be granted, separated by spaces.'),
};

export const CreateClient = z
  .strictObject({
    client_name: described.client_name,
    redirect_uris: described.redirect_uris.default([]),
    grant_types: described.grant_types.default(['authorization_code', 'refresh_token']),
    response_types: z.array(z.literal('code')).max(1).optional().describe('What the grant types imply, if absent.'),
    token_endpoint_auth_method: AuthMethod.default('none').describe(
      'How the client proves itself at our endpoints (RFC 7591 §2). Anything but none gets a secret.',
    ),
    application_type: ApplicationType.default('web').describe('native allows private-use redirect schemes.'),
    scope: described.scope.default(''),
    agent: z.boolean().default(false).describe('An autonomous agent acts here; set once.'),
    agent_description: AgentDescription.default(''),
  })
  .check(
    z.superRefine(
      (client, context) => {
        for (const { member, message } of metadataProblems(client))
          context.addIssue({ code: 'custom', path: [member], message });
      },
      // Also beside other violations, so that one answer names all, but only over members that are what they should be.
      { when: ({ value }) => TiedMembers.safeParse(value).success },
    ),
  )
  .meta({ id: 'CreateClient' });

const TiedMembers = z.object({
  response_types: z.array(z.string()).optional(),
  redirect_uris: RedirectUris,
  grant_types: GrantTypes,
  token_endpoint_auth_method: AuthMethod,
  application_type: ApplicationType,
});

export const UpdateClient = z.strictObject(described).partial().meta({ id: 'UpdateClient' });

export const ListClients = z.strictObject({
  status: ClientStatus.optional(),
  source: RegistrationSource.optional(),
  ...page({ default: 50, max: 10_000 }),
});

const shown = {
  redirect_uris: z.array(z.string()),
  grant_types: z.array(z.enum(grantTypes)),
  response_types: z.array(z.string()),
  token_endpoint_auth_method: AuthMethod,
  application_type: ApplicationType,
  scope: z.string(),
  status: ClientStatus,
  registration_source: RegistrationSource,
  agent: z.boolean(),
  agent_description: z.string(),
  issued_at: Timestamp,
};

/** A client as it is read. The reply to its creation spells id and name as registration does. */
export const ClientView = z
  .object({
    id: z.string(),
    name: z.string(),
    ...shown,
    cimd_url: z.string().optional().describe('Its metadata document, for a client that identified itself by one.'),
    updated_at: Timestamp,
  })
  .meta({ id: 'Client' });

export const CreatedClient = z
  .object({
    client_id: z.string(),
    client_secret: z.string().optional().describe('Shown this once; absent for a public client.'),
    client_name: z.string(),
    ...shown,
  })
  .meta({ id: 'CreatedClient' });

export const ClientSecret = z.object({ client_id: z.string(), client_secret: z.string() }).meta({ id: 'ClientSecret' });

export const ClientState = z.object({ status: ClientStatus }).meta({ id: 'ClientState' });
