import { dashboard } from './dashboard.ts';
import { answer, chart } from './panels.ts';
import {
  gauge,
  inRange,
  most,
  orZero,
  perSecond,
  quantile,
  quantileOrZero,
  recordedQuantile,
  select,
  share,
} from './queries.ts';

const eventLoop = 'job_instance:authserver_event_loop_utilization:ratio5m';
const day = 86_400;

/** Where time goes and what is full. */
export const operations = dashboard({
  uid: 'authserver-operations',
  title: 'Operations',
  description: 'Where the time of a request goes, what is full, and whether the housekeeping is done.',
  answers: [
    answer({
      title: 'Busiest event loop',
      what: 'Share of its time at work, of the busiest process, over five minutes. Near 100 % everything waits for its turn: add processes.',
      expr: orZero(`max(${select(eventLoop)})`),
      unit: 'percentunit',
      limits: { warn: 0.7, bad: 0.9 },
      alert: 'AuthserverEventLoopBusy',
    }),
    answer({
      title: 'Connections in use',
      what: 'Of those that may be open.',
      expr: share(
        `sum(${select('authserver_db_pool_connections', 'state="in_use"')})`,
        `sum(${select('authserver_db_pool_max_connections')})`,
      ),
      unit: 'percentunit',
      limits: { warn: 0.7, bad: 0.95 },
      alert: 'AuthserverWaitsForConnections',
    }),
    answer({
      title: 'Slowest 1 % of statements',
      what: 'The 99th percentile of statements to PostgreSQL, the wait for a connection included, over five minutes.',
      expr: recordedQuantile(0.99, 'job_instance_store_le:authserver_db_operation_duration_seconds_bucket:rate5m', {
        where: 'store="postgres"',
      }),
      unit: 's',
      limits: { warn: 0.1, bad: 0.25 },
      alert: 'AuthserverSlowDatabase',
    }),
    answer({
      title: 'Refused: queue full',
      what: 'Answered 503 in the time on the screen, because too many waited for the database.',
      expr: inRange('authserver_group_commit_refused_total'),
      limits: { bad: 1 },
      words: { 0: 'none' },
      alert: 'AuthserverRefusesWork',
    }),
    answer({
      title: 'Redis did not answer',
      what: 'In the time on the screen. 0 as well where there is no Redis.',
      expr: inRange('authserver_redis_errors_total'),
      limits: { bad: 1 },
      words: { 0: 'none' },
      alert: 'AuthserverRedisErrors',
    }),
    answer({
      title: 'Oldest row to delete',
      what: 'How long it could have been deleted. More than a day: nobody runs the purge, or it fails.',
      expr: gauge('authserver_purge_lag_seconds'),
      unit: 's',
      limits: { warn: day / 2, bad: day },
      alert: 'AuthserverExpiredRowsPileUp',
    }),
  ],
  sections: [
    {
      title: 'Requests',
      panels: [
        chart({
          title: 'Answers, by status',
          queries: [{ expr: perSecond('authserver_http_requests_total', { by: ['status'] }), legend: '{{status}}' }],
          unit: 'reqps',
          stacked: true,
        }),
        chart({
          title: '99 of 100 requests are faster than, by endpoint',
          queries: [
            {
              expr: `topk(12, ${quantile(0.99, 'authserver_http_request_duration_seconds', { by: ['path'] })} >= 0)`,
              legend: '{{path}}',
            },
          ],
          unit: 's',
        }),
      ],
    },
    {
      title: 'Processes',
      panels: [
        chart({
          title: 'Time at work, by process',
          queries: [{ expr: orZero(select(eventLoop)), legend: '{{job}} {{instance}}' }],
          unit: 'percentunit',
          limits: { bad: 0.9 },
          alert: 'AuthserverEventLoopBusy',
        }),
        chart({
          title: 'How late a timer fires',
          what: 'What everything that waits its turn waits at least.',
          queries: [
            {
              expr: quantile(0.5, 'authserver_event_loop_delay_seconds', { by: ['instance'] }),
              legend: '{{instance}}, half',
            },
            {
              expr: quantile(0.99, 'authserver_event_loop_delay_seconds', { by: ['instance'] }),
              legend: '{{instance}}, 99 of 100',
            },
          ],
          unit: 's',
        }),
        chart({
          title: 'Processor, in cores',
          queries: [
            {
              expr: `sum by (job, instance) (rate(${select('process_cpu_seconds_total')}[$__rate_interval]))`,
              legend: '{{job}} {{instance}}',
            },
          ],
        }),
        chart({
          title: 'Memory',
          queries: [
            {
              expr: `sum by (job, instance) (${select('process_resident_memory_bytes')})`,
              legend: '{{job}} {{instance}}',
            },
          ],
          unit: 'bytes',
        }),
        chart({
          title: 'Workers that ended by themselves',
          queries: [
            { expr: perSecond('authserver_worker_restarts_total', { by: ['instance'] }), legend: '{{instance}}' },
          ],
          unit: 'reqps',
          alert: 'AuthserverWorkersEnd',
        }),
        chart({
          title: 'Releases that run',
          queries: [{ expr: orZero(`count by (version) (${select('authserver_build_info')})`), legend: '{{version}}' }],
          stacked: true,
        }),
      ],
    },
    {
      title: 'PostgreSQL',
      panels: [
        chart({
          title: 'Connections',
          queries: [
            {
              expr: orZero(`sum by (pool, state) (${select('authserver_db_pool_connections')})`),
              legend: '{{pool}}, {{state}}',
            },
            { expr: gauge('authserver_db_pool_max_connections', { take: 'sum' }), legend: 'may be open' },
          ],
          alert: 'AuthserverWaitsForConnections',
        }),
        chart({
          title: 'Statements that wait for a connection',
          queries: [
            { expr: gauge('authserver_db_pool_waiting', { by: ['instance'], take: 'sum' }), legend: '{{instance}}' },
          ],
          alert: 'AuthserverWaitsForConnections',
        }),
        chart({
          title: 'Slowest statements (99 of 100 are faster)',
          queries: [
            {
              expr: `topk(10, ${quantile(0.99, 'authserver_db_operation_duration_seconds', { by: ['operation'], where: 'store="postgres"' })} >= 0)`,
              legend: '{{operation}}',
            },
          ],
          unit: 's',
          alert: 'AuthserverSlowDatabase',
        }),
        chart({
          title: 'Most frequent statements',
          queries: [
            {
              expr: orZero(
                `topk(10, sum by (operation) (rate(${select('authserver_db_operation_duration_seconds_count', 'store="postgres"')}[$__rate_interval])))`,
              ),
              legend: '{{operation}}',
            },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Requests that share a statement (group commit)',
          what: 'More traffic makes batches larger, not slower. When they reach 256 the database is the limit.',
          queries: [
            {
              expr: quantile(0.5, 'authserver_group_commit_batch_size', { by: ['operation'] }),
              legend: '{{operation}}, half',
            },
            {
              expr: quantile(0.99, 'authserver_group_commit_batch_size', { by: ['operation'] }),
              legend: '{{operation}}, 99 of 100',
            },
          ],
        }),
        chart({
          title: 'Requests that wait for the statement they will share',
          queries: [
            {
              expr: gauge('authserver_group_commit_waiting', { by: ['operation'], take: 'sum' }),
              legend: '{{operation}}, waiting',
            },
            {
              expr: perSecond('authserver_group_commit_refused_total', { by: ['operation'] }),
              legend: '{{operation}}, refused a second',
            },
          ],
          alert: 'AuthserverRefusesWork',
        }),
      ],
    },
    {
      title: 'Redis',
      panels: [
        chart({
          title: 'Time of a command',
          what: '0 where there is no Redis.',
          queries: [
            {
              expr: quantileOrZero(0.5, 'authserver_db_operation_duration_seconds', { where: 'store="redis"' }),
              legend: 'half are faster than',
            },
            {
              expr: quantileOrZero(0.99, 'authserver_db_operation_duration_seconds', { where: 'store="redis"' }),
              legend: '99 of 100 are faster than',
            },
          ],
          unit: 's',
        }),
        chart({
          title: 'Commands that were not answered',
          queries: [{ expr: perSecond('authserver_redis_errors_total', { by: ['use'] }), legend: '{{use}}' }],
          unit: 'reqps',
          alert: 'AuthserverRedisErrors',
        }),
      ],
    },
    {
      title: 'Keys',
      panels: [
        chart({
          title: 'Signatures that failed',
          queries: [{ expr: perSecond('authserver_signing_failures_total', { by: ['reason'] }), legend: '{{reason}}' }],
          unit: 'reqps',
          alert: 'AuthserverCannotSign',
        }),
        chart({
          title: 'Time of signatures by Vault, and of reading the keys',
          what: '0 while there are none.',
          queries: [
            {
              expr: quantileOrZero(0.99, 'authserver_remote_signing_duration_seconds'),
              legend: 'signature, 99 of 100',
            },
            {
              expr: quantileOrZero(0.99, 'authserver_key_reload_duration_seconds'),
              legend: 'reading the keys, 99 of 100',
            },
            {
              expr: quantileOrZero(0.99, 'authserver_encrypt_duration_seconds', { by: ['operation'] }),
              legend: '{{operation}}, 99 of 100',
            },
          ],
          unit: 's',
        }),
        chart({
          title: 'Rotations',
          queries: [
            { expr: inRange('authserver_key_rotation_total'), legend: 'in the time on the screen' },
            { expr: inRange('authserver_key_rotation_failures_total'), legend: 'that were due and failed' },
          ],
          alert: 'AuthserverKeyRotationFails',
        }),
      ],
    },
    {
      title: 'Housekeeping',
      panels: [
        chart({
          title: 'How long rows could have been gone',
          queries: [{ expr: gauge('authserver_purge_lag_seconds', { by: ['target'] }), legend: '{{target}}' }],
          unit: 's',
          limits: { bad: day },
          alert: 'AuthserverExpiredRowsPileUp',
        }),
        chart({
          title: 'Rows deleted',
          queries: [{ expr: perSecond('authserver_purge_deleted_total', { by: ['target'] }), legend: '{{target}}' }],
          unit: 'reqps',
        }),
        chart({
          title: 'Since the last purge that completed',
          queries: [
            {
              expr: orZero(
                `time() - (max by (target) (${select('authserver_purge_last_success_timestamp_seconds')}) > 0)`,
              ),
              legend: '{{target}}',
            },
          ],
          unit: 's',
        }),
        chart({
          title: 'Length of the last purge, and failures',
          queries: [
            {
              expr: gauge('authserver_purge_last_duration_seconds', { by: ['target'] }),
              legend: '{{target}}, seconds',
            },
            { expr: inRange('authserver_purge_failures_total'), legend: 'failures in the time on the screen' },
          ],
          alert: 'AuthserverPurgeFails',
        }),
        chart({
          title: 'Days until the months that are made ahead end',
          queries: [
            {
              expr: orZero(
                `(min by (table) (${select('authserver_partitions_until_timestamp_seconds')}) - time()) / ${day}`,
              ),
              legend: '{{table}}',
            },
          ],
          alert: 'AuthserverMonthsNotMade',
        }),
        chart({
          title: 'Traces, log records and metrics lost on their way to a collector',
          what: 'Pieces a second; pushes, of metrics. Full queues mean that the collector is too slow, the rest that it does not take what it is sent. The log says why.',
          queries: [
            {
              expr: perSecond('authserver_telemetry_dropped_total', { by: ['signal', 'reason'] }),
              legend: '{{signal}}: {{reason}}',
            },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Steps of connecting clients that were not recorded',
          queries: [{ expr: perSecond('authserver_trace_events_dropped_total'), legend: 'too many at once' }],
          unit: 'reqps',
        }),
      ],
    },
    {
      title: 'What operators do',
      panels: [
        chart({
          title: 'Changes by the admin API',
          queries: [
            { expr: perSecond('authplane_resource_server_ops_total', { by: ['op'] }), legend: 'resource: {{op}}' },
            {
              expr: perSecond('authplane_allowlist_ops_total', { by: ['op'] }),
              legend: 'list of who may exchange: {{op}}',
            },
            {
              expr: perSecond('authplane_xaa_idp_operations_total', { by: ['operation'] }),
              legend: 'identity provider: {{operation}}',
            },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Requests to the admin API',
          queries: [
            {
              expr: most(10, perSecond('authserver_http_requests_total', { by: ['path'], where: 'path=~"/admin/.*"' })),
              legend: '{{path}}',
            },
          ],
          unit: 'reqps',
        }),
      ],
    },
  ],
});
