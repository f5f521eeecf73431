import type { Fault } from './fault.ts';
import { RECOVERY_MS } from './fault.ts';

/** Clocks this far apart are promised to be harmless; further apart, only that nothing unsafe happens (docs/cluster-harness.md). */
const HARMLESS_S = 5;

/** The wall clock of one pod jumps and later jumps back, as when a machine without time service gets one. */
export const clockFaults: Fault[] = [-60, -20, -5, -2, 2, 5, 20, 60].map((seconds) => ({
  name: `clock-${seconds > 0 ? 'ahead' : 'behind'}-${Math.abs(seconds)}s`,
  only: 'clock',
  async run({ cluster, disturbances }, random, hold) {
    const pod = random.pick(random.chance(0.8) ? cluster.tokenPods : cluster.adminPods);
    const harmless = Math.abs(seconds) <= HARMLESS_S;
    const end = disturbances.begin(
      { name: `clock of ${pod.name} ${seconds} s ahead`, affects: [], hears: true, excusesRefusals: !harmless },
      (harmless ? 0 : Math.abs(seconds) * 1000) + RECOVERY_MS,
    );
    await pod.setClock(seconds * 1000);
    await hold();
    await pod.setClock(0);
    end();
  },
}));
