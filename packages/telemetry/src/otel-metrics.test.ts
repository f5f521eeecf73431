import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';
import { toMetricData } from './otel-metrics.ts';

const times = { startTime: [1, 0] as [number, number], endTime: [2, 0] as [number, number] };

/** A metric of a process that did `work`, as it would be sent. */
const sent = async (name: string, work: (metrics: ReturnType<typeof createMetrics>) => void) => {
  const metrics = createMetrics();
  work(metrics);
  const metric = (await metrics.snapshot()).find((one) => one.name === name);
  assert.ok(metric, name);
  return toMetricData(metric, times);
};

test('a counter is a cumulative sum that only grows', async () => {
  const data = await sent('authserver_introspection_total', (metrics) =>
    metrics.introspections.inc({ active: 'true' }, 3),
  );
  assert.deepEqual(data, {
    descriptor: {
      name: 'authserver_introspection_total',
      description: 'Introspection answers.',
      unit: '',
      valueType: 1,
    },
    ...{ aggregationTemporality: 1, dataPointType: 3, isMonotonic: true },
    dataPoints: [
      { ...times, attributes: { active: 'true' }, value: 3 },
      { ...times, attributes: { active: 'false' }, value: 0 },
    ],
  });
});

test('a gauge is a gauge', async () => {
  const data = await sent('authserver_active_clients', (metrics) => metrics.activeClients.set(7));
  assert.deepEqual([data.dataPointType, data.dataPoints], [2, [{ ...times, attributes: {}, value: 7 }]]);
});

test('buckets that hold those below them become buckets that do not, one more than there are bounds', async () => {
  const data = await sent('authserver_encrypt_duration_seconds', (metrics) => {
    for (const seconds of [0.001, 0.002, 0.003, 99])
      metrics.encryptDuration.observe({ driver: 'aes_master', operation: 'encrypt' }, seconds);
    metrics.encryptDuration.observe({ driver: 'aes_master', operation: 'decrypt' }, 0.2);
  });
  assert.deepEqual([data.descriptor.unit, data.dataPointType], ['s', 0]);
  const of = (operation: string) =>
    data.dataPoints.find(({ attributes }) => attributes.driver === 'aes_master' && attributes.operation === operation)
      ?.value;
  const boundaries = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
  assert.deepEqual(of('encrypt'), {
    buckets: { boundaries, counts: [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] },
    ...{ sum: 99.006, count: 4 },
  });
  assert.deepEqual(of('decrypt'), {
    buckets: { boundaries, counts: [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] },
    ...{ sum: 0.2, count: 1 },
  });
});
