import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBudget } from './budget.ts';

test('a bucket is drawn from until it is empty, and fills again with time', () => {
  const take = createBudget({ ratePerSecond: 1, burst: 2, maxKeys: 10 });
  assert.deepEqual(
    [0, 0, 0, 999, 1000, 1001, 60_000, 60_000, 60_000].map((at) => take('a', at)),
    [true, true, false, false, true, false, true, true, false],
  );
});

test('of more keys than have a place the one goes that nobody drew from for longest', () => {
  const take = createBudget({ ratePerSecond: 0.001, burst: 1, maxKeys: 2 });
  for (const [key, isAllowed] of [
    ['a', true],
    ['b', true],
    ['b', false],
    ['a', false],
    ['c', true], // in the place of b
    ['a', false],
    ['b', true],
    ['b', false],
    ['a', false],
  ] as const)
    assert.equal(take(key, 0), isAllowed, key);
});
