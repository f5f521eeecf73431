import assert from 'node:assert/strict';
import { test } from 'node:test';
import { previousRelease } from '../cluster/releases.ts';
import { renderReport } from '../cluster/report.ts';
import { runTrial } from '../cluster/trial.ts';
import { renderWatched, type Watched, watchDashboards } from '../monitoring/watch.ts';
import { noPrometheus } from '../support/prometheus.ts';

/** So long a Prometheus looks on, in the middle of the faults. */
const WATCH_SECONDS = 20;
let watched: Watched | undefined;

const seed = Number(process.env.CLUSTER_SEED ?? 20_260_728);

test('several pods under faults: nothing is lost, honoured twice or accepted after its end', {
  timeout: 240_000,
}, async (t) => {
  const report = await runTrial({
    seed,
    seconds: 45,
    tokenPods: 3,
    adminPods: 1,
    actors: 5,
    requestsPerSecond: 25,
    faults: [
      'rolling-restart',
      'rotation-storm',
      'migration-ahead',
      'forged-notify',
      'deaf',
      'redis-killed',
      'token-killed',
      'postgres-immediate',
    ],
    holdMs: [300, 1_200],
    pauseMs: [300, 1_000],
    reconcileMs: 1_000,
    nats: true,
    keyStore: 'postgres_key',
    beside: async (cluster) => {
      if (!noPrometheus) watched = await watchDashboards(cluster, WATCH_SECONDS);
    },
    say: (line) => t.diagnostic(line),
  });
  assert.deepEqual(report.violations.list, [], `\n${renderReport(report)}`);
  assert.ok(report.tokens > 50, `${report.tokens} tokens`);
  const { checks } = report.violations;
  for (const invariant of ['revoked-stays-dead', 'one-successor', 'row-for-token', 'jwks-verifies'] as const)
    assert.ok(checks[invariant] > 10, `${invariant} was checked ${checks[invariant]} times`);
});

test('meanwhile every query of every dashboard has an answer', { skip: noPrometheus }, () => {
  assert.ok(watched, 'the trial ended before');
  assert.ok(watched.queries > 100);
  assert.deepEqual(watched.findings, [], `\n${renderWatched(watched)}`);
});

// There is nothing to upgrade from before the first release (docs/upgrades.md).
const previous = await previousRelease();
if (previous !== undefined)
  test(`from ${previous} to this release and back, and nobody notices`, { timeout: 400_000 }, async (t) => {
    const report = await runTrial({
      ...{ seed, seconds: 0, tokenPods: 2, adminPods: 1, actors: 4, requestsPerSecond: 20 },
      upgradeFrom: previous,
      ...{ holdMs: [0, 0], pauseMs: [0, 0], reconcileMs: 1_000, nats: false, keyStore: 'keyfile' },
      say: (line) => t.diagnostic(line),
    });
    assert.deepEqual(report.violations.list, [], `\n${renderReport(report)}`);
  });
