import { setTimeout as sleep } from 'node:timers/promises';
import { rotateInOrder } from '../traffic/operator.ts';
import { administer, ifAvailable } from '../world.ts';
import type { Fault } from './fault.ts';

/** Many rotations in a row, each with force: no key has been published for as long as it should have been. */
const storm: Fault = {
  name: 'rotation-storm',
  alone: true,
  async run(world, random) {
    const end = world.disturbances.begin({ name: 'rotation storm', affects: [], hears: true }, 0);
    const rotations = random.integer(3, 8);
    for (let n = 0; n < rotations; n += 1) {
      await rotate(world, random);
      await sleep(random.between(0, 400));
    }
    end();
  },
};

const rotate = async (world: Parameters<Fault['run']>[0], random: Parameters<Fault['run']>[1]): Promise<void> => {
  await ifAvailable(
    administer(world, random, 'rotate with force', async (admin) => {
      await admin.key.rotate({ body: { force: true } });
      const { keys } = await admin.key.list();
      for (const { kid } of keys) world.keys.noteKey(kid);
    }),
  );
};

/** Two rotations at the same time, as two operators who do not know of each other: one is done, or none when it is not time. */
const together: Fault = {
  name: 'rotations-at-once',
  async run(world, random) {
    const both = [random.fork('one'), random.fork('other')];
    const done = await Promise.all(both.map((own) => ifAvailable(rotateInOrder(world, own))));
    if (done.every((kid) => kid !== undefined))
      world.violations.add('jwks-verifies', 'a key was put into use twice in a row without having been served');
  },
};

export const keyFaults = [storm, together];
