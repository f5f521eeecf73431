import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRandom } from './random.ts';

const draws = (seed: number) => {
  const random = createRandom(seed);
  return Array.from({ length: 50 }, () => random.integer(1, 1_000_000));
};

test('a seed makes the same choices again, another one others', () => {
  assert.deepEqual(draws(7), draws(7));
  assert.notDeepEqual(draws(7), draws(8));
});

test('what one concern draws does not move another', () => {
  const [one, other] = [createRandom(7), createRandom(7)];
  one.fork('traffic').next();
  one.next();
  assert.equal(one.fork('faults').next(), other.fork('faults').next());
});

test('numbers stay within their bounds and reach both', () => {
  const random = createRandom(1);
  const drawn = new Set(Array.from({ length: 200 }, () => random.integer(3, 5)));
  assert.deepEqual([...drawn].sort(), [3, 4, 5]);
});

test('weights decide how often something is picked', () => {
  const random = createRandom(1);
  const picked = Array.from({ length: 1_000 }, () => random.weighted({ never: 0, seldom: 1, often: 9 }));
  assert.equal(picked.filter((name) => name === 'never').length, 0);
  const often = picked.filter((name) => name === 'often').length;
  assert.ok(often > 850 && often < 950, String(often));
});
