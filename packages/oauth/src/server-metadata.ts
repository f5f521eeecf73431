import { clientAssertionAlgorithms } from './client-assertion.ts';
import { authMethods } from './client-metadata.ts';
import { dpopAlgorithms } from './dpop.ts';
import type { GrantType } from './grant-types.ts';
import { idJagProfile } from './id-jag.ts';
import { offlineAccess } from './scope.ts';

export type EnabledFeatures = {
  grantTypes: readonly GrantType[];
  registration: boolean;
  clientIdMetadataDocuments: boolean;
  scopes: readonly string[];
  dpop: boolean;
  /** What the server signs with. */
  signingAlgorithms: readonly string[];
  /** Every authorization request must be pushed. */
  requirePushed: boolean;
  /** Authentication contexts, prompts and response modes of the authorization endpoint. */
  acrs: readonly string[];
  prompts: readonly string[];
  responseModes: readonly string[];
};

/**
 * Authorization server metadata (RFC 8414 §2), built from what is enabled and from configuration alone: no request
 * header has a say in it. Empty members are left out, because clients dislike them.
 */
export const serverMetadata = (issuer: string, enabled: EnabledFeatures): Record<string, unknown> => {
  const scopes = scopesOf(enabled);
  return {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: `${issuer}/oauth/token`,
    pushed_authorization_request_endpoint: `${issuer}/oauth/par`, // RFC 9126 §5
    ...(enabled.requirePushed ? { require_pushed_authorization_requests: true } : {}),
    ...(enabled.registration ? { registration_endpoint: `${issuer}/oauth/register` } : {}),
    ...(enabled.clientIdMetadataDocuments ? { client_id_metadata_document_supported: true } : {}),
    ...(enabled.grantTypes.includes('urn:ietf:params:oauth:grant-type:device_code')
      ? { device_authorization_endpoint: `${issuer}/oauth/device_authorization` } // RFC 8628 §4
      : {}),
    revocation_endpoint: `${issuer}/oauth/revoke`,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    response_types_supported: ['code'],
    response_modes_supported: enabled.responseModes,
    prompt_values_supported: enabled.prompts,
    acr_values_supported: enabled.acrs, // RFC 9470 §7
    grant_types_supported: enabled.grantTypes,
    // Whose assertions are believed is nobody's business (ID-JAG §8.4).
    ...(enabled.grantTypes.includes('urn:ietf:params:oauth:grant-type:jwt-bearer')
      ? { authorization_grant_profiles_supported: [idJagProfile] }
      : {}),
    token_endpoint_auth_methods_supported: authMethods,
    token_endpoint_auth_signing_alg_values_supported: clientAssertionAlgorithms, // of private_key_jwt
    introspection_endpoint_auth_methods_supported: authMethods.filter((method) => method !== 'none'),
    introspection_endpoint_auth_signing_alg_values_supported: clientAssertionAlgorithms,
    introspection_signing_alg_values_supported: enabled.signingAlgorithms, // RFC 9701 §7
    revocation_endpoint_auth_methods_supported: authMethods,
    revocation_endpoint_auth_signing_alg_values_supported: clientAssertionAlgorithms,
    code_challenge_methods_supported: ['S256'],
    ...(scopes.length > 0 ? { scopes_supported: scopes } : {}),
    ...(enabled.dpop ? { dpop_signing_alg_values_supported: dpopAlgorithms } : {}), // RFC 9449 §5.1
    resource_indicators_supported: true,
    ...(enabled.grantTypes.includes('urn:ietf:params:oauth:grant-type:token-exchange')
      ? { authplane_agent_identity_supported: true } // tokens say which agent acts, and for whom
      : {}),
    authorization_response_iss_parameter_supported: true,
  };
};

/** With `offline_access`: newer clients ask for it where they see it here, and without it expect no refresh token. */
const scopesOf = ({ scopes, grantTypes }: EnabledFeatures): readonly string[] =>
  grantTypes.includes('refresh_token') ? [...new Set([...scopes, offlineAccess])] : scopes;
