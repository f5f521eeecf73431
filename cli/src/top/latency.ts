import type { Sample } from './exposition.ts';

/**
 * The time below which the part `q` of what was observed stayed, from the buckets of a histogram, in seconds. Linear within a
 * bucket, and the last bound for what is beyond it, as `histogram_quantile` of Prometheus has it.
 */
export const quantile = (q: number, buckets: readonly Sample[]): number | undefined => {
  const counts = new Map<number, number>();
  for (const { labels, value } of buckets) {
    const bound = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le);
    counts.set(bound, (counts.get(bound) ?? 0) + value);
  }
  const bounds = [...counts.keys()].sort((a, b) => a - b);
  const all = counts.get(Number.POSITIVE_INFINITY) ?? 0;
  if (all === 0) return undefined;
  const rank = q * all;
  let lower = 0;
  let below = 0;
  for (const bound of bounds) {
    const count = counts.get(bound) ?? 0;
    if (bound === Number.POSITIVE_INFINITY) return lower;
    if (count >= rank) return lower + ((bound - lower) * (rank - below)) / (count - below);
    lower = bound;
    below = count;
  }
  return undefined;
};
