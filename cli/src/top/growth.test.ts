import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reading } from './exposition.ts';
import { type Growth, grow, growthSince } from './growth.ts';

const reading = (values: Record<string, number>): Reading =>
  new Map(Object.entries(values).map(([name, value]) => [name, { name, labels: {}, value }]));
const numbers = (growth: Growth) => Object.fromEntries([...growth].map(([series, { value }]) => [series, value]));
const none: Growth = new Map();

const cases: {
  what: string;
  before: Record<string, number>;
  now: Record<string, number>;
  isAnother?: boolean;
  grown: Record<string, number>;
}[] = [
  { what: 'an increase', before: { a: 3 }, now: { a: 5 }, grown: { a: 2 } },
  { what: 'nothing', before: { a: 3 }, now: { a: 3 }, grown: { a: 0 } },
  { what: 'a series that was not there', before: {}, now: { a: 4 }, grown: { a: 4 } },
  { what: 'a counter that began anew', before: { a: 3, b: 1 }, now: { a: 2, b: 4 }, grown: { a: 2, b: 3 } },
  {
    what: 'another process, which has counted further already',
    before: { a: 3 },
    now: { a: 9 },
    isAnother: true,
    grown: { a: 9 },
  },
  { what: 'a series that is gone', before: { a: 3 }, now: {}, grown: {} },
];
for (const { what, before, now, isAnother = false, grown } of cases)
  test(`growth: ${what}`, () => {
    assert.deepEqual(numbers(grow(none, reading(before), reading(now), isAnother)), grown);
  });

test('growth adds up, never gets less, and is known since any moment', () => {
  const first = grow(none, reading({ a: 1 }), reading({ a: 4 }), false);
  const second = grow(first, reading({ a: 4 }), reading({ a: 1, b: 2 }), false);
  assert.deepEqual(numbers(second), { a: 4, b: 2 });
  assert.deepEqual(
    growthSince(second, first).map(({ name, value }) => [name, value]),
    [
      ['a', 1],
      ['b', 2],
    ],
  );
  assert.deepEqual(
    growthSince(second).map(({ value }) => value),
    [4, 2],
  );
});
