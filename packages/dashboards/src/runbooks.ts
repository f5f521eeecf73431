import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Dashboard, DashboardBuilder, DatasourceVariableBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { tag } from './dashboard.ts';
import { chart, upAndDown, words } from './panels.ts';
import { orZero } from './queries.ts';

const directory = new URL('../../../docs/runbooks/', import.meta.url);
const columns = 24;
const textWidth = 12;

/**
 * The runbooks as dashboards, so that they are where people look at night: the text, whether the alert is firing and since
 * when, and what each query of the text gives just now. An alert named X leads to /d/runbook-X.
 */
export const runbooks = (): Record<string, Dashboard> =>
  Object.fromEntries(
    readdirSync(directory)
      .filter((file) => file.endsWith('.md'))
      .sort()
      .map((file) => {
        const alert = basename(file, '.md');
        return [alert, runbook(alert, readFileSync(fileURLToPath(new URL(file, directory)), 'utf8'))];
      }),
  );

/** The queries of a page, in their order. */
export const queriesOf = (markdown: string): string[] =>
  [...markdown.matchAll(/^```promql\n([\s\S]*?)\n```$/gm)].map(([, query = '']) => query);

const runbook = (alert: string, markdown: string): Dashboard => {
  const queries = queriesOf(markdown);
  const panels = [
    upAndDown({
      title: 'Is it firing',
      what: 'The alert over time; 1 while it fires.',
      expr: orZero(`max(ALERTS{alertname="${alert}",alertstate="firing"})`),
      legend: alert,
      words: { 0: 'quiet', 1: 'firing' },
      bad: 1,
    }),
    ...queries.map((expr, index) => chart({ title: `Query ${index + 1}`, what: inOneLine(expr), queries: [{ expr }] })),
  ];
  const builder = new DashboardBuilder(`Runbook: ${alert}`)
    .uid(`runbook-${alert}`)
    .tags([`${tag}-runbook`])
    .time({ from: 'now-3h', to: 'now' })
    .refresh('30s')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withPanel(
      words('What to do', readable(markdown), { width: textWidth, height: 8 * panels.length }).gridPos({
        ...{ x: 0, y: 0, w: textWidth, h: 8 * Math.max(panels.length, 3) },
      }),
    );
  for (const [index, panel] of panels.entries())
    builder.withPanel(panel.gridPos({ x: textWidth, y: 8 * index, w: columns - textWidth, h: 8 }));
  const built = builder.build();
  for (const [index, panel] of (built.panels ?? []).entries()) panel.id = index + 1;
  return built;
};

const inOneLine = (text: string): string => text.replace(/\s+/g, ' ');

/** Links lead to files of the repository, except those to other runbooks. */
const readable = (markdown: string): string =>
  markdown
    .replace(/^# .*\n+/, '')
    .replace(/\[([^\]]+)\]\((\w+)\.md\)/g, '[$1](/d/runbook-$2)')
    .replace(/\[([^\]]+)\]\(\.\.\/([^)]+)\)/g, '$1 (docs/$2)');
