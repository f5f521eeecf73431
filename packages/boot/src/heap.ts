import { setFlagsFromString } from 'node:v8';

/** How much garbage the old generation may hold beside what is alive, in per cent of that. */
const growth = 60;

/**
 * By itself V8 lets a heap of our size grow by no more than it wants free for new objects, so under load it marks all of it
 * again every second: a tenth of a core, and every request of that moment waits for 60 to 100 ms
 * (docs/decisions/0041-garbage-may-gather.md). Flags of V8 are no contract: of one it does not know it complains on standard
 * error, and goes on.
 */
export const letGarbageGather = (): void => setFlagsFromString(`--heap-growing-percent=${growth}`);
