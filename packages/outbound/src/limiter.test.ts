import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLimiter, Overloaded } from './limiter.ts';

test('so many at once, a few wait, the rest is turned away', async () => {
  const limiter = createLimiter({ inFlight: 2, waiting: 1, waitMs: 1000 });
  let running = 0;
  let most = 0;
  const work = () =>
    limiter.run(async () => {
      running += 1;
      most = Math.max(most, running);
      await sleep(20);
      running -= 1;
    });
  const outcomes = await Promise.allSettled([work(), work(), work(), work()]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected'],
  );
  assert.equal(most, 2);
  await work(); // and there is room again
});

test('nobody waits for longer than that', async () => {
  const limiter = createLimiter({ inFlight: 1, waiting: 5, waitMs: 20 });
  const long = limiter.run(() => sleep(200));
  await assert.rejects(
    limiter.run(async () => {}),
    Overloaded,
  );
  await long;
  await limiter.run(async () => {});
});

test('work that fails makes room as well', async () => {
  const limiter = createLimiter({ inFlight: 1, waiting: 1, waitMs: 1000 });
  await assert.rejects(
    limiter.run(() => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.equal(await limiter.run(async () => 'yes'), 'yes');
});
