import type { Reading, Sample } from './exposition.ts';

/** How much each counter of a process has grown since somebody began to look. It never gets less. */
export type Growth = ReadonlyMap<string, Sample>;

/**
 * Adds what a process counted between two readings. A counter that is lower than before began anew, and so did all of them
 * when the process is another one: then everything it has is new.
 */
export const grow = (growth: Growth, before: Reading, now: Reading, isAnother: boolean): Growth => {
  const grown = new Map(growth);
  for (const [series, sample] of now) {
    const earlier = isAnother ? 0 : (before.get(series)?.value ?? 0);
    const increase = sample.value < earlier ? sample.value : sample.value - earlier;
    grown.set(series, { ...sample, value: (growth.get(series)?.value ?? 0) + increase });
  }
  return grown;
};

/** What was added after `then`; all of it when nothing is known of then. */
export const growthSince = (now: Growth, then?: Growth): Sample[] =>
  [...now].map(([series, sample]) => ({ ...sample, value: sample.value - (then?.get(series)?.value ?? 0) }));
