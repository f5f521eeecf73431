import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from './load.ts';

const problemsOf = (settings: Record<string, string>): string => {
  const env = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`AUTHPLANE_${name}`, value]));
  try {
    loadConfig({ env });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

const cases: [what: string, settings: Record<string, string>, problem: RegExp][] = [
  ['tracing without an endpoint', { TRACING_ENABLED: 'true' }, /tracing.endpoint: is required/],
  ['an endpoint without tracing', { TRACING_ENDPOINT: 'collector:4317' }, /^$/],
  ['gRPC', { TRACING_ENABLED: 'true', TRACING_ENDPOINT: 'collector:4317' }, /^$/],
  ['gRPC by its scheme', { TRACING_ENABLED: 'true', TRACING_ENDPOINT: 'grpc://collector:4317' }, /^$/],
  ['an IPv6 address', { TRACING_ENABLED: 'true', TRACING_ENDPOINT: '[::1]:4317' }, /^$/],
  ['HTTP', { TRACING_ENABLED: 'true', TRACING_ENDPOINT: 'https://collector/otlp' }, /^$/],
  ['HTTP in the clear', { TRACING_ENDPOINT: 'http://collector:4318', TRACING_INSECURE: 'true' }, /^$/],
  ['HTTP in the clear by mistake', { TRACING_ENDPOINT: 'http://collector:4318' }, /tracing.insecure: must be true/],
  ['no port', { TRACING_ENDPOINT: 'collector' }, /tracing.endpoint: expected host:port/],
  ['a key in the endpoint', { TRACING_ENDPOINT: 'https://key@collector' }, /tracing.endpoint: expected/],
  ['a key in the query', { TRACING_ENDPOINT: 'https://collector/?key=hunter2' }, /tracing.endpoint: expected/],
  ['another scheme', { TRACING_ENDPOINT: 'ftp://collector:21' }, /tracing.endpoint: expected/],
  ['metrics pushed without an endpoint', { METRICS_PROVIDER: 'otel' }, /metrics.otel_endpoint: is required/],
  ['both without an endpoint', { METRICS_PROVIDER: 'both' }, /metrics.otel_endpoint: is required .*provider is both/],
  ['metrics pushed', { METRICS_PROVIDER: 'both', METRICS_OTEL_ENDPOINT: 'collector:4317' }, /^$/],
  ['an endpoint that waits for its provider', { METRICS_OTEL_ENDPOINT: 'collector:4317' }, /^$/],
  ['metrics in the clear by mistake', { METRICS_OTEL_ENDPOINT: 'http://c:4318' }, /metrics.insecure: must be true/],
  ['a key in the place of metrics', { METRICS_OTEL_ENDPOINT: 'c:4317?key=hunter2' }, /metrics.otel_endpoint: expected/],
  ['OTLP logs', { LOG_OTEL: 'true', LOG_OTEL_ENDPOINT: 'collector:4317' }, /^$/],
  ['OTLP logs without an endpoint', { LOG_OTEL: 'true' }, /outputs.otel_endpoint: is required/],
  ['OTLP logs in the clear', { LOG_OTEL_ENDPOINT: 'http://collector' }, /outputs.insecure: must be true/],
  ['a rate above 1', { TRACING_SAMPLE_RATE: '1.5' }, /tracing.sample_rate/],
];
for (const [what, settings, problem] of cases)
  test(`${what}: ${problem.source === '^$' ? 'accepted' : problem.source}`, () => {
    const found = problemsOf(settings);
    assert.match(found, problem);
    assert.doesNotMatch(found, /hunter2/);
  });
