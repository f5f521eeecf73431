import { percentiles, type Tally } from './tally.ts';
import type { TrialOptions } from './trial.ts';
import { type Invariant, invariants, type Violations } from './violations.ts';

export type Report = {
  options: TrialOptions;
  seconds: number;
  violations: Violations;
  tally: Tally;
  faults: Readonly<Record<string, number>>;
  tokens: number;
  /** Those of them that a request which a pod still held may have ended, so that nobody can tell. */
  doubted: number;
  propagation: ReadonlyMap<string, readonly number[]>;
  /** Rotations without force that were due. */
  orderlyRotations: number;
  /** How often the machine was too busy to tell anything. */
  stalls: number;
  /** Where the logs are, when they may be needed. */
  directory: string | undefined;
};

/** The command that makes the same choices again. */
export const repeatCommand = ({
  seed,
  seconds,
  tokenPods,
  adminPods,
  actors,
  faults,
  upgradeFrom,
}: TrialOptions): string =>
  [
    'node test/cluster/run.ts',
    ...[`--seed ${seed}`, `--minutes ${seconds / 60}`, `--pods ${tokenPods}`, `--admins ${adminPods}`],
    `--actors ${actors}`,
    ...(upgradeFrom ? [`--upgrade-from ${upgradeFrom}`] : []),
    ...(faults ? [`--faults ${faults.join(',')}`] : []),
  ].join(' ');

/** One page that says what happened and whether it was all right. */
export const renderReport = (report: Report): string => {
  const { options, tally, violations, faults, propagation } = report;
  const ms = (value: number) => (Number.isNaN(value) ? '–' : `${value.toFixed(0)} ms`);
  const [totals, refusals] = [tally.totals(), tally.refusals()];
  const counts = (record: Readonly<Record<string, number>>) =>
    Object.entries(record)
      .sort(([one], [other]) => one.localeCompare(other))
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  const requests = tally
    .rows()
    .sort((one, other) => one.kind.localeCompare(other.kind))
    .map(
      ({ kind, outcomes, p50, p99, longest }) =>
        `  ${kind.padEnd(11)} p50 ${ms(p50).padStart(7)}  p99 ${ms(p99).padStart(7)}  max ${ms(longest).padStart(7)}   ${counts(outcomes)}`,
    );
  const checks = Object.entries(invariants).map(([name, text]) => {
    const broken = violations.list.filter(({ invariant }) => invariant === name).length;
    const count = violations.checks[name as Invariant];
    return `  ${broken === 0 ? 'held ' : `BROKEN ${broken} times`} ${text}${count > 0 ? ` (${count} checks)` : ''}`;
  });
  const changes = [...propagation].map(([what, times]) => {
    const { p50, p99, longest } = percentiles(times);
    return `  ${what.padEnd(26)} p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(longest)} (${times.length})`;
  });
  const broken = violations.list
    .slice(0, 20)
    .map(
      ({ invariant, detail, atSeconds, during }) =>
        `  ${atSeconds.toFixed(1)} s ${invariant}: ${detail}${during.length > 0 ? ` [${during.join('; ')}]` : ''}`,
    );
  return [
    `seed ${options.seed}: ${options.tokenPods} token pods, ${options.adminPods} admin pods, ${report.seconds.toFixed(0)} s, ${totals.requests} requests, ${report.tokens} tokens (${report.doubted} in doubt)`,
    `${totals.failed} of ${totals.balanced} requests through the balancer failed; 503 was said ${refusals.count} times, p50 ${ms(refusals.p50)}, p99 ${ms(refusals.p99)}, max ${ms(refusals.longest)}`,
    'requests',
    ...requests,
    'faults',
    `  ${counts(faults) || 'none'}; the machine itself stood still ${report.stalls} times`,
    `  rotations without force: ${report.orderlyRotations}`,
    'changes, from the confirmation to each undisturbed pod',
    ...changes,
    'invariants',
    ...checks,
    ...(broken.length > 0
      ? ['violations', ...broken, `logs: ${report.directory}`, `again: ${repeatCommand(options)}`]
      : []),
    '',
  ].join('\n');
};
