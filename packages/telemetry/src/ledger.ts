import client, { type MetricObjectWithValues, type MetricValue } from 'prom-client';
import type { Exemplar } from './openmetrics.ts';

/** The values of all metrics of a process at one moment, as plain data. */
export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[];

/**
 * The metrics of several processes as those of one: counters and histograms are summed, gauges as the catalogue says. What a
 * process counted stays in the sums after it has gone, or a counter would seem to have gone backwards.
 */
export type MetricsLedger = {
  /** Adds what a process that is gone had counted, at once. */
  bury(last: MetricsSnapshot): void;
  /** All together; `own` is of the process that is asked, whose start counts as that of the whole. */
  sum(own: MetricsSnapshot, others: readonly MetricsSnapshot[]): client.Registry;
};

const { AggregatorRegistry } = client;

/** So many are kept apart before they are added up. */
const mostGraves = 8;

export const createMetricsLedger = (): MetricsLedger => {
  let dead: MetricsSnapshot[] = [];
  let adding = false;
  return {
    bury(last) {
      // A gauge is about a process that is there.
      dead.push(last.filter(({ type }) => isCounted(type)));
      if (dead.length < mostGraves || adding) return;
      adding = true; // two sums of the same would count it twice
      const together = [...dead];
      void AggregatorRegistry.aggregate(together)
        .getMetricsAsJSON()
        .then((sum) => {
          dead = [sum, ...dead.filter((one) => !together.includes(one))];
        })
        .finally(() => {
          adding = false;
        });
    },
    sum(own, others) {
      const mine = own.map((metric) => (isOmitted(metric) ? { ...metric, aggregator: 'first' as const } : metric));
      const all = [mine, ...others.map((other) => other.filter(isShared)), ...dead];
      const whole = AggregatorRegistry.aggregate(all) as client.Registry;
      return withExemplars(whole, [own, ...others]);
    },
  };
};

type Value = MetricsSnapshot[number]['values'][number] & { metricName?: string; exemplar?: Exemplar };
const seriesOf = ({ metricName, labels }: Value): string => `${metricName} ${JSON.stringify(labels)}`;

/** A sum of prom-client has none: each bucket gets the latest that one of the processes has. */
const withExemplars = (whole: client.Registry, parts: readonly MetricsSnapshot[]): client.Registry => {
  const latest = new Map<string, Exemplar>();
  for (const value of parts.flatMap((part) => part.flatMap(({ values }) => values as Value[]))) {
    const { exemplar } = value;
    if (exemplar && !((latest.get(seriesOf(value))?.atSeconds ?? 0) > exemplar.atSeconds))
      latest.set(seriesOf(value), exemplar);
  }
  if (latest.size === 0) return whole;
  for (const { values } of whole.getMetricsAsArray() as unknown as { values: Value[] }[])
    for (const value of values) {
      const exemplar = latest.get(seriesOf(value));
      if (exemplar) value.exemplar = exemplar;
    }
  return whole;
};

/** The type is a number in prom-client's declarations and a word in what it gives out. */
const isCounted = (type: unknown): boolean => type === 'counter' || type === 'histogram';
const isOmitted = ({ aggregator }: MetricsSnapshot[number]): boolean => aggregator === 'omit';
const isShared = (metric: MetricsSnapshot[number]): boolean => !isOmitted(metric);
