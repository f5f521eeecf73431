import { setTimeout as sleep } from 'node:timers/promises';
import type { AdminClient } from '@authserver/admin-api';
import { AdminApiError } from '@authserver/admin-api';
import { AnswerLost } from './admin-transport.ts';
import type { KeyWatch } from './checks/key-watch.ts';
import type { Cluster } from './cluster.ts';
import type { Disturbances } from './disturbances.ts';
import { type Judge, Unavailable, Violated } from './judge.ts';
import type { Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import type { Tally } from './tally.ts';
import type { Population } from './traffic/population.ts';
import type { Violations } from './violations.ts';

/** Everything that actors and faults share. */
export type World = {
  cluster: Cluster;
  population: Population;
  judge: Judge;
  ledger: Ledger;
  keys: KeyWatch;
  disturbances: Disturbances;
  violations: Violations;
  tally: Tally;
  /** Milliseconds within which an undisturbed pod has followed a change. */
  boundMs: number;
  /** Milliseconds that changes took to reach all pods, by what was changed. */
  propagation: Map<string, number[]>;
  /** When traffic has to come to an end. */
  over: AbortSignal;
};

const PATIENCE_MS = 60_000;

/**
 * Does something at the admin API, at whichever pod answers, as often as needed until the answer has come. `done` is the
 * code of the refusal that means that an earlier try, whose answer was lost, has done it.
 *
 * @throws {Unavailable} when nobody answered for a minute @throws {Violated} when it was refused for no reason
 */
export const administer = async <T>(
  world: Pick<World, 'cluster' | 'disturbances' | 'violations' | 'tally'>,
  random: Random,
  what: string,
  call: (admin: AdminClient) => Promise<T>,
  done?: { code: string },
): Promise<T | undefined> => {
  const { cluster, disturbances, violations, tally } = world;
  const deadline = performance.now() + PATIENCE_MS;
  for (let lost = false; ; ) {
    const pod = random.pick(cluster.adminPods);
    const from = performance.now();
    try {
      const result = await call(cluster.admin(pod));
      tally.count('admin', '200', performance.now() - from, pod.name);
      return result;
    } catch (error) {
      const now = performance.now();
      if (error instanceof AdminApiError && error.status !== 503) {
        tally.count('admin', String(error.status), now - from, pod.name);
        if (lost && error.code === done?.code) return undefined;
        violations.add('own-fault-is-503', `${what} at ${pod.name}: ${error.status} ${error.code} ${error.detail}`);
        throw new Violated(what);
      }
      if (!(error instanceof AdminApiError || error instanceof AnswerLost)) throw error;
      tally.count('admin', error instanceof AnswerLost ? 'lost' : '503', now - from, pod.name);
      lost = true;
      violations.checked('nothing-fails-in-peace');
      if (!disturbances.allows('admin', pod.name, from, now))
        violations.add('nothing-fails-in-peace', `${what} at ${pod.name}: ${error.message} after ${now - from} ms`);
      if (now > deadline) throw new Unavailable(what);
      await sleep(200);
    }
  }
};

/** The answer, or undefined where it is all right that there is none. */
export const ifAvailable = async <T>(work: Promise<T>): Promise<T | undefined> => {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Unavailable) return undefined;
    throw error;
  }
};
