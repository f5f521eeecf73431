import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { createDoor } from './door.ts';

/** A connection that has a name, and knows whether it was closed. */
const connection = (name: string) => {
  const it = { name, destroyed: false, destroy: () => Object.assign(it, { destroyed: true }) };
  return it as unknown as Socket & { name: string };
};
/** Notes what it is handed, and has it at once unless it hangs. */
const receiver = () => {
  let hanging: PromiseWithResolvers<void> | undefined;
  const got: string[] = [];
  return {
    got,
    hang: () => {
      hanging = Promise.withResolvers();
    },
    goOn: () => hanging?.resolve(),
    async take(each: Socket) {
      got.push((each as Socket & { name: string }).name);
      await hanging?.promise;
    },
  };
};
const names = ['a', 'b', 'c', 'd', 'e'] as const;

test('connections are handed out in turn, however many come at once', async () => {
  const door = createDoor();
  const [one, two] = [receiver(), receiver()];
  door.admit(two);
  door.admit(one);
  for (const name of names) door.pass(connection(name));
  await door.settled();
  assert.deepEqual(
    [one.got, two.got],
    [
      ['a', 'c', 'e'],
      ['b', 'd'],
    ],
  );
});

test('what waits for one that is dismissed goes to the others', async () => {
  const door = createDoor();
  const [one, two] = [receiver(), receiver()];
  door.admit(two);
  door.admit(one);
  one.hang();
  for (const name of names) door.pass(connection(name));
  assert.deepEqual(one.got, ['a'], 'one in hand at a time');
  door.dismiss(one);
  door.dismiss(one);
  await door.settled();
  assert.deepEqual([one.got, two.got], [['a'], ['b', 'd', 'c', 'e']]);
  one.goOn();
});

test('one that does not answer is passed over until it does', async () => {
  const door = createDoor();
  const [one, two] = [receiver(), receiver()];
  door.admit(two);
  door.admit(one);
  one.hang();
  for (const name of names) door.pass(connection(name));
  await pause(1_200);
  for (const name of ['f', 'g']) door.pass(connection(name));
  await pause(0);
  assert.deepEqual([one.got, two.got], [['a'], ['b', 'd', 'c', 'e', 'f', 'g']]);
  one.goOn();
  await door.settled();
  for (const name of ['h', 'i']) door.pass(connection(name));
  await door.settled();
  assert.deepEqual(one.got.length, 2);
});

test('where nobody serves a connection is closed, and where only one is left it waits for that one', async () => {
  const door = createDoor();
  const refused = connection('refused');
  door.pass(refused);
  assert.ok(refused.destroyed);
  const one = receiver();
  one.hang();
  door.admit(one);
  for (const name of names) door.pass(connection(name));
  await pause(1_200);
  assert.deepEqual(one.got, ['a']);
  one.goOn();
  await door.settled();
  assert.deepEqual(one.got, [...names]);
});

test('the end waits a second for one that does not answer', async () => {
  const door = createDoor();
  const one = receiver();
  one.hang();
  door.admit(one);
  door.pass(connection('a'));
  const alive = setInterval(() => {}, 1_000);
  const began = performance.now();
  await door.settled();
  clearInterval(alive);
  assert.ok(performance.now() - began < 3_000);
  one.goOn();
});
