import type { MetricObjectWithValues, MetricValueWithName } from 'prom-client';
import type { Exemplar } from './openmetrics.ts';
import { createSeries, type Labels } from './series.ts';
import { currentSpan } from './spans.ts';

/**
 * Counters and histograms in plain numbers. Every request counts in some of them, and prom-client builds and checks a key
 * of all labels each time; its registry reads these as it reads its own.
 */
export type CountedMetric = {
  name: string;
  /** From now on there is a series with these labels. */
  begin(labels: Labels): void;
  get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>>;
};

export type Declaration = { name: string; help: string; labelNames: readonly string[] };

const none: Labels = {};

/** What one series of a metric can do, for who counts in it again and again: its labels are looked up once. */
export type CounterSeries = { inc(value?: number): void };
export type HistogramSeries = { observe(value: number): void };

export const createCounter = (
  declaration: Declaration,
): CountedMetric & { inc(...args: unknown[]): void; under(labels: Labels): CounterSeries } => {
  const { name, labelNames } = declaration;
  const series = createSeries(labelNames, () => ({ count: 0 }));
  const grow = (state: { count: number }, value = 1): void => {
    if (!(value >= 0 && Number.isFinite(value))) throw new RangeError(`${name} cannot grow by ${value}`);
    state.count += value;
  };
  const add = (labels: Labels, value?: number): void => grow(series.find(labels), value);
  const plain = (value?: number): void => add(none, value);
  if (labelNames.length === 0) series.find(none);
  return {
    name,
    begin: series.find,
    under(labels) {
      const state = series.find(labels);
      return { inc: (value) => grow(state, value) };
    },
    inc: (labelNames.length === 0 ? plain : add) as (...args: unknown[]) => void,
    get: async () =>
      snapshotOf(
        declaration,
        'counter',
        series.all.map(({ labels, state }) => ({ labels, value: state.count })),
      ),
  };
};

export const createHistogram = (
  declaration: Declaration,
  bounds: readonly number[],
): CountedMetric & { observe(...args: unknown[]): void; under(labels: Labels): HistogramSeries } => {
  const { name, labelNames } = declaration;
  /** A value counts once, in the first bucket it fits into; the last one has no bound. */
  const begin = () => ({
    buckets: [...bounds, 0].fill(0),
    sum: 0,
    /** Of each bucket the last request that was recorded. */
    exemplars: undefined as Exemplar[] | undefined,
  });
  const series = createSeries(labelNames, begin);
  const hold = (state: ReturnType<typeof begin>, value: number): void => {
    if (!Number.isFinite(value)) throw new RangeError(`${name} cannot hold ${value}`);
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at += 1;
    (state.buckets[at] as number) += 1;
    state.sum += value;
    const span = currentSpan();
    if (span === undefined) return;
    state.exemplars ??= [];
    state.exemplars[at] = { traceId: span.traceId, value, atSeconds: Date.now() / 1000 };
  };
  const add = (labels: Labels, value: number): void => hold(series.find(labels), value);
  if (labelNames.length === 0) series.find(none);
  return {
    name,
    begin: series.find,
    under(labels) {
      const state = series.find(labels);
      return { observe: (value) => hold(state, value) };
    },
    observe: (labelNames.length === 0 ? (value: number) => add(none, value) : add) as (...args: unknown[]) => void,
    get: async () => snapshotOf(declaration, 'histogram', series.all.flatMap(exposed)),
  };

  /** Each bucket holds those before it as well (Prometheus text format). */
  function exposed({ labels, state }: (typeof series.all)[number]): MetricValueWithName<string>[] {
    let count = 0;
    const buckets = state.buckets.map((inBucket, at) => {
      count += inBucket;
      const exemplar = state.exemplars?.[at];
      const labelled = { labels: { le: bounds[at] ?? '+Inf', ...labels }, value: count, metricName: `${name}_bucket` };
      return exemplar === undefined ? labelled : { ...labelled, exemplar };
    });
    return [
      ...buckets,
      { labels, value: state.sum, metricName: `${name}_sum` },
      { labels, value: count, metricName: `${name}_count` },
    ];
  }
};

/** Prom-client declares the type as a number and gives it out as a word. Several processes together are their sum. */
const snapshotOf = (
  { name, help }: Declaration,
  type: 'counter' | 'histogram',
  values: MetricValueWithName<string>[],
): MetricObjectWithValues<MetricValueWithName<string>> =>
  ({ name, help, type, values, aggregator: 'sum' }) as unknown as MetricObjectWithValues<MetricValueWithName<string>>;
