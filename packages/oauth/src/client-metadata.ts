import { z } from 'zod';
import { type GrantType, grantTypes } from './grant-types.ts';
import { redirectKind } from './redirect-uri.ts';
import { isScopeToken } from './scope.ts';

/** Ways a client may prove itself at our endpoints (RFC 7591 §2 `token_endpoint_auth_method`). */
export const authMethods = ['none', 'client_secret_basic', 'client_secret_post'] as const;
export type AuthMethod = (typeof authMethods)[number];

/** Text a person will read: no control characters, and nothing PostgreSQL cannot keep, such as half a surrogate pair. */
const name = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !/\p{Cc}/u.test(value) && value.isWellFormed(), 'must not contain control characters');

export const ClientName = name(255).refine((value) => value.trim() !== '', 'must not be blank');
export const AgentDescription = name(255);

export const RedirectUri = z
  .string()
  .max(2000)
  .refine(
    (uri) => redirectKind(uri) !== undefined,
    'must be https, http on localhost, 127.0.0.1 or [::1], or a private-use scheme, and carry no fragment or user info',
  );

export const RedirectUris = z
  .array(RedirectUri)
  .max(10)
  .refine((uris) => new Set(uris).size === uris.length, 'must not repeat');

export const GrantTypes = z
  .array(z.enum(grantTypes))
  .min(1)
  .max(grantTypes.length)
  .transform((types): GrantType[] => grantTypes.filter((type) => types.includes(type)));

/** The client's ceiling as a `scope` string on the wire. */
export const ScopeString = z
  .string()
  .max(4096)
  .refine((scope) => scope.split(' ').every((part) => part === '' || isScopeToken(part)), 'is not a valid scope')
  .transform((scope) => [...new Set(scope.split(' ').filter((part) => part !== ''))].join(' '));

export const ApplicationType = z.enum(['web', 'native']);

/**
 * Client metadata as a self-registering client sends it (RFC 7591 §2). Unknown members are ignored, as §2 demands; what
 * would give privileges (`scope`, ids, secrets, status) is not read at all.
 */
export const ClientMetadata = z.object({
  client_name: ClientName.optional(),
  redirect_uris: RedirectUris.default([]),
  grant_types: GrantTypes.default(['authorization_code', 'refresh_token']),
  response_types: z.array(z.literal('code')).max(1).optional(), // defaults to what the grant types imply
  token_endpoint_auth_method: z.enum(authMethods).default('client_secret_basic'), // RFC 7591 §2 default
  application_type: ApplicationType.default('web'),
  agent: z.boolean().default(false),
  agent_description: AgentDescription.default(''),
});
export type ClientMetadata = z.infer<typeof ClientMetadata>;

/** Rules that tie several members together; each problem is a sentence for the developer of the client. */
export const metadataProblems = (metadata: {
  redirect_uris: readonly string[];
  grant_types: readonly GrantType[];
  token_endpoint_auth_method: AuthMethod;
  application_type: 'web' | 'native';
  response_types?: readonly string[] | undefined;
}): { member: 'redirect_uris' | 'grant_types'; message: string }[] => {
  const problems: { member: 'redirect_uris' | 'grant_types'; message: string }[] = [];
  const interactive = metadata.grant_types.includes('authorization_code');
  if (interactive && metadata.redirect_uris.length === 0)
    problems.push({ member: 'redirect_uris', message: 'redirect_uris is required for authorization_code' });
  if (metadata.grant_types.includes('refresh_token') && !interactive)
    problems.push({ member: 'grant_types', message: 'refresh_token needs authorization_code' });
  if (metadata.token_endpoint_auth_method === 'none' && metadata.grant_types.includes('client_credentials'))
    problems.push({
      member: 'grant_types',
      message: 'client_credentials needs a confidential client: token_endpoint_auth_method must not be none',
    });
  if (metadata.response_types && metadata.response_types.includes('code') !== interactive)
    problems.push({ member: 'grant_types', message: 'response_types code and authorization_code need each other' });
  for (const uri of metadata.redirect_uris)
    if (metadata.application_type === 'web' && redirectKind(uri) === 'private-use')
      problems.push({
        member: 'redirect_uris',
        message: `redirect URI ${uri} has a private-use scheme, which needs application_type native`,
      });
  return problems;
};
