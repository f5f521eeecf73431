import type { MetricsSnapshot } from './ledger.ts';

export const openMetricsType = 'application/openmetrics-text';

/** A trace in which a value of a bucket was measured. */
export type Exemplar = { traceId: string; value: number; atSeconds: number };

type Value = MetricsSnapshot[number]['values'][number] & { metricName?: string; exemplar?: Exemplar };

/**
 * The text of OpenMetrics 1.0. It says what Prometheus text says, and the exemplars, for which that has no place. prom-client
 * has such a text too, but renames its counters for ever when it writes one.
 */
export const toOpenMetrics = (snapshot: MetricsSnapshot): string => `${snapshot.map(familyOf).join('')}# EOF\n`;

const familyOf = ({ name, help, type, values }: MetricsSnapshot[number]): string => {
  const isCounter = String(type) === 'counter';
  const family = isCounter ? name.replace(/_total$/, '') : name;
  const samples = (values as Value[]).map(
    ({ metricName = isCounter ? `${family}_total` : name, labels, value, exemplar }) =>
      `${metricName}${labelsOf(labels)} ${numberOf(value)}${exemplar ? exemplarOf(exemplar) : ''}\n`,
  );
  return `# TYPE ${family} ${type}\n# HELP ${family} ${escaped(help)}\n${samples.join('')}`;
};

const labelsOf = (labels: Value['labels']): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
};

const exemplarOf = ({ traceId, value, atSeconds }: Exemplar): string =>
  ` # {trace_id="${traceId}"} ${numberOf(value)} ${atSeconds.toFixed(3)}`;

const escaped = (text: string): string => text.replace(/[\\\n"]/g, (found) => (found === '\n' ? '\\n' : `\\${found}`));

const numberOf = (value: number): string => {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
};
