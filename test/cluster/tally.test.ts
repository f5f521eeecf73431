import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTally, percentiles } from './tally.ts';

test('percentiles of few values are among them, whatever their order', () => {
  assert.deepEqual(percentiles([3, 1, 2]), { p50: 2, p99: 3, longest: 3 });
  assert.deepEqual(percentiles([7]), { p50: 7, p99: 7, longest: 7 });
  assert.ok(Number.isNaN(percentiles([]).p99));
});

test('what went through the balancer and failed is counted apart from questions to one pod', () => {
  const tally = createTally();
  tally.count('machine', '200', 5);
  tally.count('machine', '401', 5);
  tally.count('machine', 'unreachable', 5);
  tally.count('machine', '503', 9, 'token-1');
  assert.deepEqual(tally.totals(), { requests: 4, balanced: 3, failed: 1 });
  assert.deepEqual(tally.refusals(), { count: 1, p50: 9, p99: 9, longest: 9 });
  assert.deepEqual(tally.rows()[0]?.outcomes, { 200: 1, 401: 1, unreachable: 1, 503: 1 });
});
