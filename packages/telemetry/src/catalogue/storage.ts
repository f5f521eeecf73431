import { counter, gauge, histogram, type MetricSpecs, sizeBuckets } from './spec.ts';

/** What Redis is used for. */
export const redisUses = ['replay', 'limit', 'lockout', 'lease'] as const;

/** What `authserver purge` deletes, in the order it does. Names are a public contract: operators write them in `--only`. */
export const purgeTargetNames = [
  'assertion-jti',
  'audit-events',
  'connect-pending-states',
  'delegation-uses',
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

/** Statements that many requests share, as `operation` has them elsewhere. */
export const gatheredStatements = [
  'assertion_redeem_many',
  'code_find',
  'code_insert_many',
  'code_redeem_many',
  'consent_ask_again',
  'delegation_uses_find',
  'exchange_find',
  'exchange_insert_counted_many',
  'exchange_insert_many',
  'issuance_insert_many',
  'issuance_is_live',
  'refresh_find',
  'refresh_spend_many',
  'session_find_live',
  'session_find_with_consents',
  'subject_resolve_many',
] as const;
export type GatheredStatement = (typeof gatheredStatements)[number];

/** Pools of connections to PostgreSQL. */
export const poolNames = ['token', 'admin'] as const;
export type PoolName = (typeof poolNames)[number];

/** The database, Redis, and what grows in them. */
export const storageMetrics = {
  dbDuration: histogram(
    'authserver_db_operation_duration_seconds',
    'Statements to PostgreSQL and commands to Redis, queueing included.',
    { operation: 'statement', store: ['postgres', 'redis'] },
  ),
  dbConnections: gauge(
    'authserver_db_pool_connections',
    'Connections to PostgreSQL: serving a statement or a transaction, or free.',
    { pool: poolNames, state: ['in_use', 'idle'] },
    'sum',
  ),
  dbConnectionsMax: gauge(
    'authserver_db_pool_max_connections',
    'Most connections to PostgreSQL that may be open.',
    { pool: poolNames },
    'sum',
  ),
  dbWaiting: gauge(
    'authserver_db_pool_waiting',
    'Statements and transactions that wait for a connection.',
    { pool: poolNames },
    'sum',
  ),
  groupCommitSize: histogram(
    'authserver_group_commit_batch_size',
    'Requests that shared one statement.',
    { operation: gatheredStatements },
    sizeBuckets,
  ),
  groupCommitWaiting: gauge(
    'authserver_group_commit_waiting',
    'Requests that wait for the statement they will share.',
    { operation: gatheredStatements },
    'sum',
  ),
  groupCommitRefused: counter(
    'authserver_group_commit_refused_total',
    'Requests answered 503 because too many waited for the statement they would have shared.',
    { operation: gatheredStatements },
  ),
  redisErrors: counter('authserver_redis_errors_total', 'Commands that Redis did not answer, by what they were for.', {
    use: redisUses,
  }),
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
} satisfies MetricSpecs;
