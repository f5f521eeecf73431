/**
 * How a metric is declared. A label's values are a closed list, or bounded by something that no caller decides and that the
 * label names. No label ever carries an id, an address or a text a caller chose: whoever could make up values could make
 * up series until memory is full.
 */
export const bounds = {
  route: 'route template, or `unmatched`',
  status: 'HTTP status',
  statement: 'name of a statement in our code',
  change: 'kind of change',
  slug: 'slug an operator gave',
} as const;
export type Bound = keyof typeof bounds;

type Labels = Readonly<Record<string, readonly string[] | Bound>>;
export type MetricSpec = {
  type: 'counter' | 'gauge' | 'histogram';
  name: string;
  /** What it counts, and when. */
  help: string;
  labels: Labels;
  /** What a gauge is of several processes together; counters and histograms are summed. */
  across?: 'max' | 'min' | 'sum';
  /** Upper bounds of a histogram's buckets. */
  buckets?: readonly number[];
  /** The feature that will count it; the name is already kept for it, and nothing counts it in this release. */
  planned?: string;
};
export type MetricSpecs = Readonly<Record<string, MetricSpec>>;

/** Buckets of every `_duration_seconds`, in seconds. */
export const durationBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
/** Buckets of what is counted in pieces. */
export const sizeBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256] as const;

export const counter = <const L extends Labels>(name: string, help: string, labels: L) =>
  ({ type: 'counter', name, help, labels }) as const;

/** Read from the database, or the worst of the processes, unless `across` says otherwise. */
export const gauge = <const L extends Labels>(
  name: string,
  help: string,
  labels: L,
  across: 'max' | 'min' | 'sum' = 'max',
) => ({ type: 'gauge', name, help, labels, across }) as const;

export const histogram = <const L extends Labels>(
  name: string,
  help: string,
  labels: L,
  buckets: readonly number[] = durationBuckets,
) => ({ type: 'histogram', name, help, labels, buckets }) as const;

/** A metric whose name is public before its feature is there. Whoever builds the feature takes the word away. */
export const planned = <const S extends MetricSpec>(feature: string, spec: S) =>
  ({ ...spec, planned: feature }) as const;
