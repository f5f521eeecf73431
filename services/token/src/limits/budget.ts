/**
 * A token bucket for each key, in this process and in bounded memory: what nobody drew from for longest is forgotten first.
 * So no number of other keys makes it forget one that is still asked for, which the faster buckets of the rate limits may.
 */
export const createBudget = (options: { ratePerSecond: number; burst: number; maxKeys: number }) => {
  const buckets = new Map<string, { left: number; at: number }>();
  /** Whose bucket is the last in the map: who asks again at once moves nothing. */
  let latest: string | undefined;

  /** True when one more is within the budget of `key`; `nowMs` is any monotonic clock. */
  return (key: string, nowMs: number): boolean => {
    const bucket = buckets.get(key) ?? { left: options.burst, at: nowMs };
    const left = Math.min(options.burst, bucket.left + ((nowMs - bucket.at) / 1000) * options.ratePerSecond);
    bucket.left = left >= 1 ? left - 1 : left;
    bucket.at = nowMs;
    if (key === latest) return left >= 1;
    latest = key;
    buckets.delete(key);
    if (buckets.size >= options.maxKeys) buckets.delete(buckets.keys().next().value as string);
    buckets.set(key, bucket);
    return left >= 1;
  };
};
