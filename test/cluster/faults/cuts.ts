/** One pod loses one of its ways. */
import { needsDatabase, needsSigning, needsSingleUse, type RequestKind } from '../disturbances.ts';
import type { Passage } from '../network/proxy.ts';
import type { Pod } from '../pod.ts';
import { type Fault, RECOVERY_MS } from './fault.ts';

type Way = {
  name: string;
  set: (pod: Pod, passage: Passage) => void;
  has: (pod: Pod) => boolean;
  affects: readonly RequestKind[];
};

const ways: Way[] = [
  {
    name: 'postgres',
    set: ({ network }, passage) => network.postgres.set(passage),
    has: () => true,
    affects: needsDatabase,
  },
  {
    name: 'notify',
    set: ({ network }, passage) => network.postgres.set(passage, 'changes'),
    has: () => true,
    affects: [],
  },
  {
    name: 'nats',
    set: ({ network }, passage) => network.nats?.set(passage),
    has: ({ network }) => network.nats !== undefined,
    affects: [],
  },
  {
    name: 'redis',
    set: ({ network }, passage) => network.redis?.set(passage),
    has: ({ network }) => network.redis !== undefined,
    affects: needsSingleUse,
  },
  {
    name: 'vault',
    set: ({ network }, passage) => network.vault?.set(passage),
    has: ({ network }) => network.vault !== undefined,
    affects: needsSigning,
  },
];

const cut = (way: Way, passage: Passage): Fault => ({
  name: `${way.name}-${passage}`,
  possible: ({ cluster }) => cluster.tokenPods.some(way.has),
  async run({ cluster, disturbances }, random, hold) {
    const pod = random.pick(cluster.tokenPods.filter(way.has));
    const end = disturbances.begin(
      {
        name: `${way.name} ${passage} for ${pod.name}`,
        affects: way.affects,
        pods: [pod.name],
        hears: way.name !== 'postgres',
      },
      RECOVERY_MS,
    );
    way.set(pod, passage);
    await hold();
    way.set(pod, 'open');
    end();
  },
});

/** A pod that hears neither NOTIFY nor NATS follows by reading alone, and is an interval late at most. */
const deaf: Fault = {
  name: 'deaf',
  async run({ cluster, disturbances }, random, hold) {
    const { name, network } = random.pick(cluster.tokenPods);
    const end = disturbances.begin({ name: `deaf ${name}`, affects: [], hears: true }, 0);
    network.postgres.set('silent', 'changes');
    network.nats?.set('silent');
    await hold();
    network.postgres.set('open', 'changes');
    network.nats?.set('open');
    end();
  },
};

export const cutFaults = [
  ...ways.flatMap((way) => (['refused', 'silent', 'slow'] as const).map((passage) => cut(way, passage))),
  deaf,
];
