import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../db.ts';
import type { PurgeStep } from './target.ts';

/**
 * How hard a purge works, in rows and milliseconds. A batch takes about `aimMs` of the database and is followed by a rest
 * that is `rest` times as long: when the database is busy, batches take longer, so they become smaller and the rests
 * longer. However fast the database is, what is written must not fill the disk's queue: `most` and `leastRestMs` bound it.
 */
export type Pace = {
  first: number;
  least: number;
  most: number;
  aimMs: number;
  rest: number;
  leastRestMs: number;
  mostRestMs: number;
};

export const gentle: Pace = {
  first: 200,
  least: 20,
  most: 500,
  aimMs: 10,
  rest: 4,
  leastRestMs: 40,
  mostRestMs: 2_000,
};

export type Sweep = {
  now: () => Date;
  signal: AbortSignal;
  pace: Pace;
  /** Told after every batch. */
  onDeleted: (rows: number) => void;
};

/**
 * Deletes everything of one table that is over, batch by batch. An abort is heeded between two batches, so no work is
 * thrown away.
 */
export const sweep = async (step: PurgeStep, db: Database, { now, signal, pace, onDeleted }: Sweep): Promise<void> => {
  let limit = pace.first;
  let from: string | undefined;
  while (!signal.aborted) {
    const start = performance.now();
    const { deleted, next } = await step.deleteSome(db, { now: now(), limit, from });
    const tookMs = performance.now() - start;
    if (deleted > 0) onDeleted(deleted);
    if (next === undefined) return;
    from = next;
    limit = nextLimit(limit, tookMs, pace);
    const restMs = Math.min(Math.max(tookMs * pace.rest, pace.leastRestMs), pace.mostRestMs);
    await sleep(restMs, undefined, { signal }).catch(() => {});
  }
};

/** Towards what fits into the aim, at most doubled or halved at once: one slow disk write says little. */
const nextLimit = (limit: number, tookMs: number, { aimMs, least, most }: Pace): number => {
  const fitting = Math.round(limit * Math.min(2, Math.max(0.5, aimMs / Math.max(tookMs, 0.1))));
  return Math.min(most, Math.max(least, fitting));
};
