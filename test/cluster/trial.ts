/**
 * One trial: a cluster, traffic, faults, and in the end the question whether everything that was promised held. What is
 * done when is decided by the seed; when exactly it happens is decided by the machine.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../support/server-process.ts';
import { checkAudit } from './checks/audit.ts';
import { checkConvergence } from './checks/convergence.ts';
import { createKeyWatch } from './checks/key-watch.ts';
import { checkDoubts, checkFamilies, checkRows } from './checks/rows.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { createDisturbances } from './disturbances.ts';
import { RECOVERY_MS } from './faults/fault.ts';
import { injectFaults } from './faults/schedule.ts';
import { createJudge, createPace } from './judge.ts';
import type { KeyStoreName } from './key-stores.ts';
import { createLedger } from './ledger.ts';
import { createRandom, type Random } from './random.ts';
import { checkOut } from './releases.ts';
import type { Report } from './report.ts';
import { watchStalls } from './stalls.ts';
import { createTally } from './tally.ts';
import { runActors } from './traffic/actors.ts';
import { inspectAt } from './traffic/introspection.ts';
import { createPopulation } from './traffic/population.ts';
import { upgrade } from './upgrade.ts';
import { createViolations } from './violations.ts';
import type { World } from './world.ts';

export type TrialOptions = {
  seed: number;
  seconds: number;
  tokenPods: number;
  adminPods: number;
  actors: number;
  requestsPerSecond: number;
  /** Instead of faults: from this earlier commit to the checkout, and back, and forward again. */
  upgradeFrom?: string | undefined;
  /** Only these faults, in this order. */
  faults?: readonly string[] | undefined;
  holdMs: readonly [number, number];
  pauseMs: readonly [number, number];
  reconcileMs: number;
  nats: boolean;
  keyStore: KeyStoreName;
  workers?: number | undefined;
  settings?: Record<string, string> | undefined;
  /** Somebody who looks on; traffic goes on until everything has been seen. */
  beside?: ((cluster: Cluster) => Promise<void>) | undefined;
  /** Told what goes on, line by line. */
  say: (line: string) => void;
};

/** So much later than the interval of reading may an undisturbed pod follow a change, on a machine that is busy. */
const LATE_MS = 4_000;
/** Tokens that are asked about once more at the end. */
const LAST_LOOKS = 150;

export const runTrial = async (options: TrialOptions): Promise<Report> => {
  const { say } = options;
  const random = createRandom(options.seed);
  const disturbances = createDisturbances();
  const violations = createViolations(disturbances.active, ({ invariant, detail, during }) =>
    say(`VIOLATION ${invariant}: ${detail}${during.length > 0 ? ` (during: ${during.join(', ')})` : ''}`),
  );
  const tally = createTally();
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;

  const from = options.upgradeFrom === undefined ? undefined : await checkOut(options.upgradeFrom);
  say(`starting ${options.tokenPods} token and ${options.adminPods} admin pods`);
  const cluster = await startCluster({ ...options, random: random.fork('balancer'), release: from ?? root });
  const faultsInjected: Record<string, number> = {};
  const over = new AbortController();
  const stalls = watchStalls(disturbances);
  let finished = false;
  try {
    const boundMs = options.reconcileMs + LATE_MS;
    const keys = createKeyWatch({ cluster, disturbances, violations, boundMs });
    const judge = createJudge({ disturbances, violations, tally, pace: createPace(options.requestsPerSecond) });
    const population = await createPopulation(
      { cluster, disturbances, violations, tally },
      random.fork('population'),
      6,
    );
    const world: World = {
      ...{ cluster, population, judge, ledger: createLedger(), keys, disturbances, violations, tally, boundMs },
      propagation: new Map(),
      over: over.signal,
    };
    say(`ready after ${seconds().toFixed(1)} s, in ${cluster.directory}; traffic begins`);

    const traffic = runActors(world, random.fork('actors'), options.actors);
    const verifying = keepVerifying(world, random.fork('verifying'));
    const beside = options.beside?.(cluster);
    const time = new AbortController();
    const faulting = from
      ? upgrade(world, { from, to: root }, (line) => say(`${seconds().toFixed(1)} s: ${line}`))
      : injectFaults({ ...world, over: time.signal }, random.fork('faults'), {
          only: options.faults,
          holdMs: options.holdMs,
          pauseMs: options.pauseMs,
          onFault(name) {
            faultsInjected[name] = (faultsInjected[name] ?? 0) + 1;
            say(`${seconds().toFixed(1)} s: ${name}`);
          },
        });
    const timer = setTimeout(() => time.abort(), options.seconds * 1000);
    // Without faults there is still the traffic to watch.
    if (options.faults?.length === 0) await sleep(options.seconds * 1000);
    await Promise.all([faulting, beside]);
    clearTimeout(timer);
    await sleep(RECOVERY_MS);
    over.abort();
    await traffic;
    await verifying;
    say(`${seconds().toFixed(1)} s: traffic has ended, looking at what is left`);

    // The last questions are asked in peace, and nothing may excuse a wrong answer any more.
    const last: World = { ...world, over: new AbortController().signal };
    await checkConvergence(last, random.fork('convergence'));
    const doubted = world.ledger.doubted().length;
    await checkDoubts(last);
    await lookAgain(last, random.fork('last looks'));
    const tokens = world.ledger.all();
    await checkRows(
      last,
      tokens.map(({ jti }) => jti),
    );
    await checkFamilies(last);
    await checkAudit(last, random.fork('audit'));
    finished = true;
    return {
      ...{ options, seconds: seconds(), violations, tally, faults: faultsInjected, tokens: tokens.length },
      doubted,
      propagation: world.propagation,
      orderlyRotations: world.keys.orderly(),
      stalls: stalls.count(),
      directory: violations.list.length > 0 ? cluster.directory : undefined,
    };
  } finally {
    over.abort();
    stalls.stop();
    await cluster.stop({ keepLogs: violations.list.length > 0 || !finished });
  }
};

/** Takes the newest tokens to the keys of every pod and to the database, all the time. */
const keepVerifying = async (world: World, random: Random): Promise<void> => {
  let seen = 0;
  while (!world.over.aborted) {
    const fresh = world.ledger.all().slice(seen);
    seen += fresh.length;
    if (fresh.length > 0) {
      await world.keys.verify(random.pick(fresh));
      // A database that is away just now is asked at the end.
      await checkRows(
        world,
        fresh.map(({ jti }) => jti),
      ).catch(() => {});
    }
    await world.keys.verifyStale();
    await sleep(400);
  }
};

const lookAgain = async (world: World, random: Random): Promise<void> => {
  const all = world.ledger.all();
  for (let n = 0; n < LAST_LOOKS && all.length > 0; n += 1) {
    const pod = random.pick(world.cluster.tokenPods);
    await inspectAt(world, random.pick(all), pod.name);
  }
};
