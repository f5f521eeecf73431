import { z } from 'zod';
import { JwksUri, PublicJwks } from './client-assertion.ts';
import { confidentialGrantTypes, type GrantType, grantTypes } from './grant-types.ts';
import { redirectProblem } from './redirect-problem.ts';
import { redirectKind } from './redirect-uri.ts';
import { isScopeToken } from './scope.ts';

/** Ways a client may prove itself at our endpoints (RFC 7591 §2 `token_endpoint_auth_method`). */
export const authMethods = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;
export type AuthMethod = (typeof authMethods)[number];

/** Text a person will read: no control characters, and nothing PostgreSQL cannot keep, such as half a surrogate pair. */
const name = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !/\p{Cc}/u.test(value) && value.isWellFormed(), 'must not contain control characters');

export const ClientName = name(255).refine((value) => value.trim() !== '', 'must not be blank');
export const AgentDescription = name(255);

/** Each bad address names itself and what is wrong with it: a list of ten is no place to guess (RFC 7591 §3.2.2). */
export const RedirectUri = z.string().superRefine((uri, context) => {
  const problem = redirectProblem(uri);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: `${uri.slice(0, 120)} ${problem}` });
});

export const RedirectUris = z
  .array(RedirectUri, 'must be an array of strings')
  .max(10)
  .refine((uris) => new Set(uris).size === uris.length, 'must not repeat');

export const GrantTypes = z
  .array(z.enum(grantTypes), 'must be an array of strings')
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
  application_type: ApplicationType.optional(), // see applicationTypeOf()
  dpop_bound_access_tokens: z.boolean().default(false), // RFC 9449 §5.2
  require_pushed_authorization_requests: z.boolean().default(false), // RFC 9126 §6
  jwks: PublicJwks.optional(), // for private_key_jwt: the keys, or where they are
  jwks_uri: JwksUri.optional(),
  agent: z.boolean().default(false),
  agent_description: AgentDescription.default(''),
});
export type ClientMetadata = z.infer<typeof ClientMetadata>;

/**
 * What kind of application this is. The word of the client decides nothing here: whoever wants a private-use scheme can
 * say `native` as well, and what guards such an address (PKCE, consent every time) looks at the address. So it is taken
 * from the addresses where they leave no doubt, and the answer says so, as RFC 7591 §3.2.1 allows: editors send `web`, or
 * nothing, with a scheme of their own.
 */
export const applicationTypeOf = (metadata: {
  application_type?: 'web' | 'native' | undefined;
  redirect_uris: readonly string[];
}): 'web' | 'native' => {
  const kinds = metadata.redirect_uris.map(redirectKind);
  if (kinds.includes('private-use')) return 'native';
  return metadata.application_type ?? (kinds.includes('loopback') ? 'native' : 'web');
};

export type MetadataProblem = { member: 'redirect_uris' | 'grant_types' | 'jwks'; message: string };

/** Rules that tie several members together; each problem is a sentence for the developer of the client. */
export const metadataProblems = (metadata: {
  redirect_uris: readonly string[];
  grant_types: readonly GrantType[];
  token_endpoint_auth_method: AuthMethod;
  application_type?: 'web' | 'native' | undefined;
  response_types?: readonly string[] | undefined;
  jwks?: unknown;
  jwks_uri?: string | undefined;
}): MetadataProblem[] => {
  const problems: MetadataProblem[] = [];
  const keys = metadata.jwks !== undefined || metadata.jwks_uri !== undefined;
  if (metadata.jwks !== undefined && metadata.jwks_uri !== undefined)
    problems.push({ member: 'jwks', message: 'jwks and jwks_uri must not both be present' }); // RFC 7591 §2
  if (metadata.token_endpoint_auth_method === 'private_key_jwt' && !keys)
    problems.push({ member: 'jwks', message: 'private_key_jwt needs jwks or jwks_uri' });
  const interactive = metadata.grant_types.includes('authorization_code');
  if (interactive && metadata.redirect_uris.length === 0)
    problems.push({ member: 'redirect_uris', message: 'redirect_uris is required for authorization_code' });
  const device = metadata.grant_types.includes('urn:ietf:params:oauth:grant-type:device_code');
  if (metadata.grant_types.includes('refresh_token') && !interactive && !device)
    problems.push({ member: 'grant_types', message: 'refresh_token needs authorization_code or the device grant' });
  const confidential = metadata.grant_types.filter((type) => confidentialGrantTypes.includes(type));
  if (metadata.token_endpoint_auth_method === 'none' && confidential.length > 0)
    problems.push({
      member: 'grant_types',
      message: `${confidential.join(', ')} needs a confidential client: token_endpoint_auth_method must not be none`,
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
