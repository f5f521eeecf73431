import { version } from '../version.ts';
import { counter, gauge, histogram, type MetricSpecs } from './spec.ts';

/** The process itself; `process_*` and `nodejs_*` of prom-client stand beside it. */
export const processMetrics = {
  buildInfo: gauge('authserver_build_info', 'Always 1; its label is the release that runs.', { version: [version] }),
  eventLoopActive: counter(
    'authserver_event_loop_active_seconds_total',
    'Time the event loop was at work. Its rate is the share of one core that is used, added up over workers.',
    {},
  ),
  eventLoopIdle: counter(
    'authserver_event_loop_idle_seconds_total',
    'Time the event loop waited for something to do. The rate of work through that of both is the utilization.',
    {},
  ),
  eventLoopDelay: histogram(
    'authserver_event_loop_delay_seconds',
    'How late a timer fired that is set ten times a second: what everything that waits its turn waits at least.',
    {},
  ),
  telemetryDropped: counter(
    'authserver_telemetry_dropped_total',
    'Spans, records of the log and pushes of metrics that were lost on their way to a collector: too many waited, or it did not take them.',
    { signal: ['traces', 'logs', 'metrics'], reason: ['queue_full', 'not_taken'] },
  ),
  workerRestarts: counter(
    'authserver_worker_restarts_total',
    'Workers that ended without having been told to, and were started again.',
    {},
  ),
} satisfies MetricSpecs;
