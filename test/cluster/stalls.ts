import type { Disturbances } from './disturbances.ts';
import { requestKinds } from './disturbances.ts';

const TICK_MS = 50;
/** Statements of a pod give up after 900 ms: a machine that stands still for a third of it can make one fail. */
const STALL_MS = 300;
const AFTERMATH_MS = 2_000;

/**
 * Watches whether this process gets its turn. Where it does not, because the machine is busy with something else, the pods
 * do not either, and what then fails proves nothing. Returns how often that was.
 */
export const watchStalls = (disturbances: Disturbances): { count(): number; stop(): void } => {
  let stalls = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    if (now - last > TICK_MS + STALL_MS) {
      stalls += 1;
      disturbances.note({ name: 'a busy machine', affects: requestKinds }, last, now + AFTERMATH_MS);
    }
    last = now;
  }, TICK_MS);
  return { count: () => stalls, stop: () => clearInterval(timer) };
};
