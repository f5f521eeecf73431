import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Bound, bounds, catalogue, chapters, createMetrics, type MetricSpec } from '@authserver/telemetry';
import { readSourceFiles, root } from '../support/source-files.ts';

const metrics = Object.entries<MetricSpec>(catalogue);

test('every chapter of the page is in the catalogue, and no key is in two of them', () => {
  const keys = chapters.flatMap((chapter) => Object.keys(chapter.metrics));
  assert.deepEqual(keys.toSorted(), metrics.map(([key]) => key).toSorted());
});

test('names are legal, ours, and end in their unit (Prometheus naming)', () => {
  assert.equal(new Set(metrics.map(([, { name }]) => name)).size, metrics.length, 'a name occurs twice');
  for (const [, { name, type, help }] of metrics) {
    assert.match(name, /^(authserver|authplane)_[a-z][a-z0-9_]*[a-z0-9]$/);
    assert.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
    if (type === 'histogram') assert.match(name, /_(seconds|size)$/);
    assert.match(help, /^[A-Z].*\.$/, `${name}: help is a sentence`);
  }
});

test('labels are legal, closed or bounded, and never carry who it was', () => {
  for (const [, { name, labels }] of metrics)
    for (const [label, values] of Object.entries<readonly string[] | Bound>(labels)) {
      assert.match(label, /^[a-z][a-z_]*$/, name);
      assert.ok(!['le', 'quantile', 'job', 'instance'].includes(label), `${name}: ${label} belongs to Prometheus`);
      assert.doesNotMatch(label, /(_id$|^id$|client|user|sub|ip|email|address)/, `${name}: ${label}`);
      if (typeof values === 'string') {
        assert.ok(values in bounds, name);
        continue;
      }
      assert.ok(values.length > 0, name);
      assert.equal(new Set(values).size, values.length, `${name}: ${label} repeats a value`);
    }
});

test('every metric is on the documentation page, with its labels, and no other is', () => {
  const page = readFileSync(join(root, 'docs/metrics.md'), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  for (const [, { name, help, labels }] of metrics) {
    const row = rows.find((line) => line.startsWith(`| \`${name}\` |`));
    assert.ok(row, `${name} is not in docs/metrics.md; run npm run generate`);
    assert.ok(row.includes(help), `${name} is described otherwise`);
    for (const label of Object.keys(labels)) assert.ok(row.includes(`\`${label}\``), `${name}: ${label}`);
  }
  assert.equal(rows.length, metrics.length);
});

test('every metric is exposed from the start, with every series that can be named in advance', async () => {
  const { contentType, body } = await createMetrics().render();
  assert.match(contentType, /^text\/plain; version=0\.0\.4/);
  for (const [, { name, type, labels }] of metrics) {
    assert.ok(body.includes(`# TYPE ${name} ${type}\n`), name);
    const values = Object.values<readonly string[] | Bound>(labels);
    if (type === 'gauge' || values.some((value) => typeof value === 'string')) continue;
    const series = values.reduce((product, each) => product * each.length, 1);
    const first = `${name}${type === 'histogram' ? '_count' : ''}`;
    assert.equal(body.split('\n').filter((line) => line.split(/[ {]/, 1)[0] === first).length, series, name);
  }
});

test('every metric is counted somewhere, unless it says that its feature is still to come', () => {
  const sources = readSourceFiles()
    .filter(({ path }) => /^(packages|services|cli)\//.test(path) && !path.endsWith('.test.ts'))
    .map(({ text }) => text)
    .join('\n');
  for (const [key, { name, type, planned }] of metrics) {
    const verb = { counter: '(inc|under)', histogram: '(observe|under)', gauge: '(set|collectWith)' }[type];
    const isCounted = new RegExp(`\\b${key}\\.${verb}\\(`).test(sources);
    if (planned) assert.ok(!isCounted, `${name} is counted: its declaration is not planned any more`);
    else assert.ok(isCounted, `${name} is declared and never counted`);
  }
});
