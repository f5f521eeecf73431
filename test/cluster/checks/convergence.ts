import type { Random } from '../random.ts';
import { followed, registration } from '../traffic/operator.ts';
import { administer, type World } from '../world.ts';

/** After everything: all pods show the keys and the registration mode that the control plane has. */
export const checkConvergence = async (world: World, random: Random): Promise<void> => {
  const keys = await administer(world, random, 'list keys', (admin) => admin.key.list());
  const kids = keys?.keys
    .map(({ kid }) => kid)
    .sort()
    .join();
  await followed(world, 'keys at the end', async (pod) => {
    const found = world.cluster.tokenPods.find(({ name }) => name === pod);
    return found && (await world.keys.kidsOf(found))?.join() === kids;
  });
  world.violations.checked('pods-converge');
  const current = keys?.keys.filter(({ status }) => status === 'current').length;
  if (current !== 1) world.violations.add('pods-converge', `there are ${current} current keys`);

  const mode = await administer(world, random, 'dcr get', (admin) => admin.dcr.get());
  await followed(world, 'registration mode at the end', async (pod) => (await registration(world, pod)) === mode?.mode);
};
