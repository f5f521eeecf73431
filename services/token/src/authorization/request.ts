import {
  type ErrorCode,
  includesAll,
  isCodeChallenge,
  isRegisteredRedirectUri,
  OAuthError,
  parseScope,
} from '@authserver/oauth';
import type { Client, Resource } from '@authserver/store';
import type { z } from 'zod';
import type { ResourceCatalog } from '../lookups.ts';
import { type FormBody, type Params, splitParams } from '../params.ts';
import { catalogScopes, defaultScopes, underCeiling } from '../scopes.ts';

/** An authorization request (RFC 6749 §4.1.1) in which everything has been checked but the user's will. */
export type AuthorizationRequest = {
  client: Client;
  redirectUri: string;
  state: string | undefined;
  scopes: readonly string[];
  resource: Resource | undefined;
  codeChallenge: string;
};

/** Where a response may go once client and redirect URI are known to belong together. */
export type ResponseTarget = { client: Client; redirectUri: string; state: string | undefined };

/** The request cannot be answered by redirect: who asks or where to is wrong (RFC 6749 §4.1.2.1). */
export class UntrustedRequest extends OAuthError {
  readonly pageStatus: 400 | 403;
  constructor(description: string, reason: ConstructorParameters<typeof OAuthError>[2], pageStatus: 400 | 403 = 400) {
    super('invalid_request', description, reason);
    this.pageStatus = pageStatus;
  }
}

/** The request is wrong, and its client may be told so at its redirect URI. */
export class RefusedRequest extends OAuthError {
  readonly target: ResponseTarget;
  constructor(target: ResponseTarget, error: OAuthError) {
    super(error.code, error.description, error.reason);
    this.target = target;
  }
}

export type RequestDeps = {
  findClient: (clientId: string) => Promise<Client | undefined>;
  resources: () => Promise<ResourceCatalog>;
  requireScope: boolean;
};

/**
 * Checks an authorization request, redirect URI first: no error may be sent to an address that is not the client's.
 *
 * @throws {UntrustedRequest} when only a page of ours may tell
 * @throws {RefusedRequest} when the client may be told
 */
export const readAuthorizationRequest = async (
  raw: z.infer<typeof FormBody>,
  deps: RequestDeps,
): Promise<AuthorizationRequest> => {
  const { params, repeated } = splitParams(raw);
  const target = await readTarget(params, repeated, deps);
  try {
    return { ...target, ...(await readWishes(params, repeated, target.client, deps)) };
  } catch (error) {
    throw error instanceof OAuthError ? new RefusedRequest(target, error) : error;
  }
};

const readTarget = async (params: Params, repeated: string[], deps: RequestDeps): Promise<ResponseTarget> => {
  if (repeated.includes('client_id') || repeated.includes('redirect_uri'))
    throw new UntrustedRequest('The request names more than one client or address.', 'duplicate_parameter');
  if (params.client_id === undefined)
    throw new UntrustedRequest('The request does not say which app it is for.', 'client_missing');
  const client = await deps.findClient(params.client_id);
  if (!client) throw new UntrustedRequest('This app is not registered here.', 'client_unknown');
  if (client.status !== 'active')
    throw new UntrustedRequest('This app has been blocked by the administrator.', 'client_not_active', 403);
  if (params.redirect_uri === undefined || !isRegisteredRedirectUri(client.redirectUris, params.redirect_uri))
    throw new UntrustedRequest(
      'The address to return to is not one the app has registered.',
      params.redirect_uri === undefined ? 'invalid_redirect_uri' : 'redirect_uri_mismatch',
    );
  return { client, redirectUri: params.redirect_uri, state: params.state };
};

const readWishes = async (params: Params, repeated: string[], client: Client, deps: RequestDeps) => {
  const refuse = (code: ErrorCode, text: string, reason: ConstructorParameters<typeof OAuthError>[2]): never => {
    throw new OAuthError(code, text, reason);
  };
  if (repeated.length > 0) refuse('invalid_request', 'A request parameter is repeated.', 'duplicate_parameter');
  if (params.request !== undefined) refuse('request_not_supported', 'request is not supported.', 'request_object');
  if (params.request_uri !== undefined)
    refuse('request_uri_not_supported', 'request_uri is not supported.', 'request_object');
  if (params.response_type === undefined)
    refuse('invalid_request', 'response_type is missing.', 'unsupported_response_type');
  if (params.response_type !== 'code')
    refuse('unsupported_response_type', 'Only response_type code is supported.', 'unsupported_response_type');
  if (params.response_mode !== undefined && params.response_mode !== 'query')
    refuse('invalid_request', 'Only response_mode query is supported.', 'unsupported_response_mode');
  if (!client.grantTypes.includes('authorization_code'))
    refuse('unauthorized_client', 'The client is not registered for authorization_code.', 'grant_not_registered');
  const codeChallenge = params.code_challenge ?? '';
  if (params.code_challenge_method !== 'S256' || !isCodeChallenge(codeChallenge))
    refuse('invalid_request', 'PKCE with code_challenge_method S256 is required.', 'pkce_missing');
  if (params.resources.length > 1)
    refuse('invalid_target', 'Only one resource per request is supported.', 'invalid_resource');

  const catalog = await deps.resources();
  const indicator = params.resources[0];
  const resource = indicator === undefined ? undefined : catalog.find(indicator);
  if (indicator !== undefined && (!resource?.uri || resource.backendKind !== 'mint'))
    refuse('invalid_target', 'The resource is not known here.', resource ? 'resource_not_mint' : 'invalid_resource');
  return { resource, codeChallenge, scopes: readScopes(parseScope(params.scope), client, resource, catalog, deps) };
};

const readScopes = (
  asked: readonly string[] | undefined,
  client: Client,
  resource: Resource | undefined,
  catalog: ResourceCatalog,
  deps: RequestDeps,
): readonly string[] => {
  if (!asked) {
    if (deps.requireScope) throw new OAuthError('invalid_scope', 'scope is missing.', 'scope_missing');
    const scopes = underCeiling(defaultScopes(catalog, resource), client);
    if (scopes.length === 0) throw new OAuthError('invalid_scope', 'There is no scope to grant.', 'scope_empty');
    return scopes;
  }
  if (client.ceiling.length > 0 && !includesAll(client.ceiling, asked))
    throw new OAuthError('invalid_scope', 'The scope exceeds what the client may ask for.', 'scope_outside_ceiling');
  if (!includesAll(catalogScopes(catalog, resource), asked))
    throw new OAuthError('invalid_scope', 'The resource does not offer this scope.', 'scope_outside_catalog');
  return asked;
};
