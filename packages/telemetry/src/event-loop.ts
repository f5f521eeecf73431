import { performance } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

const tickMs = 100;

/** Looks ten times a second how busy the event loop is, and how late it comes to what waits for it. */
export const watchEventLoop = (metrics: Pick<Metrics, 'eventLoopActive' | 'eventLoopIdle' | 'eventLoopDelay'>) => {
  let seen = performance.eventLoopUtilization();
  let due = performance.now() + tickMs;
  const tick = (): void => {
    const used = performance.eventLoopUtilization();
    metrics.eventLoopActive.inc((used.active - seen.active) / 1000);
    metrics.eventLoopIdle.inc((used.idle - seen.idle) / 1000);
    const now = performance.now();
    metrics.eventLoopDelay.observe(Math.max(0, now - due) / 1000);
    seen = used;
    due = now + tickMs;
  };
  setInterval(tick, tickMs).unref();
};
