import { counter, histogram, type MetricSpecs, planned } from './spec.ts';

const broker = 'the broker';

/** Other servers: identity providers whose word counts, and upstreams whose tokens we hand out. */
export const federationMetrics = {
  xaaIdpOperations: counter('authplane_xaa_idp_operations_total', 'Changes to trusted identity providers.', {
    operation: ['register', 'update', 'delete'],
  }),
  xaaPolicyEvaluations: counter(
    'authplane_xaa_policy_evaluation_total',
    'Assertions of identity providers held against the policies.',
    { outcome: ['allow', 'deny'] },
  ),
  xaaSubjectResolutions: counter(
    'authplane_xaa_subject_resolutions_total',
    'Subjects of assertions: found by a mapping, taken as they are, or nobody here.',
    { outcome: ['mapped', 'auto_map', 'denied'] },
  ),
  assertionsIssued: counter(
    'authplane_xaa_assertions_issued_total',
    'Assertions about users of this server made for other authorization servers.',
    {},
  ),
  oidcJwksCacheHits: counter(
    'authserver_oidc_jwks_cache_hits_total',
    'Keys of an identity provider found in memory.',
    {},
  ),
  oidcJwksCacheMisses: counter(
    'authserver_oidc_jwks_cache_misses_total',
    'Keys of an identity provider that were not in memory, so that its key set was fetched.',
    {},
  ),
  upstreamTokensIssued: planned(
    broker,
    counter('authserver_upstream_token_issued_total', 'Tokens of an upstream handed to a client.', {
      provider: 'slug',
      resource: 'slug',
    }),
  ),
  upstreamTokenIssuanceDuration: planned(
    broker,
    histogram(
      'authserver_upstream_token_issuance_duration_seconds',
      'Request for a token of an upstream, received to answered.',
      { provider: 'slug' },
    ),
  ),
  upstreamTokenRefreshes: planned(
    broker,
    counter('authserver_upstream_token_refresh_total', 'Refreshes of the tokens an upstream gave us.', {
      provider: 'slug',
      outcome: ['success', 'failed'],
    }),
  ),
  connectionsConnected: planned(
    broker,
    counter('authserver_connection_connect_total', 'People who connected their account at an upstream.', {
      provider: 'slug',
    }),
  ),
  connectionsDisconnected: planned(
    broker,
    counter('authserver_connection_disconnect_total', 'Connections to an upstream that were ended.', {
      provider: 'slug',
    }),
  ),
} satisfies MetricSpecs;
