import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBuckets, paceOf } from './buckets.ts';

const clocked = (budget: { ratePerSecond: number; burst: number }, most = 1000) => {
  const clock = { ms: 1_000_000 };
  const buckets = createBuckets(paceOf(budget), most, () => clock.ms);
  return { clock, ...buckets };
};

test('a full bucket gives its burst and then its rate', () => {
  const { clock, take } = clocked({ ratePerSecond: 10, burst: 5 });
  assert.deepEqual(
    Array.from({ length: 6 }, () => take('a', 1).allowed),
    [true, true, true, true, true, false],
  );
  clock.ms += 99;
  assert.equal(take('a', 1).allowed, false);
  clock.ms += 1;
  assert.equal(take('a', 1).allowed, true);
  assert.equal(take('a', 1).allowed, false);
  clock.ms += 10_000;
  assert.equal(take('a', 5).allowed, true, 'it never holds more than the burst');
  assert.equal(take('a', 1).allowed, false);
});

test('what is left, when it is whole again, and how long to wait', () => {
  const { clock, take } = clocked({ ratePerSecond: 2, burst: 4 });
  assert.deepEqual(take('a', 1), { allowed: true, limit: 4, remaining: 3, resetSeconds: 1, retryAfterSeconds: 0 });
  assert.deepEqual(take('a', 3), { allowed: true, limit: 4, remaining: 0, resetSeconds: 2, retryAfterSeconds: 0 });
  assert.deepEqual(take('a', 4), { allowed: false, limit: 4, remaining: 0, resetSeconds: 2, retryAfterSeconds: 2 });
  clock.ms += 1_999;
  assert.deepEqual(take('a', 4), { allowed: false, limit: 4, remaining: 3, resetSeconds: 1, retryAfterSeconds: 1 });
  clock.ms += 1;
  assert.equal(take('a', 4).allowed, true);
});

test('a refusal costs nothing', () => {
  const { clock, take } = clocked({ ratePerSecond: 1, burst: 1 });
  take('a', 1);
  for (let count = 0; count < 100; count += 1) assert.equal(take('a', 1).allowed, false);
  clock.ms += 1_000;
  assert.equal(take('a', 1).allowed, true);
});

test('keys do not share', () => {
  const { take } = clocked({ ratePerSecond: 1, burst: 1 });
  assert.equal(take('a', 1).allowed, true);
  assert.equal(take('b', 1).allowed, true);
});

test('rates that do not divide evenly still give the whole burst', () => {
  for (const ratePerSecond of [0.1, 0.3, 3, 7, 99.9]) {
    const { take } = clocked({ ratePerSecond, burst: 50 });
    const allowed = Array.from({ length: 60 }, () => take('a', 1).allowed).filter(Boolean).length;
    assert.equal(allowed, 50, String(ratePerSecond));
  }
});

test('forgetting idle buckets changes no decision', () => {
  // The same walk with a table that may not forget anything, one key at a time.
  const budget = { ratePerSecond: 5, burst: 10 };
  const one = clocked(budget);
  const reference = { tokens: 10, at: one.clock.ms };
  for (let step = 0; step < 5_000; step += 1) {
    one.clock.ms += (step * 7919) % 700;
    one.take(`other ${step}`, 1);
    reference.tokens = Math.min(10, reference.tokens + ((one.clock.ms - reference.at) * 5) / 1000);
    reference.at = one.clock.ms;
    const expected = reference.tokens >= 1 - 1e-6;
    if (expected) reference.tokens -= 1;
    assert.equal(one.take('a', 1).allowed, expected, `step ${step}`);
  }
  assert.ok(one.size() < 50, `${one.size()} buckets are kept`);
});

test('a flood of keys does not grow the memory', () => {
  const { take, size } = clocked({ ratePerSecond: 0.001, burst: 10 }, 100);
  for (let count = 0; count < 10_000; count += 1) take(`key ${count}`, 1);
  assert.ok(size() <= 200, String(size()));
});
