import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBreaker } from './breaker.ts';
import { VaultError, type VaultFailure } from './errors.ts';

const setUp = () => {
  const state = { now: 0, asked: 0 };
  const breaker = createBreaker(() => state.now);
  const ask = (outcome?: VaultFailure) =>
    breaker
      .run('p', async () => {
        state.asked += 1;
        if (outcome) throw new VaultError(outcome, outcome);
        return 'good';
      })
      .catch((error: VaultError) => error.message);
  const lose = async () => {
    for (let n = 0; n < 5; n += 1) await ask('unavailable');
  };
  return { state, breaker, ask, lose };
};

test('after five failures in a row nobody asks for a while', async () => {
  const { state, ask, lose } = setUp();
  await lose();
  assert.equal(await ask(), 'Vault: p: not asked, because Vault did not answer just now');
  assert.equal(state.asked, 5);
  state.now += 251;
  assert.equal(await ask(), 'good');
  assert.equal(await ask(), 'good');
});

test('one of many finds out whether it is back, and each failure makes the pause longer, to a limit', async () => {
  const { state, ask, breaker, lose } = setUp();
  await lose();
  for (const pauseMs of [250, 500, 1000, 2000, 4000, 4000]) {
    state.now += pauseMs - 1;
    assert.match(await ask(), /not asked/);
    state.now += 1;
    const { promise, reject } = Promise.withResolvers<string>();
    const probe = breaker.run('p', () => promise).catch(() => 'lost');
    assert.match(await ask(), /not asked/); // while it is under way
    reject(new VaultError('unavailable', 'still'));
    assert.equal(await probe, 'lost');
  }
});

test('a refusal is an answer: it neither opens the breaker nor keeps it open', async () => {
  const { ask, lose, state } = setUp();
  for (let n = 0; n < 20; n += 1) assert.equal(await ask(n % 2 ? 'denied' : 'refused'), n % 2 ? 'denied' : 'refused');
  await lose();
  state.now += 251;
  assert.equal(await ask('refused'), 'refused');
  assert.equal(await ask(), 'good');
});

test('failures that are not in a row do not add up', async () => {
  const { ask } = setUp();
  for (let n = 0; n < 20; n += 1)
    assert.equal(await ask(n % 4 === 3 ? undefined : 'unavailable'), n % 4 === 3 ? 'good' : 'unavailable');
});
