/** Asks a real Prometheus, which scrapes the pods of a cluster, for everything the dashboards show. */
import { setTimeout as sleep } from 'node:timers/promises';
import { catalogue, type MetricSpec } from '@authserver/telemetry';
import type { Cluster } from '../cluster/cluster.ts';
import { startPrometheus } from '../support/prometheus.ts';
import { annotationQueries, asAsked, type PanelQuery, panelQueries, selectorsOf } from './panels.ts';

export type Finding = PanelQuery & { problem: string };
export type Watched = { queries: number; findings: Finding[] };

/** Long enough for the rates of recording.yaml to have two samples. */
const window = { rate: '15s', range: '1m' };

/** Series that begin with an event which a healthy cluster does not have, or with a feature that is still to come. */
const mayBeMissing = (selector: string): boolean =>
  /^ALERTS|class="5xx"|store="redis"|_purge_last_/.test(selector) ||
  Object.values<MetricSpec>(catalogue).some(({ name, planned }) => planned !== undefined && selector.startsWith(name));

/**
 * Scrapes for so long while others drive traffic, then asks each query and says which gave nothing, or only NaN, or looks
 * for a series that is not there: most queries say 0 then, which is right at night and would hide a misspelt label here.
 */
export const watchDashboards = async (cluster: Cluster, seconds: number): Promise<Watched> => {
  const prometheus = await startPrometheus({
    targets: {
      'authserver-token': cluster.tokenPods.map(({ metricsAddress }) => metricsAddress),
      'authserver-admin': cluster.adminPods.map(({ metricsAddress }) => metricsAddress),
    },
  });
  try {
    await sleep(seconds * 1000);
    const findings: Finding[] = [];
    const look = async (query: PanelQuery, mayBeEmpty: boolean): Promise<void> => {
      const problem = await prometheus.query(asAsked(query.expression, window)).then(
        (series) => {
          if (series.length === 0) return mayBeEmpty ? undefined : 'gives nothing';
          return series.every(({ value: [, value] }) => value === 'NaN') ? 'gives NaN' : undefined;
        },
        (error: Error) => error.message,
      );
      if (problem !== undefined) findings.push({ ...query, problem });
    };
    const lookFor = async (query: PanelQuery): Promise<void> => {
      for (const selector of selectorsOf(asAsked(query.expression, window))) {
        if (mayBeMissing(selector) || (await prometheus.query(selector)).length > 0) continue;
        findings.push({ ...query, problem: `there is no ${selector}` });
      }
    };
    const panels = panelQueries();
    for (const query of panels) {
      await look(query, false);
      await lookFor(query);
    }
    for (const query of annotationQueries()) await look(query, true);
    return { queries: panels.length, findings };
  } finally {
    await prometheus.stop();
  }
};

export const renderWatched = ({ queries, findings }: Watched): string =>
  [
    `${queries} queries of the dashboards, ${findings.length} without an answer`,
    ...findings.map(
      ({ dashboard, panel, problem, expression }) => `  ${dashboard}, ${panel}: ${problem}\n    ${expression}`,
    ),
    '',
  ].join('\n');
