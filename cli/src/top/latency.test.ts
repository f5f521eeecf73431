import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantile } from './latency.ts';

const buckets = (counts: Record<string, number>) =>
  Object.entries(counts).map(([le, value]) => ({ name: 'seconds_bucket', labels: { le }, value }));

const cases: [string, number, Record<string, number>, number | undefined][] = [
  ['nothing observed', 0.5, { 0.1: 0, '+Inf': 0 }, undefined],
  ['no histogram', 0.5, {}, undefined],
  ['the middle of the first bucket', 0.5, { 0.1: 10, '+Inf': 10 }, 0.05],
  ['within a later bucket', 0.5, { 0.1: 0, 0.3: 10, '+Inf': 10 }, 0.2],
  ['at a bound', 0.5, { 0.1: 5, 0.3: 10, '+Inf': 10 }, 0.1],
  ['an empty bucket between', 0.99, { 0.1: 90, 0.2: 90, 0.4: 100, '+Inf': 100 }, 0.38],
  ['beyond the last bound', 0.99, { 0.1: 1, 10: 2, '+Inf': 100 }, 10],
];
for (const [what, q, counts, expected] of cases)
  test(`quantile: ${what}`, () => {
    const found = quantile(q, buckets(counts));
    if (expected === undefined) assert.equal(found, undefined);
    else assert.ok(Math.abs((found ?? Number.NaN) - expected) < 1e-9, String(found));
  });

test('several series are one histogram', () => {
  const both = [...buckets({ 0.1: 10, 0.2: 10, '+Inf': 10 }), ...buckets({ 0.1: 0, 0.2: 10, '+Inf': 10 })];
  assert.equal(quantile(0.5, both), 0.1);
});
