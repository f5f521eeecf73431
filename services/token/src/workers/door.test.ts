import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { createDoor, type Door } from './door.ts';

/** A connection that has a name, and knows whether it was closed. */
const connection = (name: string) => {
  const it = { name, destroyed: false, destroy: () => Object.assign(it, { destroyed: true }) };
  return it as unknown as Socket & { name: string };
};
/** Notes what it is handed, and has it at once unless it hangs or has ended. */
const receiver = () => {
  let hanging: PromiseWithResolvers<void> | undefined;
  let hasEnded = false;
  const got: string[] = [];
  return {
    got,
    hang: () => {
      hanging = Promise.withResolvers();
    },
    goOn: () => hanging?.resolve(),
    end: () => {
      hasEnded = true;
      hanging?.resolve();
    },
    async take(each: Socket) {
      if (hasEnded) return false;
      got.push((each as Socket & { name: string }).name);
      await hanging?.promise;
      return true;
    },
  };
};
/** Nobody who does not hang has anything to do afterwards. */
const settled = () => pause(0);
const names = ['a', 'b', 'c', 'd', 'e'];
const passAll = (door: Door, named: readonly string[]): void => {
  for (const name of named) door.pass(connection(name));
};
/** A door with two receivers; `one` is the first in turn. */
const withTwo = () => {
  const door = createDoor();
  const [one, two] = [receiver(), receiver()];
  door.admit(two);
  door.admit(one);
  return { door, one, two };
};

test('connections are handed out in turn, however many come at once', async () => {
  const { door, one, two } = withTwo();
  passAll(door, names);
  await settled();
  assert.deepEqual(
    [one.got, two.got],
    [
      ['a', 'c', 'e'],
      ['b', 'd'],
    ],
  );
});

test('what waits for one that is dismissed goes to the others', async () => {
  const { door, one, two } = withTwo();
  one.hang();
  passAll(door, names);
  assert.deepEqual(one.got, ['a'], 'one in hand at a time');
  door.dismiss(one);
  door.dismiss(one);
  await settled();
  assert.deepEqual([one.got, two.got], [['a'], ['b', 'd', 'c', 'e']]);
  one.goOn();
});

test('one that does not answer is passed over until it does', async () => {
  const { door, one, two } = withTwo();
  one.hang();
  passAll(door, names);
  await pause(1_200);
  passAll(door, ['f', 'g']);
  await settled();
  assert.deepEqual([one.got, two.got], [['a'], ['b', 'd', 'c', 'e', 'f', 'g']]);
  one.goOn();
  await settled();
  passAll(door, ['h', 'i']);
  await settled();
  assert.equal(one.got.length, 2);
});

test('where all are slow a connection waits for the first who is not', async () => {
  const { door, one, two } = withTwo();
  const three = receiver();
  for (const each of [one, two]) each.hang();
  passAll(door, names);
  await pause(1_200);
  passAll(door, ['f', 'g', 'h']);
  two.goOn();
  await pause(1_200);
  assert.deepEqual(one.got, ['a']);
  assert.deepEqual(two.got.toSorted(), ['b', 'c', 'd', 'e', 'f', 'g', 'h']);
  door.dismiss(two);
  door.pass(connection('i'));
  door.admit(three);
  await pause(1_200);
  assert.deepEqual(three.got, ['i'], 'who comes later as well');
  one.goOn();
});

test('where nobody serves a connection is closed, and where only one is left it waits for that one', async () => {
  const door = createDoor();
  const refused = connection('refused');
  door.pass(refused);
  assert.ok(refused.destroyed);
  const one = receiver();
  one.hang();
  door.admit(one);
  passAll(door, names);
  await pause(1_200);
  assert.deepEqual(one.got, ['a']);
  one.goOn();
  await settled();
  assert.deepEqual(one.got, names);
});

test('what waits for one that ends goes to the others, before anybody has dismissed it', async () => {
  const { door, one, two } = withTwo();
  one.hang();
  passAll(door, names);
  one.end();
  await settled();
  assert.deepEqual([one.got, two.got], [['a'], ['b', 'd', 'e', 'c']]);
  passAll(door, ['f', 'g']);
  await settled();
  assert.deepEqual(two.got.slice(4), ['f', 'g']);
});

test('where the only one has ended connections are closed', async () => {
  const door = createDoor();
  const one = receiver();
  one.end();
  door.admit(one);
  const refused = connection('refused');
  door.pass(refused);
  await settled();
  assert.ok(refused.destroyed);
});

test('the end waits only a moment for one that does not answer, and closes what waits for it', async () => {
  const door = createDoor();
  const one = receiver();
  one.hang();
  door.admit(one);
  const [inHand, waiting] = [connection('in hand'), connection('waiting')];
  door.pass(inHand);
  door.pass(waiting);
  const alive = setInterval(() => {}, 1_000);
  const began = performance.now();
  await door.close();
  clearInterval(alive);
  assert.ok(performance.now() - began < 3_000);
  assert.deepEqual([inHand.destroyed, waiting.destroyed], [false, true]);
  one.goOn();
});
