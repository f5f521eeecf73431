/**
 * Runs the cluster under faults for as long as you like:
 *
 *   node test/cluster/run.ts --minutes 20 --seed 7
 *
 * One page of results; exit code 1 when an invariant was broken. See docs/cluster-harness.md.
 */
import { parseArgs } from 'node:util';
import { renderWatched, type Watched, watchDashboards } from '../monitoring/watch.ts';
import { keyStores } from './key-stores.ts';
import { measurePropagation, renderPropagation } from './propagation.ts';
import { renderReport } from './report.ts';
import { runTrial } from './trial.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    pods: { type: 'string', default: '3' },
    admins: { type: 'string', default: '2' },
    actors: { type: 'string', default: '12' },
    rate: { type: 'string', default: '80' },
    faults: { type: 'string' },
    reconcile: { type: 'string', default: '1000' },
    'key-store': { type: 'string', default: 'postgres_key' },
    workers: { type: 'string', default: '0' },
    propagation: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '20' },
    dashboards: { type: 'boolean', default: false },
    'upgrade-from': { type: 'string' },
    'no-nats': { type: 'boolean', default: false },
  },
});

// An earlier release may know keys in files alone.
const keyStore = values['upgrade-from'] ? 'keyfile' : keyStores.find((name) => name === values['key-store']);
if (keyStore === undefined) throw new TypeError(`--key-store expects one of ${keyStores.join(', ')}`);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const say = (line: string) => process.stderr.write(`${line}\n`);

if (values.propagation) {
  const options = {
    ...{ seed, say, keyStore, rounds: Number(values.rounds) },
    ...{ pods: Number(values.pods), reconcileMs: Number(values.reconcile) },
  };
  process.stdout.write(renderPropagation(await measurePropagation(options), options));
  process.exit(0);
}

let watched: Watched | undefined;
const report = await runTrial({
  seed,
  seconds: Number(values.minutes) * 60,
  tokenPods: Number(values.pods),
  adminPods: Number(values.admins),
  actors: Number(values.actors),
  requestsPerSecond: Number(values.rate),
  faults: values.faults === undefined ? undefined : values.faults.split(',').filter((name) => name !== ''),
  keyStore,
  workers: Number(values.workers),
  upgradeFrom: values['upgrade-from'],
  holdMs: [1_000, 8_000],
  pauseMs: [1_000, 8_000],
  reconcileMs: Number(values.reconcile),
  nats: !values['no-nats'],
  beside: values.dashboards
    ? async (cluster) => {
        watched = await watchDashboards(cluster, Number(values.minutes) * 60);
      }
    : undefined,
  say,
});
process.stdout.write(renderReport(report));
if (watched) process.stdout.write(renderWatched(watched));
process.exit(report.violations.list.length > 0 || (watched?.findings.length ?? 0) > 0 ? 1 : 0);
