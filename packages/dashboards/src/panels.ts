import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  MappingType,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TextBuilder, TextMode } from '@grafana/grafana-foundation-sdk/text';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** The kinds of panels there are. All of them draw from the data source that is chosen at the top. */
export const dataSource = { type: 'prometheus', uid: '$datasource' };

export type Unit = 's' | 'reqps' | 'percentunit' | 'short' | 'bytes' | 'none' | 'dateTimeFromNow';
type Query = { expr: string /** In words, or a label in braces. */; legend?: string };
type Limits = { warn?: number; bad: number };

const panelWidth = 12;
const answersInARow = 6;
const columns = 24;

export const ask = (expr: string, legend = ''): DataqueryBuilder =>
  new DataqueryBuilder().expr(expr).legendFormat(legend).datasource(dataSource);

/** Green until a value is worth a look, red when somebody should get up. With `below`, small values are the bad ones. */
const thresholds = ({ warn, bad }: Limits, below: boolean): ThresholdsConfigBuilder => {
  const steps: Threshold[] = below
    ? [
        { value: null, color: 'red' },
        ...(warn === undefined ? [] : [{ value: bad, color: 'orange' }]),
        { value: warn ?? bad, color: 'green' },
      ]
    : [
        { value: null, color: 'green' },
        ...(warn === undefined ? [] : [{ value: warn, color: 'orange' }]),
        { value: bad, color: 'red' },
      ];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
};

const saying = (words: Readonly<Record<string, string>>): ValueMapping[] => [
  {
    type: MappingType.ValueToText,
    options: Object.fromEntries(Object.entries(words).map(([value, text], index) => [value, { text, index }])),
  },
];

const runbookLink = (alert: string): DashboardLinkBuilder =>
  new DashboardLinkBuilder(`Runbook: ${alert}`).type(DashboardLinkType.Link).url(`/d/runbook-${alert}`);

/** One question and its answer now: a number in a colour. The title is the question in a few words. */
export const answer = (options: {
  title: string;
  /** What the number is, and what to do when it is not green. */
  what: string;
  expr: string;
  unit?: Unit;
  limits?: Limits;
  below?: boolean;
  /** Words for single values, as "none" for 0. */
  words?: Readonly<Record<string, string>>;
  /** The alert whose runbook is one click away. */
  alert?: string;
}): StatBuilder =>
  new StatBuilder()
    .title(options.title)
    .description(options.what)
    .datasource(dataSource)
    .withTarget(ask(options.expr))
    .unit(options.unit ?? 'short')
    .thresholds(
      options.limits
        ? thresholds(options.limits, options.below ?? false)
        : thresholds({ bad: Number.MAX_SAFE_INTEGER }, false),
    )
    .mappings(saying(options.words ?? {}))
    .noValue('no data')
    .colorMode(options.limits ? BigValueColorMode.Background : BigValueColorMode.None)
    .graphMode(BigValueGraphMode.Area)
    .textMode(BigValueTextMode.Value)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .links(options.alert === undefined ? [] : [runbookLink(options.alert)])
    .span(columns / answersInARow)
    .height(4);

/** Buckets as they were scraped name a trace each; what a rule recorded of them does not. */
const hasExemplars = (expr: string): boolean => /_bucket\{/.test(expr);

/** How something went over time. Latencies show as points the requests that were traced. */
export const chart = (options: {
  title: string;
  what?: string;
  queries: readonly Query[];
  unit?: Unit;
  /** Parts of a whole are stacked. */
  stacked?: boolean;
  /** A line at the value from which it is bad. */
  limits?: Limits;
  alert?: string;
  width?: number;
}): TimeSeriesBuilder => {
  const panel = new TimeSeriesBuilder()
    .title(options.title)
    .datasource(dataSource)
    .targets(
      options.queries.map(({ expr, legend }, at) => {
        const target = ask(expr, legend).refId(String.fromCharCode(65 + at));
        return options.unit === 's' && hasExemplars(expr) ? target.exemplar(true) : target;
      }),
    )
    .unit(options.unit ?? 'short')
    .min(0)
    .drawStyle(GraphDrawStyle.Line)
    .fillOpacity(options.stacked ? 40 : 8)
    .spanNulls(false)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Right)
        .showLegend(true)
        .calcs(['lastNotNull', 'max']),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .links(options.alert === undefined ? [] : [runbookLink(options.alert)])
    .span(options.width ?? panelWidth)
    .height(8);
  if (options.what !== undefined) panel.description(options.what);
  if (options.stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
  if (options.limits) panel.thresholds(thresholds(options.limits, false));
  return panel;
};

/** One of two states over time, a line for each. */
export const upAndDown = (options: {
  title: string;
  what: string;
  expr: string;
  legend: string;
  /** What 0 and 1 mean, and which of them is the bad one. */
  words?: { 0: string; 1: string };
  bad?: 0 | 1;
  alert?: string;
}): StateTimelineBuilder =>
  new StateTimelineBuilder()
    .title(options.title)
    .description(options.what)
    .datasource(dataSource)
    .withTarget(ask(options.expr, options.legend))
    .thresholds(thresholds({ bad: 1 }, options.bad !== 1))
    .mappings(saying(options.words ?? { 0: 'down', 1: 'up' }))
    .mergeValues(true)
    .links(options.alert === undefined ? [] : [runbookLink(options.alert)])
    .span(panelWidth)
    .height(8);

/** One row for each series, now. The columns are labels by their names; `value` is what the number is. */
export const list = (options: {
  title: string;
  what: string;
  expr: string;
  value: { title: string; unit: Unit };
  columns: readonly string[];
  /** A link from a column, where `${__value.raw}` is what it holds. */
  link?: { column: string; title: string; url: string };
  width?: number;
}): TableBuilder => {
  const panel = new TableBuilder()
    .title(options.title)
    .description(options.what)
    .datasource(dataSource)
    .withTarget(ask(options.expr).format(PromQueryFormat.Table).instant())
    .withTransformation({
      id: 'filterFieldsByName',
      options: { include: { names: [...options.columns, 'Value'] } },
    })
    .withTransformation({
      id: 'organize',
      options: {
        renameByName: { Value: options.value.title },
        indexByName: Object.fromEntries([...options.columns, 'Value'].map((name, index) => [name, index])),
      },
    })
    .overrideByName(options.value.title, [{ id: 'unit', value: options.value.unit }])
    .span(options.width ?? columns)
    .height(8);
  const { link } = options;
  if (link) panel.overrideByName(link.column, [{ id: 'links', value: [{ title: link.title, url: link.url }] }]);
  return panel;
};

/** Words alone. */
export const words = (title: string, markdown: string, size: { width: number; height: number }): TextBuilder =>
  new TextBuilder().title(title).mode(TextMode.Markdown).content(markdown).span(size.width).height(size.height);
