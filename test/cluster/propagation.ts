/** How long rotations and registration modes take to reach every pod, over one way at a time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../support/server-process.ts';
import { type Cluster, startCluster } from './cluster.ts';
import type { KeyStoreName } from './key-stores.ts';
import type { Pod } from './pod.ts';
import { createRandom } from './random.ts';
import { percentiles } from './tally.ts';

/** The ways a pod can hear of a change; `reading` is what is left when it hears nothing. */
export const channels = ['nats', 'notify', 'both', 'reading'] as const;
export type Channel = (typeof channels)[number];

export type PropagationOptions = {
  seed: number;
  pods: number;
  rounds: number;
  reconcileMs: number;
  keyStore: KeyStoreName;
  say: (line: string) => void;
};
export type PropagationRow = {
  channel: Channel;
  what: string;
  count: number;
  p50: number;
  p99: number;
  longest: number;
};

const POLL_MS = 4;
const SETTLE_MS = 3_000;

/** Measures from the confirmation of the operator to each pod; what a pod knows before the operator counts as 0. */
export const measurePropagation = async (options: PropagationOptions): Promise<PropagationRow[]> => {
  const { seed, pods, rounds, reconcileMs, keyStore, say } = options;
  const random = createRandom(seed);
  const cluster = await startCluster({
    ...{ tokenPods: pods, adminPods: 1, random, release: root, nats: true, reconcileMs, keyStore },
  });
  const rows: PropagationRow[] = [];
  try {
    if (!cluster.nats) throw new Error('nats-server is not installed');
    for (const channel of channels) {
      say(`${channel}, ${rounds} rounds`);
      leaveOnly(cluster, channel);
      await sleep(SETTLE_MS);
      const times: Record<'key rotate' | 'dcr set', number[]> = { 'key rotate': [], 'dcr set': [] };
      for (let round = 0; round < rounds; round += 1) {
        times['key rotate'].push(...(await rotation(cluster)));
        await sleep(random.between(0, reconcileMs / 4));
        times['dcr set'].push(...(await registrationMode(cluster, round % 2 === 0 ? 'admin_only' : 'open')));
        await sleep(random.between(0, reconcileMs / 4));
      }
      for (const [what, list] of Object.entries(times))
        rows.push({ channel, what, count: list.length, ...percentiles(list) });
    }
    return rows;
  } finally {
    await cluster.stop();
  }
};

export const renderPropagation = (rows: readonly PropagationRow[], { pods, reconcileMs }: PropagationOptions): string =>
  [
    `${pods} token pods, changes.reconcile_interval ${reconcileMs} ms; from the confirmation to each pod`,
    ...rows.map(
      ({ channel, what, count, p50, p99, longest }) =>
        `  ${channel.padEnd(8)} ${what.padEnd(11)} p50 ${p50.toFixed(0).padStart(5)} ms  p99 ${p99.toFixed(0).padStart(5)} ms  max ${longest.toFixed(0).padStart(5)} ms  (${count})`,
    ),
    '',
  ].join('\n');

/** Cuts the other ways of every token pod. The control plane keeps its own. */
const leaveOnly = ({ tokenPods }: Cluster, channel: Channel): void => {
  for (const { network } of tokenPods) {
    network.nats?.set(channel === 'nats' || channel === 'both' ? 'open' : 'refused');
    network.postgres.set(channel === 'notify' || channel === 'both' ? 'open' : 'refused', 'changes');
  }
};

const eachPod = async (cluster: Cluster, follows: (pod: Pod) => Promise<boolean>): Promise<number[]> => {
  const confirmed = performance.now();
  return Promise.all(
    cluster.tokenPods.map(async (pod) => {
      while (!(await follows(pod))) await sleep(POLL_MS);
      return performance.now() - confirmed;
    }),
  );
};

const adminOf = (cluster: Cluster) => cluster.admin(cluster.adminPods[0] as Pod);

const rotation = async (cluster: Cluster): Promise<number[]> => {
  await adminOf(cluster).key.rotate({ body: { force: true } });
  const { keys } = await adminOf(cluster).key.list();
  const next = keys.find(({ status }) => status === 'next')?.kid ?? '';
  return eachPod(cluster, async (pod) =>
    (await (await fetch(`${pod.url}/.well-known/jwks.json`)).text()).includes(`"${next}"`),
  );
};

/** 403 is what a pod says to everybody when only operators may register. */
const registrationMode = async (cluster: Cluster, mode: 'open' | 'admin_only'): Promise<number[]> => {
  await adminOf(cluster).dcr.set({ body: { mode } });
  return eachPod(cluster, async (pod) => {
    const response = await fetch(`${pod.url}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    await response.arrayBuffer();
    return (response.status === 403) === (mode === 'admin_only');
  });
};
