import assert from 'node:assert/strict';
import { test } from 'node:test';
import client from 'prom-client';
import { createCounter, createHistogram } from './counted.ts';

const buckets = [0.001, 0.5, 2];
const values = [0, 0.001, 0.0011, 0.5, 2, 2.5, -1, 7e-7];

/** The text and the data of one metric. */
const exposed = async (metric: unknown) => {
  const registry = new client.Registry();
  registry.registerMetric(metric as client.Counter);
  return { text: await registry.metrics(), data: await registry.getMetricsAsJSON() };
};

const withoutExemplars = (data: Awaited<ReturnType<typeof exposed>>['data']) =>
  data.map((metric) => ({
    ...metric,
    values: metric.values.map(({ exemplar: _, ...value }: Record<string, unknown>) => value),
  }));

for (const labelNames of [[], ['path'], ['method', 'path', 'status']])
  test(`with ${labelNames.length} labels they say to the letter what those of prom-client say`, async () => {
    const declared = { name: 'a_metric', help: 'What it is "about" \\ and a\nsecond line.', labelNames, registers: [] };
    const cases = ['/b', 'GET', '/a"\\\n', '', '/b'].map((value) =>
      Object.fromEntries(labelNames.map((name, at) => [name, `${value}${at}`])),
    );
    const counters = [createCounter(declared), new client.Counter(declared)];
    const histograms = [
      createHistogram(declared, buckets),
      new client.Histogram({ ...declared, buckets: [...buckets] }),
    ];
    for (const labels of cases)
      for (const value of values) {
        const args = labelNames.length > 0 ? [labels] : [];
        for (const histogram of histograms) (histogram.observe as (...all: unknown[]) => void)(...args, value);
        for (const counter of counters) (counter.inc as (...all: unknown[]) => void)(...args);
        for (const counter of counters) (counter.inc as (...all: unknown[]) => void)(...args, Math.abs(value));
      }
    assert.deepEqual(await exposed(counters[0]), await exposed(counters[1]));
    const [ours, theirs] = [await exposed(histograms[0]), await exposed(histograms[1])];
    assert.equal(ours.text, theirs.text);
    assert.deepEqual(ours.data, withoutExemplars(theirs.data));
  });

test('what has not been counted yet is 0 without labels, and not there with them', async () => {
  const unlabelled = { name: 'a_metric', help: 'Help.', labelNames: [] };
  for (const [ours, theirs] of [
    [createCounter(unlabelled), new client.Counter({ ...unlabelled, registers: [] })],
    [createHistogram(unlabelled, buckets), new client.Histogram({ ...unlabelled, buckets, registers: [] })],
  ])
    assert.equal((await exposed(ours)).text, (await exposed(theirs)).text);
  assert.doesNotMatch((await exposed(createCounter({ ...unlabelled, labelNames: ['a'] }))).text, /^a_metric/m);
});

test('who counts in one series again and again counts in the same', async () => {
  const counter = createCounter({ name: 'a_total', help: 'Help.', labelNames: ['a'] });
  const held = counter.under({ a: 'x' });
  held.inc();
  counter.inc({ a: 'x' }, 2);
  held.inc(4);
  assert.match((await exposed(counter)).text, /^a_total\{a="x"\} 7$/m);
  assert.throws(() => held.inc(-1), RangeError);
  const histogram = createHistogram({ name: 'a_seconds', help: 'Help.', labelNames: ['a'] }, buckets);
  histogram.under({ a: 'x' }).observe(0.1);
  histogram.observe({ a: 'x' }, 0.2);
  assert.match((await exposed(histogram)).text, /^a_seconds_count\{a="x"\} 2$/m);
  assert.throws(() => histogram.under({ a: 'x' }).observe(Number.NaN), RangeError);
});

test('a snapshot is of its moment, and what is no number is refused', async () => {
  const counter = createCounter({ name: 'a_total', help: 'Help.', labelNames: ['a'] });
  counter.inc({ a: 'x' }, 2);
  const before = await counter.get();
  counter.inc({ a: 'x' });
  assert.equal(before.values[0]?.value, 2);
  for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => counter.inc({ a: 'x' }, value), RangeError);
  const histogram = createHistogram({ name: 'a_seconds', help: 'Help.', labelNames: [] }, buckets);
  assert.throws(() => histogram.observe(Number.NaN), RangeError);
});
