import { counter, histogram, type MetricSpecs } from './spec.ts';

const requestLabels = {
  method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'],
  path: 'route',
  status: 'status',
} as const;

/** Requests as such, and what operators change by them. */
export const httpMetrics = {
  httpRequests: counter('authserver_http_requests_total', 'HTTP requests.', requestLabels),
  httpDuration: histogram('authserver_http_request_duration_seconds', 'HTTP request latency.', requestLabels),
  resourceServerOps: counter('authplane_resource_server_ops_total', 'Changes to resources by the admin API.', {
    op: ['create', 'update', 'delete'],
  }),
  allowlistOps: counter(
    'authplane_allowlist_ops_total',
    'Clients put on and taken off the lists of who may exchange tokens of others for a resource.',
    { op: ['add', 'remove'] },
  ),
} satisfies MetricSpecs;
