import type { RequestKind } from './disturbances.ts';

/** What clients saw: how many answers of which kind and status, and how long they waited. */
export type Tally = {
  count(kind: RequestKind, outcome: string, milliseconds: number): void;
  rows(): { kind: RequestKind; outcomes: Record<string, number>; p50: number; p99: number; longest: number }[];
  total(): number;
};

export const createTally = (): Tally => {
  const kinds = new Map<RequestKind, { outcomes: Record<string, number>; times: number[] }>();
  return {
    count(kind, outcome, milliseconds) {
      const row = kinds.get(kind) ?? { outcomes: {}, times: [] };
      kinds.set(kind, row);
      row.outcomes[outcome] = (row.outcomes[outcome] ?? 0) + 1;
      if (outcome.startsWith('2') || outcome.startsWith('3')) row.times.push(milliseconds);
    },
    rows: () =>
      [...kinds].map(([kind, { outcomes, times }]) => {
        const sorted = Float64Array.from(times).sort();
        return { kind, outcomes, ...percentiles(sorted) };
      }),
    total: () =>
      [...kinds.values()].reduce(
        (sum, { outcomes }) => sum + Object.values(outcomes).reduce((inner, count) => inner + count, 0),
        0,
      ),
  };
};

/** Of sorted numbers; NaN where there are none. */
export const percentiles = (sorted: ArrayLike<number>): { p50: number; p99: number; longest: number } => {
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), longest: at(1) };
};
