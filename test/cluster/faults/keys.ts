import { setTimeout as sleep } from 'node:timers/promises';
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

/** Two rotations at the same time, as two operators who do not know of each other. */
const together: Fault = {
  name: 'rotations-at-once',
  async run(world, random) {
    await Promise.all([rotate(world, random.fork('one')), rotate(world, random.fork('other'))]);
  },
};

export const keyFaults = [storm, together];
