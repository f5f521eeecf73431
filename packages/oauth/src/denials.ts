/** Why we said no, for logs, audit and metrics. Closed: a new reason is a change here, so a typo does not compile. */
export const denialReasons = [
  'invalid_request',
  'duplicate_parameter',
  'unsupported_response_type',
  'unsupported_response_mode',
  'unsupported_grant_type',
  'grant_disabled',
  'grant_not_registered',
  'request_object',
  'invalid_redirect_uri',
  'redirect_uri_mismatch',
  // who asks
  'client_missing',
  'client_unknown',
  'client_not_active',
  'client_method_mismatch',
  'client_ambiguous',
  'client_secret_invalid',
  // codes
  'code_unknown',
  'code_expired',
  'code_reused',
  'code_other_client',
  'code_attempts_exhausted',
  'pkce_missing',
  'pkce_mismatch',
  // refresh
  'refresh_unknown',
  'refresh_expired',
  'refresh_other_client',
  'refresh_reused',
  'refresh_family_revoked',
  // what for
  'invalid_scope',
  'scope_outside_ceiling',
  'scope_outside_catalog',
  'scope_outside_grant',
  'scope_empty',
  'scope_missing',
  'invalid_resource',
  'resource_mismatch',
  'resource_not_mint',
  // whom for
  'user_not_active',
  'consent_revoked',
  'consent_denied',
  'reference_gone',
  // registration
  'registration_closed',
  'redirect_not_approved',
  'invalid_client_metadata',
  // login
  'invalid_credentials',
  'login_form_expired',
  // ours
  'unavailable',
  'server_error',
  'not_found',
] as const;

export type DenialReason = (typeof denialReasons)[number];
