/**
 * From one release to the next and back, under traffic, and nobody notices: migrations of the new one first, then one
 * process after the other. In between both releases work on one schema and on each other's codes, sessions and tokens.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { publicKinds } from './disturbances.ts';
import { RECOVERY_MS } from './faults/fault.ts';
import { restart } from './faults/pods.ts';
import type { Pod } from './pod.ts';
import { migrateWith } from './releases.ts';
import type { World } from './world.ts';

export type Upgrade = { from: string; to: string };

/** So long both releases serve side by side at each step. */
const TOGETHER_MS = 4_000;

/** Starts with every pod on the old release, ends with every pod on the new one. */
export const upgrade = async (world: World, { from, to }: Upgrade, say: (line: string) => void): Promise<void> => {
  const { cluster, disturbances } = world;
  const [first, ...others] = cluster.tokenPods as [Pod, ...Pod[]];
  const move = async (pods: readonly Pod[], release: string): Promise<void> => {
    for (const pod of pods) {
      const end = disturbances.begin(
        pod.role === 'token'
          ? { name: `restart ${pod.name}`, affects: publicKinds, pods: [pod.name], doorsOnly: true }
          : { name: `restart ${pod.name}`, affects: ['admin'], pods: [pod.name] },
        RECOVERY_MS,
      );
      cluster.setRelease(pod, release);
      await restart(world, pod);
      end();
    }
  };

  say('migrations of the new release, while the old one serves');
  await migrateWith(to, cluster.postgres.dsn());
  await sleep(TOGETHER_MS);
  say('one token pod of the new release');
  await move([first], to);
  await sleep(TOGETHER_MS);
  say('all token pods, then the control plane');
  await move([...others, ...cluster.adminPods], to);
  await sleep(TOGETHER_MS);
  say('back to the old release, on the new schema');
  await move([...cluster.tokenPods, ...cluster.adminPods], from);
  await sleep(TOGETHER_MS);
  say('forward again, the control plane first');
  await move([...cluster.adminPods, ...cluster.tokenPods], to);
  await sleep(TOGETHER_MS);
};
