import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { endOfTurn } from './turn.ts';

test('whoever waits for the end of one turn goes on before anything follows for any of them', async () => {
  const steps: string[] = [];
  const request = async (name: string): Promise<void> => {
    await endOfTurn();
    steps.push(`${name} signs`);
    await undefined;
    steps.push(`${name} answers`);
  };
  await Promise.all([request('a'), request('b'), request('c')]);
  assert.deepEqual(steps, ['a signs', 'b signs', 'c signs', 'a answers', 'b answers', 'c answers']);
});

test('each goes on in its own context, and what one throws is its own', async () => {
  const context = new AsyncLocalStorage<string>();
  const request = (name: string): Promise<string | undefined> =>
    context.run(name, async () => {
      await endOfTurn();
      if (name === 'b') throw new Error(name);
      return context.getStore();
    });
  const results = await Promise.allSettled(['a', 'b', 'c'].map(request));
  assert.deepEqual(
    results.map((result) => (result.status === 'fulfilled' ? result.value : 'failed')),
    ['a', 'failed', 'c'],
  );
});

test('a turn is a new one each time', async () => {
  const first = endOfTurn();
  assert.equal(endOfTurn(), first);
  await nextTurn();
  assert.notEqual(endOfTurn(), first);
  await endOfTurn();
});
