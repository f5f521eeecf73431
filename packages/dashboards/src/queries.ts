import type { Catalogue } from '@authserver/telemetry';

/**
 * PromQL in the words the panels use. Metrics and labels are those of the catalogue, so a panel about one that does not
 * exist does not compile. Every query is of the chosen jobs and instances, and gives 0 rather than nothing where an event
 * has not happened yet: at night nobody should wonder whether an empty panel means "all is well" or "nothing is known".
 */
type Spec = Catalogue[keyof Catalogue];
export type MetricName = Spec['name'];
export type CounterName = Extract<Spec, { type: 'counter' }>['name'];
export type HistogramName = Extract<Spec, { type: 'histogram' }>['name'];
type LabelOf<N extends MetricName> = N extends MetricName ? keyof Extract<Spec, { name: N }>['labels'] & string : never;
/** Labels of the metric, and of where it was scraped. */
type By<N extends MetricName> = readonly (LabelOf<N> | 'job' | 'instance')[];

const chosen = 'job=~"$job",instance=~"$instance"';

/** A selector; `where` holds further matchers, as in `status=~"5.."`. */
export const select = (name: string, where = ''): string => `${name}{${chosen}${where && `,${where}`}}`;

const aggregate = (how: 'sum' | 'max' | 'min', by: readonly string[] = []): string =>
  by.length > 0 ? `${how} by (${by.join(', ')})` : how;

/** `or vector(0)` alone would add a series beside those that are there. */
export const orZero = (expression: string): string => `${expression} or on () vector(0)`;

type Options<N extends MetricName> = { by?: By<N>; where?: string };

/** Events a second, over all processes. */
export const perSecond = <N extends CounterName>(name: N, { by, where }: Options<N> = {}): string =>
  orZero(`${aggregate('sum', by)} (rate(${select(name, where)}[$__rate_interval]))`);

/** Events within the range on the screen, over all processes. */
export const inRange = <N extends CounterName>(name: N, { by, where }: Options<N> = {}): string =>
  orZero(`round(${aggregate('sum', by)} (increase(${select(name, where)}[$__range])))`);

/** The share of some events in all, between 0 and 1; 0 when there are none at all. */
export const share = (part: string, whole: string): string => orZero(`(${part}) / ((${whole}) > 0)`);

/** A quantile of a histogram, over all processes; a gap while nothing happens. */
export const quantile = <N extends HistogramName>(q: number, name: N, { by, where }: Options<N> = {}): string =>
  `histogram_quantile(${q}, ${aggregate('sum', [...(by ?? []), 'le'])} (rate(${select(`${name}_bucket`, where)}[$__rate_interval])))`;

/** The same for what happens seldom: 0 while nothing does. */
export const quantileOrZero = <N extends HistogramName>(q: number, name: N, options: Options<N> = {}): string =>
  orZero(`(${quantile(q, name, options)} >= 0)`);

/** A gauge, the largest of all unless said otherwise. */
export const gauge = <N extends MetricName>(
  name: N,
  { by, where, take = 'max' }: Options<N> & { take?: 'max' | 'min' | 'sum' } = {},
): string => orZero(`${aggregate(take, by)} (${select(name, where)})`);

/** The largest few of a query that has many series. */
export const most = (count: number, expression: string): string => orZero(`topk(${count}, (${expression}) > 0)`);

/** A recording rule of deploy/prometheus/recording.yaml, which all have job and instance. */
export const recorded = (rule: string, { by, where }: { by?: readonly string[]; where?: string } = {}): string =>
  orZero(`${aggregate('sum', by)} (${select(rule, where)})`);

export const recordedQuantile = (
  q: number,
  rule: string,
  { by = [], where }: { by?: readonly string[]; where?: string } = {},
): string => orZero(`(histogram_quantile(${q}, ${aggregate('sum', [...by, 'le'])} (${select(rule, where)})) >= 0)`);
