import { type AuditAction, auditActions } from '../audit.ts';
import { counter, histogram, type MetricSpecs } from './spec.ts';

/** People at the browser, and what is written about them. */
export const peopleMetrics = {
  authFlowDuration: histogram(
    'authserver_auth_flow_duration_seconds',
    'Authorization request, received to answered.',
    {},
  ),
  loginAttempts: counter(
    'authserver_login_attempts_total',
    'Sign-ins that were decided: by password, or at an OpenID provider.',
    {
      outcome: ['success', 'failure', 'locked_out'],
    },
  ),
  loginLockouts: counter('authserver_login_lockouts_total', 'Lockouts that began, and what they locked.', {
    scope: ['identity', 'address'],
  }),
  consentDecisions: counter('authserver_consent_decisions_total', 'Decisions on the consent page.', {
    decision: ['granted', 'denied'],
  }),
  deviceRequests: counter('authserver_device_requests_total', 'Devices that asked to be allowed, and the answers.', {
    outcome: ['asked', 'refused_full', 'allowed', 'denied'],
  }),
  oidcExchangeDuration: histogram(
    'authserver_oidc_exchange_duration_seconds',
    'Exchange of a code at an OpenID provider, and the check of its ID token.',
    { outcome: ['success', 'failed'] },
  ),
  auditEventsDropped: counter(
    'authserver_audit_events_dropped_total',
    'Audit events of a kind that is counted whose count could not be written.',
    { action: Object.keys(auditActions) as AuditAction[] },
  ),
} satisfies MetricSpecs;
