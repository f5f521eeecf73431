import client from 'prom-client';
import { type Catalogue, catalogue, type MetricSpec } from './catalogue.ts';
import { type CounterSeries, createCounter, createHistogram, type HistogramSeries } from './counted.ts';
import { watchEventLoop } from './event-loop.ts';
import type { MetricsSnapshot } from './ledger.ts';
import { toOpenMetrics } from './openmetrics.ts';
import { version } from './version.ts';

type LabelValue<V> = V extends readonly (infer T extends string)[] ? T : string;
type LabelValues<S extends MetricSpec> = { [K in keyof S['labels']]: LabelValue<S['labels'][K]> };
type Labelled<S extends MetricSpec, Value extends unknown[]> = keyof S['labels'] extends never
  ? (...args: Value) => void
  : (labels: LabelValues<S>, ...args: Value) => void;

type Metric<S extends MetricSpec> = S['type'] extends 'counter'
  ? { inc: Labelled<S, [value?: number]>; under(labels: LabelValues<S>): CounterSeries }
  : S['type'] extends 'histogram'
    ? { observe: Labelled<S, [seconds: number]>; under(labels: LabelValues<S>): HistogramSeries }
    : {
        set: Labelled<S, [value: number]>;
        /**
         * Reads the value when somebody scrapes, beside whoever else reads some; a failure leaves the last one and never fails
         * the scrape.
         */
        collectWith(read: () => Promise<keyof S['labels'] extends never ? number : readonly Series<S>[]>): void;
      };

/** The value of one combination of labels. */
type Series<S extends MetricSpec> = { labels: LabelValues<S>; value: number };

export type Metrics = { [K in keyof Catalogue]: Metric<Catalogue[K]> } & {
  /** The Prometheus text format, version 0.0.4, or OpenMetrics 1.0. */
  render(as?: 'prometheus' | 'openmetrics'): Promise<{ contentType: string; body: string }>;
  /** The values of this process alone. */
  snapshot(): Promise<MetricsSnapshot>;
  /** The values that `render` writes. */
  whole(): Promise<MetricsSnapshot>;
  /** From now on what leaves is what `combine` makes of the values of this process. */
  combineWith(combine: (own: MetricsSnapshot) => Promise<client.Registry>): void;
};

/** What prom-client calls the ways in which Node collects garbage. */
const gcKinds = ['major', 'minor', 'incremental', 'weakcb'];

/** One registry for the process, holding the whole catalogue. */
export const createMetrics = (): Metrics => {
  const registry = new client.Registry();
  client.collectDefaultMetrics({ register: registry });
  // All series from the start: none appears later, and a rate has its first value.
  const collections = registry.getSingleMetric('nodejs_gc_duration_seconds');
  if (collections instanceof client.Histogram) for (const kind of gcKinds) collections.zero({ kind });
  const declared = Object.fromEntries(
    Object.entries<MetricSpec>(catalogue).map(([key, spec]) => [key, register(spec, registry)]),
  );
  const snapshot = (): Promise<MetricsSnapshot> => registry.getMetricsAsJSON();
  let read = async (): Promise<client.Registry> => registry;
  const whole = async (): Promise<MetricsSnapshot> => (await read()).getMetricsAsJSON();
  const metrics = {
    ...declared,
    async render(as = 'prometheus') {
      if (as === 'prometheus') return { contentType: registry.contentType, body: await (await read()).metrics() };
      return { contentType: client.Registry.OPENMETRICS_CONTENT_TYPE, body: toOpenMetrics(await whole()) };
    },
    snapshot,
    whole,
    combineWith(combine: (own: MetricsSnapshot) => Promise<client.Registry>) {
      read = async () => combine(await snapshot());
    },
  } as unknown as Metrics;
  metrics.buildInfo.set({ version }, 1);
  watchEventLoop(metrics);
  return metrics;
};

const register = (spec: MetricSpec, registry: client.Registry): unknown => {
  const { name, help } = spec;
  const labelNames = Object.keys(spec.labels);
  if (spec.type !== 'gauge') {
    const declaration = { name, help, labelNames };
    const metric =
      spec.type === 'counter' ? createCounter(declaration) : createHistogram(declaration, spec.buckets ?? []);
    for (const labels of knownLabels(spec)) metric.begin(labels);
    registry.registerMetric(metric as unknown as client.Metric); // it has what a registry reads: the name and the values
    return metric;
  }
  type Reading = number | readonly { labels: Record<string, string>; value: number }[];
  const readers: (() => Promise<Reading>)[] = [];
  const gauge = new client.Gauge({
    ...{ name, help, labelNames, registers: [registry] },
    aggregator: spec.across ?? 'max',
    async collect() {
      for (const read of readers) {
        const reading = await read().catch(() => undefined);
        if (typeof reading === 'number') this.set(reading);
        else for (const { labels, value } of reading ?? []) this.set(labels, value);
      }
    },
  });
  return Object.assign(gauge, {
    collectWith: (read: () => Promise<Reading>) => {
      readers.push(read);
    },
  });
};

/** A series that appears with its first event looks flat to `increase()`: what can be named in advance starts at 0. */
const knownLabels = (spec: MetricSpec): Record<string, string>[] =>
  Object.entries(spec.labels).reduce<Record<string, string>[]>(
    (combinations, [name, values]) =>
      typeof values === 'string'
        ? []
        : combinations.flatMap((labels) => values.map((value) => ({ ...labels, [name]: value }))),
    [{}],
  );
