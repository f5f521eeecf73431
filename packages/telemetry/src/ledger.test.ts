import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetricsLedger } from './ledger.ts';
import { createMetrics } from './metrics.ts';
import { toOpenMetrics } from './openmetrics.ts';
import { continueSpan, type Span } from './spans.ts';

/** The value of a series in the text of all processes. */
const valueIn = (text: string, series: string): number | undefined => {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
};
const refreshed = 'authserver_tokens_refreshed_total';

/** A process that counted `tokens`, and saw `clients`. */
const processWith = ({ tokens, clients }: { tokens: number; clients: number }) => {
  const metrics = createMetrics();
  metrics.tokensRefreshed.inc(tokens);
  for (let n = 0; n < tokens; n += 1) metrics.introspectionDuration.observe(0.003);
  metrics.activeClients.set(clients);
  return metrics.snapshot();
};

test('counters and histograms are summed, a gauge of the database is not', async () => {
  const ledger = createMetricsLedger();
  const [own, one, other] = await Promise.all([
    processWith({ tokens: 1, clients: 0 }),
    processWith({ tokens: 2, clients: 7 }),
    processWith({ tokens: 4, clients: 7 }),
  ]);
  const text = await ledger.sum(own, [one, other]).metrics();
  assert.equal(valueIn(text, refreshed), 7);
  assert.equal(valueIn(text, 'authserver_introspection_duration_seconds_count'), 7);
  assert.equal(valueIn(text, 'authserver_introspection_duration_seconds_bucket{le="0.005"}'), 7);
  assert.equal(valueIn(text, 'authserver_introspection_duration_seconds_bucket{le="0.001"}'), 0);
  assert.equal(valueIn(text, 'authserver_active_clients'), 7);
  const mine = valueIn(await ledger.sum(own, []).metrics(), 'process_start_time_seconds');
  assert.equal(valueIn(text, 'process_start_time_seconds'), mine, 'the start of the process that is asked');
});

test('processes that go at the same moment are each counted once', async () => {
  const ledger = createMetricsLedger();
  const own = await processWith({ tokens: 0, clients: 0 });
  const gone = await processWith({ tokens: 2, clients: 0 });
  for (let n = 0; n < 20; n += 1) ledger.bury(gone);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(valueIn(await ledger.sum(own, []).metrics(), refreshed), 40);
});

test('what a process counted stays when it has gone, however many go, and its gauges do not', async () => {
  const ledger = createMetricsLedger();
  const own = await processWith({ tokens: 1, clients: 0 });
  for (let gone = 1; gone <= 30; gone += 1) {
    ledger.bury(await processWith({ tokens: 2, clients: 9 }));
    const text = await ledger.sum(own, []).metrics();
    assert.equal(valueIn(text, refreshed), 1 + 2 * gone);
    assert.equal(valueIn(text, 'authserver_introspection_duration_seconds_count'), 1 + 2 * gone);
    assert.equal(valueIn(text, 'authserver_active_clients'), 0);
  }
});

test('of several processes the latest trace of a bucket is named, and only where it was recorded', async () => {
  const processIn = (traceId?: string) => {
    const metrics = createMetrics();
    const observe = () => metrics.introspectionDuration.observe(0.003);
    if (traceId === undefined) observe();
    else continueSpan({ traceId, isOver: false } as Span, observe);
    return metrics.snapshot();
  };
  const own = await processIn();
  const first = await processIn('a'.repeat(32));
  await new Promise((resolve) => setTimeout(resolve, 5));
  const second = await processIn('b'.repeat(32));
  const sum = createMetricsLedger().sum(own, [second, first]);
  const text = toOpenMetrics(await sum.getMetricsAsJSON());
  const bucket =
    /^authserver_introspection_duration_seconds_bucket\{le="0\.005"\} 3 # \{trace_id="(\w+)"\} 0\.003 [\d.]+$/m;
  assert.equal(bucket.exec(text)?.[1], 'b'.repeat(32));
  assert.equal(text.match(/# \{/g)?.length, 1);
  assert.doesNotMatch(await sum.metrics(), /# \{/, 'Prometheus text has no place for it');
});
