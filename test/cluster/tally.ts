import type { RequestKind } from './disturbances.ts';

/** What clients saw. */
export type Tally = {
  /** `pod` is the one that was asked directly; without it the request went through the balancer. */
  count(kind: RequestKind, outcome: string, milliseconds: number, pod?: string): void;
  rows(): TallyRow[];
  /** All requests; those that went through the balancer; and those of them that no pod answered with substance. */
  totals(): { requests: number; balanced: number; failed: number };
  /** How long it took to say 503. */
  refusals(): Percentiles & { count: number };
};
export type Percentiles = { p50: number; p99: number; longest: number };
export type TallyRow = Percentiles & { kind: RequestKind; outcomes: Readonly<Record<string, number>> };

export const createTally = (): Tally => {
  const kinds = new Map<RequestKind, { outcomes: Record<string, number>; times: number[] }>();
  const refused: number[] = [];
  const totals = { requests: 0, balanced: 0, failed: 0 };
  return {
    count(kind, outcome, milliseconds, pod) {
      const row = kinds.get(kind) ?? { outcomes: {}, times: [] };
      kinds.set(kind, row);
      row.outcomes[outcome] = (row.outcomes[outcome] ?? 0) + 1;
      if (/^[23]/.test(outcome)) row.times.push(milliseconds);
      if (outcome === '503') refused.push(milliseconds);
      totals.requests += 1;
      if (pod === undefined) {
        totals.balanced += 1;
        if (!/^[234]/.test(outcome)) totals.failed += 1;
      }
    },
    rows: () => [...kinds].map(([kind, { outcomes, times }]) => ({ kind, outcomes, ...percentiles(times) })),
    totals: () => totals,
    refusals: () => ({ count: refused.length, ...percentiles(refused) }),
  };
};

/** NaN where there are no values. */
export const percentiles = (values: readonly number[]): Percentiles => {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), longest: at(1) };
};
