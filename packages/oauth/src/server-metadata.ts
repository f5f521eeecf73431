import { authMethods } from './client-metadata.ts';
import type { GrantType } from './grant-types.ts';

export type EnabledFeatures = { grantTypes: readonly GrantType[]; registration: boolean; scopes: readonly string[] };

/**
 * Authorization server metadata (RFC 8414 §2), built from what is enabled and from configuration alone: no request
 * header has a say in it. Empty members are left out, because clients dislike them.
 */
export const serverMetadata = (issuer: string, enabled: EnabledFeatures): Record<string, unknown> => ({
  issuer,
  authorization_endpoint: `${issuer}/oauth/authorize`,
  token_endpoint: `${issuer}/oauth/token`,
  ...(enabled.registration ? { registration_endpoint: `${issuer}/oauth/register` } : {}),
  revocation_endpoint: `${issuer}/oauth/revoke`,
  introspection_endpoint: `${issuer}/oauth/introspect`,
  jwks_uri: `${issuer}/.well-known/jwks.json`,
  response_types_supported: ['code'],
  response_modes_supported: ['query'],
  grant_types_supported: enabled.grantTypes,
  token_endpoint_auth_methods_supported: authMethods,
  introspection_endpoint_auth_methods_supported: authMethods.filter((method) => method !== 'none'),
  revocation_endpoint_auth_methods_supported: authMethods,
  code_challenge_methods_supported: ['S256'],
  ...(enabled.scopes.length > 0 ? { scopes_supported: enabled.scopes } : {}),
  resource_indicators_supported: true,
  authorization_response_iss_parameter_supported: true,
});
