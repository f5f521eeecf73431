import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricsSnapshot } from './ledger.ts';
import { createMetrics } from './metrics.ts';
import { toOpenMetrics } from './openmetrics.ts';

const metric = (type: string, name: string, values: object[]) =>
  ({ name, help: 'Says "what" it\\is.\n', type, values, aggregator: 'sum' }) as unknown as MetricsSnapshot[number];

test('families are named without the suffix of their samples, and texts are escaped (OpenMetrics 1.0)', () => {
  const text = toOpenMetrics([
    metric('counter', 'a_total', [{ labels: { b: 'x"\\\n' }, value: 2 }]),
    metric('gauge', 'g', [
      { labels: {}, value: Number.POSITIVE_INFINITY },
      { labels: { a: 1 }, value: Number.NaN },
    ]),
  ]);
  const help = 'Says \\"what\\" it\\\\is.\\n';
  assert.equal(
    text,
    `# TYPE a counter\n# HELP a ${help}\na_total{b="x\\"\\\\\\n"} 2\n# TYPE g gauge\n# HELP g ${help}\ng +Inf\ng{a="1"} NaN\n# EOF\n`,
  );
});

test('an exemplar stands behind its bucket', () => {
  const exemplar = { traceId: 'ab'.repeat(16), value: 0.004, atSeconds: 1_700_000_000.5 };
  const values = [{ labels: { le: 0.005 }, value: 1, metricName: 'h_bucket', exemplar }];
  assert.match(
    toOpenMetrics([metric('histogram', 'h', values)]),
    /^h_bucket\{le="0\.005"\} 1 # \{trace_id="(ab){16}"\} 0\.004 1700000000\.500$/m,
  );
});

test('both texts have the same series', async () => {
  const metrics = createMetrics();
  metrics.introspectionDuration.observe(0.003);
  const series = ({ body }: { body: string }) =>
    body
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.slice(0, line.lastIndexOf(' ')))
      .sort();
  const [prometheus, openmetrics] = [await metrics.render(), await metrics.render('openmetrics')];
  assert.match(openmetrics.contentType, /^application\/openmetrics-text; version=1\.0\.0/);
  assert.deepEqual(series(openmetrics), series(prometheus));
  assert.deepEqual(series(await metrics.render()), series(prometheus), 'one does not change the other');
});
