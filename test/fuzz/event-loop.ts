export type Stall = { from: number; to: number; wallMs: number; cpuMs: number };

const tickMs = 5;

/**
 * Watches this thread's event loop and keeps every stretch longer than `limitMs` in which it did nothing but compute.
 * Time in which the thread was not running does not count: on a busy machine that says nothing about our code.
 */
export const watchEventLoop = (limitMs: number): { stop: () => { stalls: Stall[]; longestMs: number } } => {
  const stalls: Stall[] = [];
  let longestMs = 0;
  let wall = performance.now();
  let cpu = cpuNow();
  const timer = setInterval(() => {
    const [now, spent] = [performance.now(), cpuNow()];
    const [wallMs, cpuMs] = [now - wall - tickMs, spent === undefined || cpu === undefined ? Infinity : spent - cpu];
    const stalledMs = Math.min(wallMs, cpuMs);
    longestMs = Math.max(longestMs, stalledMs);
    if (stalledMs > limitMs)
      stalls.push({ from: performance.timeOrigin + wall, to: performance.timeOrigin + now, wallMs, cpuMs });
    wall = performance.now();
    cpu = cpuNow();
  }, tickMs);
  return {
    stop: () => {
      clearInterval(timer);
      return { stalls, longestMs };
    },
  };
};

/** Milliseconds this thread has run, where the runtime can tell (Node 22 cannot). */
const cpuNow = (): number | undefined => {
  if (typeof process.threadCpuUsage !== 'function') return undefined;
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
