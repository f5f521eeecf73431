import { counter, gauge, histogram, type MetricSpecs } from './spec.ts';

/** What requests to other hosts are for. */
export const outboundPurposes = [
  'client_document',
  'client_keys',
  'idp_metadata',
  'idp_keys',
  'oidc_token',
  'oidc_userinfo',
] as const;
export type OutboundPurpose = (typeof outboundPurposes)[number];

/** Limits on how often somebody may ask. */
export const limitNames = [
  'requests',
  'registrations',
  'pushed_requests',
  'device_codes',
  'client_failures',
  'provider_logins',
  'admin_requests',
  'admin_keys',
] as const;
export type LimitName = (typeof limitNames)[number];

/** Clients: where they come from, what is fetched about them, what they may ask. */
export const clientMetrics = {
  clientsRegistered: counter('authserver_clients_registered_total', 'Clients registered.', {
    source: ['dcr', 'admin', 'cimd'],
  }),
  activeClients: gauge('authserver_active_clients', 'Clients with status active, counted in the database.', {}),
  cimdFetchDuration: histogram('authserver_cimd_fetch_duration_seconds', 'Fetch of a client metadata document.', {
    outcome: ['success', 'invalid', 'failed'],
  }),
  cimdFetchSuppressed: counter(
    'authserver_cimd_fetch_suppressed_total',
    'Client metadata documents that were wanted but not fetched: a failure was remembered, a fetch was under way already, too many were, or too many from one host.',
    { reason: ['negative_cache', 'single_flight', 'capacity', 'host_budget'] },
  ),
  outboundRequests: counter(
    'authserver_outbound_requests_total',
    'Requests to hosts that clients or operators named.',
    {
      purpose: outboundPurposes,
      outcome: ['answered', 'forbidden', 'unreachable', 'timeout', 'oversized', 'malformed'],
    },
  ),
  rateLimited: counter('authserver_rate_limited_total', 'Requests refused with 429, by the limit they ran into.', {
    limit: limitNames,
  }),
  traceEventsDropped: counter(
    'authserver_trace_events_dropped_total',
    'Events of connecting clients that the flight recorder did not keep, because there were too many.',
    {},
  ),
} satisfies MetricSpecs;
