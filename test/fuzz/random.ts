/** Random choices that a seed repeats (mulberry32). Not for secrets. */
export type Random = {
  /** In [0, 1). */
  next(): number;
  /** In [0, below). */
  below(below: number): number;
  chance(probability: number): boolean;
  pick<T>(values: readonly T[]): T;
  bytes(length: number): Buffer;
};

export const seeded = (...seeds: readonly number[]): Random => {
  let state = seeds.reduce((sum, seed) => Math.imul(sum ^ (seed >>> 0), 0x9e3779b1) + 0x85ebca6b, 1) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: (values) => values[below(values.length)] as never,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
  };
};
