import { denialReasons } from '@authserver/oauth';
import { type AuditAction, auditActions } from './audit.ts';

/**
 * Every metric this server emits, declared once. Names are a public contract.
 *
 * A label's values are a closed list, or `open` when they are decided elsewhere but bounded all the same (a route
 * template, a status). No label ever carries an id, an address or a text a caller chose.
 */
type Labels = Readonly<Record<string, readonly string[] | 'open'>>;
export type MetricSpec = {
  type: 'counter' | 'gauge' | 'histogram';
  name: string;
  help: string;
  labels: Labels;
  /** What a gauge is of several processes together; counters and histograms are summed. */
  across?: 'max' | 'min' | 'sum';
};

const counter = <L extends Labels>(name: string, help: string, labels: L) =>
  ({ type: 'counter', name, help, labels }) as const;
/** Read from the database, or the worst of the processes, unless `across` says otherwise. */
const gauge = <L extends Labels>(name: string, help: string, labels: L, across: 'max' | 'min' | 'sum' = 'max') =>
  ({ type: 'gauge', name, help, labels, across }) as const;
const histogram = <L extends Labels>(name: string, help: string, labels: L) =>
  ({ type: 'histogram', name, help, labels }) as const;

/** Buckets of every `_duration_seconds`, in seconds. */
export const durationBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What requests to other hosts are for. */
export const outboundPurposes = ['client_document', 'client_keys', 'idp_metadata', 'idp_keys'] as const;
export type OutboundPurpose = (typeof outboundPurposes)[number];

/** What can tell a process of a change at once. */
const changeChannels = ['notify', 'nats'] as const;
const planes = ['token', 'admin'] as const;

/** Limits on how often somebody may ask. */
export const limitNames = [
  'requests',
  'registrations',
  'pushed_requests',
  'device_codes',
  'client_failures',
  'admin_requests',
  'admin_keys',
] as const;
export type LimitName = (typeof limitNames)[number];

/** What `authserver purge` deletes, in the order it does. Names are a public contract: operators write them in `--only`. */
export const purgeTargetNames = [
  'assertion-jti',
  'audit-events',
  'connect-pending-states',
  'dpop-nonces',
  'families',
  'issuances',
  'jti',
  'machine-tokens',
  'refresh-tokens',
  'sessions',
  'unused-clients',
] as const;
export type PurgeTargetName = (typeof purgeTargetNames)[number];

const grantTypeLabel = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
] as const;

/** What Redis is used for. */
export const redisUses = ['replay', 'limit', 'lockout', 'lease'] as const;

export const catalogue = {
  tokensIssued: counter('authserver_tokens_issued_total', 'Access tokens issued, by any grant.', {
    grant_type: grantTypeLabel,
  }),
  tokensRefreshed: counter('authserver_tokens_refreshed_total', 'Refresh token grants that succeeded.', {}),
  tokensRevoked: counter('authserver_tokens_revoked_total', 'Revocations that changed a row.', {
    reason: ['family_revocation', 'code_reuse', 'explicit', 'explicit_machine'],
  }),
  authDenied: counter('authserver_auth_denied_total', 'Requests denied, by our private reason.', {
    reason: denialReasons,
  }),
  clientsRegistered: counter('authserver_clients_registered_total', 'Clients registered.', {
    source: ['dcr', 'admin', 'cimd'],
  }),
  consentDecisions: counter('authserver_consent_decisions_total', 'Decisions on the consent page.', {
    decision: ['granted', 'denied'],
  }),
  deviceRequests: counter('authserver_device_requests_total', 'Devices that asked to be allowed, and the answers.', {
    outcome: ['asked', 'refused_full', 'allowed', 'denied'],
  }),
  loginAttempts: counter('authserver_login_attempts_total', 'Login form submissions.', {
    outcome: ['success', 'failure', 'locked_out'],
  }),
  refreshReuse: counter(
    'authserver_refresh_token_reuse_total',
    'Refresh tokens presented again outside the reuse window; each revoked its family.',
    {},
  ),
  codeReuse: counter('authserver_auth_code_reuse_total', 'Authorization codes presented again.', {
    verifier: ['valid', 'invalid'],
  }),
  introspections: counter('authserver_introspection_total', 'Introspection answers.', { active: ['true', 'false'] }),
  outboundRequests: counter(
    'authserver_outbound_requests_total',
    'Requests to hosts that clients or operators named.',
    {
      purpose: outboundPurposes,
      outcome: ['answered', 'forbidden', 'unreachable', 'timeout', 'oversized', 'malformed'],
    },
  ),
  cimdFetchSuppressed: counter(
    'authserver_cimd_fetch_suppressed_total',
    'Client metadata documents that were wanted but not fetched: a failure was remembered, a fetch was under way already, too many were, or too many from one host.',
    { reason: ['negative_cache', 'single_flight', 'capacity', 'host_budget'] },
  ),
  keyRotations: counter('authserver_key_rotation_total', 'Signing key rotations.', {}),
  signingFailures: counter(
    'authserver_signing_failures_total',
    'Tokens that could not be signed: the key could not be confirmed in time, or its home is away, denies us or refuses.',
    { reason: ['unconfirmed', 'unreachable', 'denied', 'refused'] },
  ),
  keyRotationFailures: counter(
    'authserver_key_rotation_failures_total',
    'Automatic rotations that were due and did not succeed; they are tried again.',
    {},
  ),
  clientCredentialsIssued: counter('authplane_client_credentials_issued_total', 'Machine tokens issued.', {}),
  clientCredentialsDenied: counter('authplane_client_credentials_denied_total', 'Machine tokens denied.', {
    reason: denialReasons,
  }),
  dpopValidated: counter('authplane_dpop_proofs_validated_total', 'DPoP proofs that passed validation.', {}),
  dpopRejected: counter('authplane_dpop_proofs_rejected_total', 'DPoP proofs rejected.', {
    reason: ['invalid_proof', 'replay', 'nonce_required', 'nonce_mismatch'],
  }),
  xaaIdpOperations: counter('authplane_xaa_idp_operations_total', 'Changes to trusted identity providers.', {
    operation: ['register', 'update', 'delete'],
  }),
  resourceServerOps: counter('authplane_resource_server_ops_total', 'Changes to resources by the admin API.', {
    op: ['create', 'update', 'delete'],
  }),
  allowlistOps: counter(
    'authplane_allowlist_ops_total',
    'Clients put on and taken off the lists of who may exchange tokens of others for a resource.',
    { op: ['add', 'remove'] },
  ),
  httpRequests: counter('authserver_http_requests_total', 'HTTP requests.', {
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'],
    path: 'open',
    status: 'open',
  }),
  httpDuration: histogram('authserver_http_request_duration_seconds', 'HTTP request latency.', {
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'],
    path: 'open',
    status: 'open',
  }),
  issuanceDuration: histogram('authserver_token_issuance_duration_seconds', 'Token request, received to answered.', {
    grant_type: grantTypeLabel,
  }),
  authFlowDuration: histogram(
    'authserver_auth_flow_duration_seconds',
    'Authorization request, received to answered.',
    {},
  ),
  cimdFetchDuration: histogram('authserver_cimd_fetch_duration_seconds', 'Fetch of a client metadata document.', {
    outcome: ['success', 'invalid', 'failed'],
  }),
  introspectionDuration: histogram('authserver_introspection_duration_seconds', 'Introspection call latency.', {}),
  remoteSigningDuration: histogram(
    'authserver_remote_signing_duration_seconds',
    'Signatures by a key that lives elsewhere (vault_transit), failures included.',
    {},
  ),
  keyReloadDuration: histogram('authserver_key_reload_duration_seconds', 'Reload of the signing keys.', {}),
  dbDuration: histogram(
    'authserver_db_operation_duration_seconds',
    'Statements to PostgreSQL and commands to Redis, queueing included.',
    {
      operation: 'open',
      store: ['postgres', 'redis'],
    },
  ),
  changePropagation: histogram(
    'authserver_change_propagation_seconds',
    'Commit of a change to its application in this process, by the clock of the database.',
    { kind: 'open' },
  ),
  changeHints: counter(
    'authserver_change_hints_total',
    'Messages that announced a change, by channel, and what became of them.',
    {
      channel: changeChannels,
      outcome: [
        'true',
        'known',
        'false',
        'excess',
        'unread',
        'oversized',
        'malformed',
        'unknown_kind',
        'wrong_subject',
      ],
    },
  ),
  changeFeedReads: counter('authserver_change_feed_reads_total', 'Reads of the changes, why, and what came of them.', {
    plane: planes,
    cause: ['start', 'channel', 'interval', 'hint', 'commit'],
    result: ['changes', 'nothing', 'failed'],
  }),
  changeFeedResets: counter(
    'authserver_change_feed_resets_total',
    'Times everything cached was forgotten, because a change may have been missed.',
    { plane: planes, reason: ['late_start', 'pruned', 'went_back'] },
  ),
  changeFeedVersion: gauge('authserver_change_feed_version', 'Version of the last change that was applied here.', {
    plane: planes,
  }),
  changeFeedLastRead: gauge(
    'authserver_change_feed_last_read_timestamp_seconds',
    'When the changes were last read with success.',
    { plane: planes },
  ),
  changeChannelUp: gauge(
    'authserver_change_channel_up',
    'Whether a channel would tell of a change at once; for NATS in the control plane, whether it can publish there.',
    { plane: planes, channel: changeChannels },
  ),
  changesPublished: counter('authserver_changes_published_total', 'Changes that NATS has taken.', {}),
  natsTroubles: counter('authserver_nats_troubles_total', 'Connections to NATS that were not made, or ended.', {
    plane: planes,
    reason: ['unreachable', 'unauthorized', 'forbidden', 'tls', 'lost'],
  }),
  auditEventsDropped: counter(
    'authserver_audit_events_dropped_total',
    'Audit events of a kind that is counted whose count could not be written.',
    { action: Object.keys(auditActions) as AuditAction[] },
  ),
  rateLimited: counter('authserver_rate_limited_total', 'Requests refused with 429, by the limit they ran into.', {
    limit: limitNames,
  }),
  loginLockouts: counter('authserver_login_lockouts_total', 'Lockouts that began, and what they locked.', {
    scope: ['identity', 'address'],
  }),
  redisErrors: counter('authserver_redis_errors_total', 'Commands that Redis did not answer, by what they were for.', {
    use: redisUses,
  }),
  workerRestarts: counter(
    'authserver_worker_restarts_total',
    'Workers that ended without having been told to, and were started again.',
    {},
  ),
  traceEventsDropped: counter(
    'authserver_trace_events_dropped_total',
    'Events of connecting clients that the flight recorder did not keep, because there were too many.',
    {},
  ),
  purgeDeleted: counter('authserver_purge_deleted_total', 'Expired rows deleted by the purges of this process.', {
    target: purgeTargetNames,
  }),
  purgeFailures: counter('authserver_purge_failures_total', 'Purges of a target that failed in this process.', {
    target: purgeTargetNames,
  }),
  purgeLastDuration: gauge(
    'authserver_purge_last_duration_seconds',
    'Length of the last purge of a target that completed, whoever ran it.',
    { target: purgeTargetNames },
  ),
  purgeLastSuccess: gauge(
    'authserver_purge_last_success_timestamp_seconds',
    'When the last purge of a target completed, whoever ran it.',
    { target: purgeTargetNames },
  ),
  purgeLag: gauge(
    'authserver_purge_lag_seconds',
    'How long the oldest row of a target could have been deleted; 0 when none can.',
    { target: purgeTargetNames },
  ),
  partitionsUntil: gauge(
    'authserver_partitions_until_timestamp_seconds',
    'Until when a table has its months made ahead; three months from now unless making them fails.',
    { table: ['issuances', 'audit_events', 'audit_chain'] },
  ),
  activeClients: gauge('authserver_active_clients', 'Clients with status active, counted in the database.', {}),
  activeFamilies: gauge(
    'authserver_active_token_families',
    'Refresh token families neither revoked nor expired, counted in the database.',
    {},
  ),
} satisfies Record<string, MetricSpec>;

export type Catalogue = typeof catalogue;
