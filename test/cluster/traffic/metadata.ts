import type { Random } from '../random.ts';
import { ifAvailable, type World } from '../world.ts';

const paths = ['/.well-known/oauth-authorization-server', '/.well-known/jwks.json'];

/** What resource servers read all the time, at one of the pods: no loss of a service takes it away. */
export const metadataActs = async (world: World, random: Random): Promise<void> => {
  const { name: pod } = random.pick(world.cluster.tokenPods);
  const url = `${world.cluster.balancer.door(pod)}${random.pick(paths)}`;
  await ifAvailable(
    world.judge.ask({ kind: 'metadata', pod }, async () => {
      const response = await fetch(url);
      return { status: response.status, headers: response.headers, body: await response.json() };
    }),
  );
};
