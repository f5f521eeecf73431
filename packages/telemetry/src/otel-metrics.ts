import { type HrTime, ValueType } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type MetricProducer,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import type { MetricsSnapshot } from './ledger.ts';
import type { Logger } from './logger.ts';
import type { OtelMetrics } from './open-otel-metrics.ts';
import { endWithin, type OnDropped, type OtlpSettings, otlpTarget, resourceAttributes, watchExports } from './otlp.ts';
import { version } from './version.ts';

export type OtelMetricsOptions = {
  settings: OtlpSettings;
  /** What Prometheus would be shown at this moment. */
  read: () => Promise<MetricsSnapshot>;
  instanceId: string;
  logger: Logger;
  onDropped: OnDropped;
  intervalMs?: number;
};

const pushMs = 10_000;
/** One that does not answer is given up before the next push is due. */
const sendMs = 5_000;
const cumulative = AggregationTemporality.CUMULATIVE;

/**
 * Pushes the metrics over OTLP. The values are not counted a second time but read from where Prometheus reads them, so both
 * are told the same, and the workers of one process are one sum here as well.
 */
export const startOtelMetrics = async (options: OtelMetricsOptions): Promise<OtelMetrics> => {
  const { settings, instanceId, logger, onDropped, intervalMs = pushMs } = options;
  const exporter = await openExporter(settings);
  const reader = new PeriodicExportingMetricReader({
    exporter: watchExports(exporter, { signal: 'metrics', logger: () => logger, onDropped }),
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: intervalMs,
  });
  reader.setMetricProducer(producerOf(options.read, instanceId));
  return { stop: (withinMs) => endWithin(withinMs, reader.shutdown()) };
};

/** gRPC and protobuf are loaded by those who need them. */
const openExporter = async (settings: OtlpSettings): Promise<PushMetricExporter> => {
  const { protocol, url } = otlpTarget(settings, 'metrics');
  const { OTLPMetricExporter } =
    protocol === 'grpc'
      ? await import('@opentelemetry/exporter-metrics-otlp-grpc')
      : await import('@opentelemetry/exporter-metrics-otlp-proto');
  return new OTLPMetricExporter({ url, timeoutMillis: sendMs, temporalityPreference: cumulative });
};

const producerOf = (read: OtelMetricsOptions['read'], instanceId: string): MetricProducer => {
  const resource = resourceFromAttributes(resourceAttributes(instanceId));
  const startTime = toHrTime(performance.timeOrigin);
  return {
    async collect() {
      const snapshot = await read();
      const times = { startTime, endTime: toHrTime(Date.now()) };
      const metrics = snapshot.map((metric) => toMetricData(metric, times));
      return {
        resourceMetrics: { resource, scopeMetrics: [{ scope: { name: 'authserver', version }, metrics }] },
        errors: [],
      };
    },
  };
};

type Metric = MetricsSnapshot[number];
type Times = { startTime: HrTime; endTime: HrTime };

/** A metric of prom-client as one of OpenTelemetry, under the same name. */
export const toMetricData = (metric: Metric, times: Times): MetricData => {
  const type = String(metric.type); // a number in prom-client's declarations, a word in what it gives out
  const { name, help: description } = metric;
  const unit = /_seconds(_total)?$/.test(name) && !name.includes('_timestamp_') ? 's' : '';
  const common = {
    descriptor: { name, description, unit, valueType: ValueType.DOUBLE },
    aggregationTemporality: cumulative,
  };
  if (type === 'histogram')
    return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints: toHistograms(metric, times) };
  const dataPoints = metric.values.map(({ labels, value }) => ({ ...times, attributes: { ...labels }, value }));
  if (type === 'counter') return { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
  return { ...common, dataPointType: DataPointType.GAUGE, dataPoints };
};

/** A line for each bucket, holding those below it as well, becomes one point for each combination of labels. */
const toHistograms = ({ name, values }: Metric, times: Times): DataPoint<Histogram>[] => {
  type Buckets = Histogram['buckets'];
  const points = new Map<string, DataPoint<Histogram & { buckets: Buckets }>>();
  for (const { labels, value, metricName } of values as (Metric['values'][number] & { metricName: string })[]) {
    const { le, ...attributes } = labels as Record<string, string | number>;
    const key = JSON.stringify(Object.entries(attributes).sort());
    let point = points.get(key);
    if (!point) {
      point = { ...times, attributes, value: { buckets: { boundaries: [], counts: [] }, sum: 0, count: 0 } };
      points.set(key, point);
    }
    const histogram = point.value;
    if (metricName === `${name}_sum`) histogram.sum = value;
    else if (metricName === `${name}_count`) histogram.count = value;
    else {
      const { boundaries, counts } = histogram.buckets;
      const below = counts.reduce((sum, count) => sum + count, 0);
      if (le !== '+Inf') boundaries.push(Number(le));
      counts.push(value - below);
    }
  }
  return [...points.values()];
};

const toHrTime = (milliseconds: number): HrTime => [
  Math.floor(milliseconds / 1000),
  Math.round((milliseconds % 1000) * 1e6),
];
