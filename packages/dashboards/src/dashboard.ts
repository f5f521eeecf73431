import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  type RowPanel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { ask, dataSource } from './panels.ts';
import { select } from './queries.ts';

type Builder<T> = { build(): T };
/** Panels under a heading, from left to right and then below. */
export type Section = { title: string; panels: readonly Builder<Panel>[] };

export const tag = 'authserver';

/** Everything a dashboard has beside its panels: what is chosen at the top, and what is marked on every time axis. */
const frame = (uid: string, title: string, description: string): DashboardBuilder =>
  new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([tag])
    .time({ from: 'now-3h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .editable()
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(chooser('job', 'Plane', 'label_values(up{job=~"authserver.*"}, job)'))
    .withVariable(chooser('instance', 'Process', 'label_values(up{job=~"$job"}, instance)'))
    .annotation(
      marker('Alerts', 'red', 'max by (alertname, severity) (ALERTS{alertstate="firing"})')
        .titleFormat('{{alertname}}')
        .tagKeys('severity'),
    )
    .annotation(
      marker('Starts', 'blue', `${select('process_start_time_seconds')} * 1000`)
        .titleFormat('{{instance}} started')
        .useValueForTime(true),
    )
    .annotation(
      marker(
        'Key rotations',
        'purple',
        `sum(changes(${select('authserver_key_rotation_total')}[$__rate_interval])) > 0`,
      ).titleFormat('The signing key was rotated'),
    )
    .link(
      new DashboardLinkBuilder('Dashboards')
        .type(DashboardLinkType.Dashboards)
        .tags([tag])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    );

const chooser = (name: string, label: string, query: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(dataSource)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ selected: true, text: ['All'], value: ['$__all'] });

const marker = (name: string, color: string, expr: string): AnnotationQueryBuilder =>
  new AnnotationQueryBuilder()
    .name(name)
    .datasource(dataSource)
    .enable(true)
    .iconColor(color)
    .expr(expr)
    .target(ask(expr))
    .step('15s');

/** Answers first, then what they come from, a section each. */
export const dashboard = (options: {
  uid: string;
  title: string;
  description: string;
  answers: readonly Builder<Panel>[];
  sections: readonly Section[];
}): Dashboard => {
  const builder = frame(options.uid, options.title, options.description);
  for (const panel of options.answers) builder.withPanel(panel);
  for (const { title, panels } of options.sections) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panel);
  }
  return numbered(builder.build());
};

/** Ids by order. What the builders would put into a menu of Grafana's stays where people see it. */
const numbered = (built: Dashboard): Dashboard => {
  for (const [index, panel] of (built.panels as (Panel | RowPanel)[]).entries()) panel.id = index + 1;
  return JSON.parse(
    JSON.stringify(built, (key, value) => (key === 'placement' && value === 'inControlsMenu' ? undefined : value)),
  );
};
