import { type Database, type PurgeTarget, partitionsUntil, purgeLag, purgeRuns } from '@authserver/store';
import type { Metrics, PurgeTargetName } from '@authserver/telemetry';

/** Looking for the oldest row costs a statement a table; whoever scrapes more often gets the same answer again. */
const lagAgeMs = 60_000;

/** What the database says of purges, whoever ran them: these metrics are right when `authserver purge` runs elsewhere. */
export const exposePurge = (options: {
  metrics: Metrics;
  database: Database;
  targets: readonly PurgeTarget[];
  now: () => Date;
}): void => {
  const { metrics, database, targets, now } = options;
  const runs = async (value: (run: Awaited<ReturnType<ReturnType<typeof purgeRuns>['list']>>[number]) => number) =>
    (await purgeRuns(database).list()).map((run) => ({ labels: { target: run.target }, value: value(run) }));
  metrics.purgeLastSuccess.collectWith(() => runs(({ finishedAt }) => finishedAt.getTime() / 1000));
  metrics.purgeLastDuration.collectWith(() => runs(({ seconds }) => seconds));

  let lag: { at: number; series: Promise<{ labels: { target: PurgeTargetName }; value: number }[]> } | undefined;
  metrics.purgeLag.collectWith(() => {
    if (!lag || performance.now() - lag.at > lagAgeMs) lag = { at: performance.now(), series: measure() };
    return lag.series;
  });
  const measure = async () => {
    const series = [];
    for (const target of targets)
      series.push({ labels: { target: target.name }, value: await purgeLag(database, target, now()) });
    return series;
  };

  metrics.partitionsUntil.collectWith(async () =>
    (await partitionsUntil(database, now())).map(({ table, until }) => ({
      labels: { table },
      value: until.getTime() / 1000,
    })),
  );
};
