import { createHash } from 'node:crypto';
import {
  applicationTypeOf,
  ClientMetadata,
  ClientName,
  type GrantType,
  hasSecretMembers,
  invalidClient,
  isGrantType,
  type Jwk,
  metadataProblems,
  type OAuthError,
  publicKeyProblem,
  publicPart,
  RedirectUri,
} from '@authserver/oauth';
import type { NewClient } from '@authserver/store';
import { z } from 'zod';

/** What a document says of its client; the ceiling is for this server to set. */
export type DocumentClient = Omit<NewClient, 'ceiling'>;

/**
 * A client id metadata document (draft-ietf-oauth-client-id-metadata-document §4.1): client metadata without secrets. It is
 * written for every server its client may meet, so what we do not know in it is left aside: members, grant types, keys.
 */
const MetadataDocument = ClientMetadata.omit({ jwks: true }).extend({
  client_id: z.string(),
  client_name: ClientName,
  redirect_uris: z.array(RedirectUri).min(1).max(50),
  grant_types: z.array(z.string()).default(['authorization_code', 'refresh_token']),
  response_types: z.array(z.string()).optional(),
  token_endpoint_auth_method: z.string().default('none'),
  jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())).max(50) }).optional(),
});
type MetadataDocument = z.infer<typeof MetadataDocument>;

/** Nobody vouches for such a client, so it gets nothing that no person agreed to. */
const withheldGrants: readonly GrantType[] = ['client_credentials'];

/**
 * Reads a document that was fetched from `url`.
 *
 * @throws {OAuthError} `invalid_client`, naming what is wrong for the developer of the client
 */
export const readMetadataDocument = (
  url: string,
  document: { contentType: string | null; body: Buffer },
  enabledGrants: readonly GrantType[],
): DocumentClient => {
  if (!isJson(document.contentType)) throw unusable(['it is not served as application/json']);
  const json = parse(document.body);
  const parsed = MetadataDocument.safeParse(json);
  if (!parsed.success)
    throw unusable(
      parsed.error.issues.map(({ path, message }) =>
        path.length > 0 ? `${path.join('.')}: ${message}` : 'it is not a JSON object',
      ),
    );
  const { data } = parsed;
  const keys = (data.jwks?.keys ?? []).filter((key) => publicKeyProblem(key) === undefined).map(publicPart);
  const client = toClient(url, data, keys, enabledGrants);
  const problems = [
    ...(data.client_id === url ? [] : ['client_id is not the URL the document was fetched from']),
    ...secretProblems(json as object, data.jwks?.keys ?? []),
    ...metadataProblems({
      redirect_uris: client.redirectUris,
      grant_types: client.grantTypes,
      token_endpoint_auth_method: client.tokenEndpointAuthMethod,
      application_type: client.applicationType,
      jwks: data.token_endpoint_auth_method === 'private_key_jwt' && keys.length === 0 ? undefined : data.jwks,
      jwks_uri: data.jwks_uri,
    }).map(({ message }) => message),
    ...(['none', 'private_key_jwt'].includes(data.token_endpoint_auth_method)
      ? []
      : ['token_endpoint_auth_method must be none or private_key_jwt']),
    ...(client.grantTypes.includes('authorization_code') ||
    client.grantTypes.includes('urn:ietf:params:oauth:grant-type:device_code')
      ? []
      : ['grant_types has none that a person takes part in and this server offers']),
    ...(data.response_types && client.grantTypes.includes('authorization_code') && !data.response_types.includes('code')
      ? ['response_types must include code']
      : []),
  ];
  if (problems.length > 0) throw unusable(problems);
  return client;
};

const toClient = (
  url: string,
  data: MetadataDocument,
  keys: Jwk[],
  enabledGrants: readonly GrantType[],
): DocumentClient => {
  const grantTypes = enabledGrants.filter((type) => data.grant_types.includes(type) && !withheldGrants.includes(type));
  const signs = data.token_endpoint_auth_method === 'private_key_jwt';
  return {
    clientId: url,
    clientName: data.client_name,
    redirectUris: [...new Set(data.redirect_uris)],
    grantTypes: grantTypes.filter(isGrantType),
    responseTypes: grantTypes.includes('authorization_code') ? ['code'] : [],
    tokenEndpointAuthMethod: signs ? 'private_key_jwt' : 'none',
    applicationType: applicationTypeOf(data),
    registrationSource: 'cimd',
    cimdUrl: url,
    agent: data.agent,
    agentDescription: data.agent_description,
    jwks: signs && data.jwks_uri === undefined ? { keys } : undefined,
    jwksUri: signs ? data.jwks_uri : undefined,
    dpopBoundAccessTokens: data.dpop_bound_access_tokens,
    requirePushedAuthorizationRequests: data.require_pushed_authorization_requests,
  };
};

/** A document is public, so a secret in it is none, and a private key in it is somebody's accident (§4.1). */
const secretProblems = (document: object, keys: readonly Jwk[]): string[] => [
  ...['client_secret', 'client_secret_expires_at']
    .filter((member) => Object.hasOwn(document, member))
    .map((member) => `${member} must not be in a public document`),
  ...(keys.some(hasSecretMembers) ? ['jwks contains private or secret keys'] : []),
];

const isJson = (contentType: string | null): boolean =>
  /^application\/(?:json|[a-z0-9!#$&^_.-]+\+json)$/.test(
    (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '',
  );

const parse = (body: Buffer): unknown => {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw unusable(['it is not JSON']);
  }
};

const unusable = (problems: readonly string[]): OAuthError =>
  invalidClient(
    'client_document_invalid',
    `The metadata document at the client_id cannot be used: ${problems.join('; ')}.`.slice(0, 1000),
  );

/** What people recognise a client by, and what proves that it is the one they allowed. */
export const sameIdentity = (one: DocumentClient, other: DocumentClient): boolean =>
  identityOf(one) === identityOf(other);

/** The same as a short name, for a page to say whom it spoke of. */
export const identityName = (client: DocumentClient): string =>
  createHash('sha256').update(identityOf(client)).digest('base64url');

const identityOf = (client: DocumentClient): string =>
  JSON.stringify([
    client.clientName,
    [...client.redirectUris].sort(),
    client.tokenEndpointAuthMethod,
    client.jwks?.keys.map((key) => JSON.stringify(Object.entries(key).sort())).sort(),
    client.jwksUri,
  ]);

/** Whether a stored client says all that a document says. */
export const sameMetadata = (one: DocumentClient, other: DocumentClient): boolean =>
  sameIdentity(one, other) && metadataOf(one) === metadataOf(other);

const metadataOf = (client: DocumentClient): string =>
  JSON.stringify([
    [...client.grantTypes].sort(),
    client.responseTypes,
    client.applicationType,
    client.agent,
    client.agentDescription,
    client.dpopBoundAccessTokens,
    client.requirePushedAuthorizationRequests,
  ]);
