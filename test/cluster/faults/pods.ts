import { type Disturbance, publicKinds } from '../disturbances.ts';
import type { Pod } from '../pod.ts';
import type { World } from '../world.ts';
import { type Fault, RECOVERY_MS } from './fault.ts';

const disturb = (world: World, what: string, pod: Pod, more: Partial<Disturbance> = {}): (() => void) =>
  world.disturbances.begin(
    { name: `${what} ${pod.name}`, affects: pod.role === 'admin' ? ['admin'] : publicKinds, pods: [pod.name], ...more },
    RECOVERY_MS,
  );

/** Stops it as a supervisor does and starts it again, waiting until the balancer has it back. */
export const restart = async (world: World, pod: Pod): Promise<void> => {
  const ended = await pod.terminate();
  if (ended?.code !== 0)
    world.violations.add('harness-understands', `${pod.name} ended with ${ended?.code ?? ended?.signal} on SIGTERM`);
  await pod.start();
  while (pod.role === 'token' && !world.cluster.balancer.isReady(pod.name))
    await new Promise((resolve) => setTimeout(resolve, 50));
};

const frozen = (role: 'token' | 'admin'): Fault => ({
  name: `${role}-frozen`,
  async run(world, random, hold) {
    const pod = random.pick(role === 'token' ? world.cluster.tokenPods : world.cluster.adminPods);
    const end = disturb(world, 'frozen', pod);
    pod.freeze();
    await hold();
    pod.thaw();
    end();
  },
});

const killed = (role: 'token' | 'admin'): Fault => ({
  name: `${role}-killed`,
  async run(world, random, hold) {
    const pod = random.pick(role === 'token' ? world.cluster.tokenPods : world.cluster.adminPods);
    const end = disturb(world, 'killed', pod);
    await pod.kill();
    await hold();
    await pod.start();
    end();
  },
});

/** One pod after the other, and nobody notices. */
const rollingRestart: Fault = {
  name: 'rolling-restart',
  alone: true,
  async run(world) {
    for (const pod of world.cluster.tokenPods) {
      const end = disturb(world, 'restart', pod, { doorsOnly: true });
      await restart(world, pod);
      end();
    }
  },
};

/** Every worker of every pod is started anew, one after the other, and nobody notices. */
const workersRenewed: Fault = {
  name: 'workers-renewed',
  alone: true,
  possible: ({ cluster }) => cluster.workers > 0,
  async run(world, _random, hold) {
    const end = world.disturbances.begin({ name: 'renewal of workers', affects: [], hears: true }, 0);
    for (const pod of world.cluster.tokenPods) pod.renew();
    await hold();
    end();
  },
};

const adminRestart: Fault = {
  name: 'admin-restart',
  async run(world, random) {
    const pod = random.pick(world.cluster.adminPods);
    const end = disturb(world, 'restart', pod);
    await restart(world, pod);
    end();
  },
};

export const podFaults = [
  frozen('token'),
  frozen('admin'),
  killed('token'),
  killed('admin'),
  rollingRestart,
  workersRenewed,
  adminRestart,
];
