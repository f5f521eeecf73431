/**
 * Runs the cluster under faults for as long as you like:
 *
 *   node test/cluster/run.ts --minutes 20 --seed 7
 *
 * One page of results; exit code 1 when an invariant was broken. See docs/cluster-harness.md.
 */
import { parseArgs } from 'node:util';
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
    'upgrade-from': { type: 'string' },
    'no-nats': { type: 'boolean', default: false },
  },
});

const report = await runTrial({
  seed: Number(values.seed ?? Date.now() % 1_000_000),
  seconds: Number(values.minutes) * 60,
  tokenPods: Number(values.pods),
  adminPods: Number(values.admins),
  actors: Number(values.actors),
  requestsPerSecond: Number(values.rate),
  faults: values.faults === undefined ? undefined : values.faults.split(',').filter((name) => name !== ''),
  upgradeFrom: values['upgrade-from'],
  holdMs: [1_000, 8_000],
  pauseMs: [1_000, 8_000],
  reconcileMs: Number(values.reconcile),
  nats: !values['no-nats'],
  say: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(renderReport(report));
process.exit(report.violations.list.length > 0 ? 1 : 0);
