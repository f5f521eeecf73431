import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root } from '../support/source-files.ts';

export type PanelQuery = {
  dashboard: string;
  panel: string;
  /** As it stands in the file, with Grafana's variables. */
  expression: string;
};

type Panel = { title?: string; type: string; targets?: { expr: string }[] };
type DashboardFile = {
  panels: Panel[];
  templating: { list: { type: string; name: string; query: string }[] };
  annotations: { list: { name: string; expr: string }[] };
};

export const dashboardFiles = globSync('deploy/grafana/dashboards/*.json', { cwd: root }).sort();

const read = (file: string): DashboardFile => JSON.parse(readFileSync(join(root, file), 'utf8')) as DashboardFile;

/** Every query of every panel of the files Grafana is given. */
export const panelQueries = (): PanelQuery[] =>
  dashboardFiles.flatMap((file) =>
    read(file).panels.flatMap(({ title = '', targets = [] }) =>
      targets.map(({ expr }) => ({ dashboard: basename(file, '.json'), panel: title, expression: expr })),
    ),
  );

/** What is asked beside the panels: the marks on the time axes, which may be none. */
export const annotationQueries = (): PanelQuery[] =>
  dashboardFiles.flatMap((file) =>
    read(file).annotations.list.map(({ name, expr }) => ({
      dashboard: basename(file, '.json'),
      panel: name,
      expression: expr,
    })),
  );

/** The series an expression looks for, each with its matchers. */
export const selectorsOf = (expression: string): string[] => [
  ...new Set([...expression.matchAll(/[a-zA-Z_:][\w:]*\{[^}]*\}/g)].map(([selector]) => selector)),
];

/** What Grafana would ask: everything is chosen, and so much is on the screen. */
export const asAsked = (expression: string, window: { rate: string; range: string }): string =>
  expression
    .replaceAll('$job', '.+')
    .replaceAll('$instance', '.+')
    .replaceAll('$__rate_interval', window.rate)
    .replaceAll('$__range', window.range);
