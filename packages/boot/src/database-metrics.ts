import type { DatabasePool, GatherWatch } from '@authserver/store';
import type { GatheredStatement, Metrics, PoolName } from '@authserver/telemetry';

/** Shows how many connections of a pool are in use, whenever somebody scrapes. */
export const exposePool = (metrics: Metrics, pool: PoolName, database: Pick<DatabasePool, 'connections'>): void => {
  metrics.dbConnections.collectWith(async () => {
    const { inUse, idle } = database.connections();
    return [
      { labels: { pool, state: 'in_use' }, value: inUse },
      { labels: { pool, state: 'idle' }, value: idle },
    ];
  });
  metrics.dbConnectionsMax.collectWith(async () => [{ labels: { pool }, value: database.connections().max }]);
  metrics.dbWaiting.collectWith(async () => [{ labels: { pool }, value: database.connections().waiting }]);
};

/** Counts how requests share a statement. */
export const watchGathering =
  (metrics: Metrics) =>
  (operation: GatheredStatement): GatherWatch => ({
    waiting: (length) =>
      metrics.groupCommitWaiting.collectWith(async () => [{ labels: { operation }, value: length() }]),
    batch: (size) => metrics.groupCommitSize.observe({ operation }, size),
    refused: () => metrics.groupCommitRefused.inc({ operation }),
  });
