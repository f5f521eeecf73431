import { denialReasons, grantTypes } from '@authserver/oauth';
import { counter, gauge, histogram, type MetricSpecs } from './spec.ts';

/** What is issued, refused, checked and revoked. */
export const tokenMetrics = {
  tokensIssued: counter('authserver_tokens_issued_total', 'Access tokens issued, by any grant.', {
    grant_type: grantTypes,
  }),
  tokensRefreshed: counter('authserver_tokens_refreshed_total', 'Refresh token grants that succeeded.', {}),
  tokensRevoked: counter('authserver_tokens_revoked_total', 'Revocations that changed a row.', {
    reason: ['family_revocation', 'code_reuse', 'explicit', 'explicit_machine'],
  }),
  authDenied: counter('authserver_auth_denied_total', 'Requests denied, by our private reason.', {
    reason: denialReasons,
  }),
  issuanceDuration: histogram('authserver_token_issuance_duration_seconds', 'Token request, received to answered.', {
    grant_type: grantTypes,
  }),
  refreshReuse: counter(
    'authserver_refresh_token_reuse_total',
    'Refresh tokens presented again outside the reuse window; each revoked its family.',
    {},
  ),
  codeReuse: counter('authserver_auth_code_reuse_total', 'Authorization codes presented again.', {
    verifier: ['valid', 'invalid'],
  }),
  revocationFailures: counter(
    'authserver_revocation_failures_total',
    'Replays that were noticed and whose family could not be revoked, because the database did not do it. `jti` stays 0: access tokens end with their family, in one statement.',
    { path: ['reuse', 'code_reuse'], half: ['family', 'jti'] },
  ),
  introspections: counter('authserver_introspection_total', 'Introspection answers.', { active: ['true', 'false'] }),
  introspectionDuration: histogram('authserver_introspection_duration_seconds', 'Introspection call latency.', {}),
  clientCredentialsIssued: counter('authplane_client_credentials_issued_total', 'Machine tokens issued.', {}),
  clientCredentialsDenied: counter('authplane_client_credentials_denied_total', 'Machine tokens denied.', {
    reason: denialReasons,
  }),
  dpopValidated: counter('authplane_dpop_proofs_validated_total', 'DPoP proofs that passed validation.', {}),
  dpopRejected: counter('authplane_dpop_proofs_rejected_total', 'DPoP proofs rejected.', {
    reason: ['invalid_proof', 'replay', 'nonce_required', 'nonce_mismatch'],
  }),
  tokenExchanges: counter('authplane_token_exchange_total', 'Tokens exchanged; a delegation names who acts.', {
    kind: ['impersonation', 'delegation'],
  }),
  tokenExchangesDenied: counter('authplane_token_exchange_denied_total', 'Token exchanges denied.', {
    reason: denialReasons,
  }),
  agentTokensIssued: counter(
    'authplane_agent_tokens_issued_total',
    'Tokens issued that name an agent (`agent_id`, `agent_chain`).',
    {},
  ),
  activeFamilies: gauge(
    'authserver_active_token_families',
    'Refresh token families neither revoked nor expired, counted in the database.',
    {},
  ),
} satisfies MetricSpecs;
