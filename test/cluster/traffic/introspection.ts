import type { KnownToken } from '../ledger.ts';
import type { Random } from '../random.ts';
import { ifAvailable, type World } from '../world.ts';
import { atPod } from './population.ts';

/** Asks one pod about a token, and holds the answer against what the ledger knows. */
export const inspectAt = async (world: World, token: KnownToken, pod: string): Promise<void> => {
  const { cluster, judge, ledger, violations, population, keys, disturbances, boundMs } = world;
  const inspector = atPod(cluster, population.inspector, pod);
  const from = performance.now();
  const answer = await ifAvailable(judge.ask({ kind: 'introspect', pod }, () => inspector.introspect(token.token)));
  if (!answer) return;
  const fate = ledger.fateOf(token, from);
  const { active } = answer.body;
  if (fate === 'dead') {
    violations.checked('revoked-stays-dead');
    if (active) violations.add('revoked-stays-dead', `${pod} accepts ${describe(token)}`);
  }
  const badClocks =
    disturbances.excusesRefusals(token.askedAt, token.cameAt) || disturbances.excusesRefusals(from, performance.now());
  if (fate === 'live' && !badClocks) {
    const mayNotKnow = keys.mayBeNews(token.kid) || disturbances.touched(pod, from - boundMs);
    violations.checked('live-stays-live');
    if (!active && !mayNotKnow) violations.add('live-stays-live', `${pod} refuses ${describe(token)}`);
  }
};

/** Asks every pod, one after the other. */
export const inspectEverywhere = async (world: World, tokens: readonly KnownToken[]): Promise<void> => {
  for (const token of tokens) for (const { name } of world.cluster.tokenPods) await inspectAt(world, token, name);
};

/** Asks any pod about any token that was ever seen. */
export const inspectSample = async (world: World, random: Random): Promise<void> => {
  const token = world.ledger.sample(random);
  if (token) await inspectAt(world, token, random.pick(world.cluster.tokenPods).name);
};

const describe = ({ jti, groups, issuedAt, cameAt }: KnownToken): string =>
  `${jti} (${groups.join(' ')}), issued ${new Date(issuedAt * 1000).toISOString()}, came ${Math.round(
    (performance.now() - cameAt) / 1000,
  )} s ago`;
