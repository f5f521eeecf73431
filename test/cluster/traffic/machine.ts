import type { TestApp } from '../../support/test-app.ts';
import type { KnownToken } from '../ledger.ts';
import type { Random } from '../random.ts';
import { ifAvailable, type World } from '../world.ts';
import { inspectAt, inspectEverywhere } from './introspection.ts';

/** A job gets a token, uses it, and at times hands it back. */
export const machineActs = async (world: World, random: Random): Promise<void> => {
  const app = random.pick(world.population.machines);
  const token = await machineToken(world, app, random.chance(0.25));
  if (!token) return;
  if (random.chance(0.3)) await inspectAt(world, token, random.pick(world.cluster.tokenPods).name);
  if (random.chance(0.25)) {
    await revokeUntilConfirmed(world, app, token.token, () => world.ledger.ending(`token:${token.jti}`, 'all'));
    await inspectEverywhere(world, [token]);
  }
};

/** A client credentials token, bound to a key if wished; undefined when nobody could give one. */
export const machineToken = async (world: World, app: TestApp, bound = false): Promise<KnownToken | undefined> => {
  const { judge, ledger, population } = world;
  const from = performance.now();
  const headers = bound ? await population.dpopKey.header() : {};
  const answer = await ifAvailable(
    judge.ask({ kind: bound ? 'dpop' : 'machine' }, () =>
      app.clientCredentials({ resource: population.resource, scope: population.scope }, 0, headers),
    ),
  );
  return answer && ledger.add(answer.body.access_token, [`client:${app.clientId}`], from);
};

/** Revokes at the public endpoint, again and again until it is confirmed or everything is over. */
export const revokeUntilConfirmed = async (
  world: World,
  app: TestApp,
  token: string,
  ending: () => () => void,
): Promise<boolean> => {
  const confirm = ending();
  while (!world.over.aborted) {
    const answer = await ifAvailable(world.judge.ask({ kind: 'revoke' }, () => app.revoke(token)));
    if (answer) {
      confirm();
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return false;
};
