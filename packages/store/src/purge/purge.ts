import type { PurgeTargetName } from '@authserver/telemetry';
import type { Database } from '../db.ts';
import { purgeRuns } from './runs.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';
import { gentle, type Pace, sweep } from './sweep.ts';
import { ago, type PurgeTarget } from './target.ts';

/** One purge at a time, whoever started it. */
const lockKey = '7237912384510';

const longestBatchMs = 3_000;

export type PurgeResult = {
  target: PurgeTargetName;
  outcome: 'completed' | 'failed' | 'interrupted';
  /** What went, also when it failed or was interrupted. */
  deleted: number;
  seconds: number;
  error?: unknown;
};

export type PurgeOptions = Pick<SessionOptions, 'dsn' | 'onQuery' | 'onAudited'> & {
  targets: readonly PurgeTarget[];
  now: () => Date;
  /** Ends the purge in the middle of a target. */
  signal: AbortSignal;
  pace?: Partial<Pace>;
  /** There is nothing to do when every target was done within so many seconds, by whomever. */
  unlessDoneWithin?: number;
  onStart?: (target: PurgeTargetName, count: () => Promise<number>) => Promise<void> | void;
  onDeleted?: (target: PurgeTargetName, rows: number) => void;
  onEnd?: (result: PurgeResult) => void;
};

/** `busy`: another purge is at it. `recent`: one was lately. Else what became of each target that was begun. */
export type PurgeOutcome = 'busy' | 'recent' | PurgeResult[];

/**
 * Deletes what is over, target by target, on a connection of its own that holds the lock for as long as it lives. A target
 * that fails does not keep the next from its turn; an abort does.
 */
export const purge = async (options: PurgeOptions): Promise<PurgeOutcome> => {
  const { targets, now, signal, unlessDoneWithin: within } = options;
  const session = await openSession({ ...options, applicationName: 'authserver purge' });
  const release = cancelLate(signal, session);
  try {
    const { rows } = await session.query<{ held: boolean }>(
      'purge_lock',
      `select pg_try_advisory_lock(${lockKey}) as held`,
    );
    if (!rows[0]?.held) return 'busy';
    if (within !== undefined && (await doneSince(session, targets, ago(now(), within)))) return 'recent';
    const results: PurgeResult[] = [];
    for (const target of targets) {
      if (signal.aborted) break;
      const result = await purgeTarget(target, session, options);
      results.push(result);
      options.onEnd?.(result);
    }
    return results;
  } finally {
    release();
    await session.end();
  }
};

const purgeTarget = async (target: PurgeTarget, db: Database, options: PurgeOptions): Promise<PurgeResult> => {
  const { now, signal } = options;
  const started = performance.now();
  let deleted = 0;
  const end = (outcome: PurgeResult['outcome'], error?: unknown): PurgeResult => ({
    target: target.name,
    outcome,
    deleted,
    seconds: (performance.now() - started) / 1000,
    ...(error === undefined ? {} : { error }),
  });
  const onDeleted = (rows: number): void => {
    deleted += rows;
    options.onDeleted?.(target.name, rows);
  };
  try {
    await options.onStart?.(target.name, () => countDue(db, target, now()));
    for (const step of target.steps)
      await sweep(step, db, { now, signal, pace: { ...gentle, ...options.pace }, onDeleted });
    if (signal.aborted) return end('interrupted');
    const result = end('completed');
    await purgeRuns(db).note({ target: target.name, finishedAt: now(), deleted, seconds: result.seconds });
    return result;
  } catch (error) {
    return signal.aborted ? end('interrupted') : end('failed', error);
  }
};

/** A batch is awaited when the purge is told to end. What takes longer than a batch should, is not. */
const cancelLate = (signal: AbortSignal, session: Session): (() => void) => {
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(() => void session.cancel().catch(() => {}), longestBatchMs);
  };
  signal.addEventListener('abort', onAbort);
  return () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  };
};

const doneSince = async (db: Database, targets: readonly PurgeTarget[], since: Date): Promise<boolean> => {
  const runs = await purgeRuns(db).list();
  return targets.every(({ name }) => runs.some(({ target, finishedAt }) => target === name && finishedAt >= since));
};

export type PurgePlan = { target: PurgeTargetName; rows: number }[];

/** What a purge would delete. Changes nothing and takes no lock; an abort ends the statement that is under way. */
export const planPurge = async (options: {
  dsn: string;
  targets: readonly PurgeTarget[];
  now: Date;
  signal: AbortSignal;
}): Promise<PurgePlan> => {
  const session = await openSession({ dsn: options.dsn, applicationName: 'authserver purge' });
  const cancel = () => void session.cancel().catch(() => {});
  options.signal.addEventListener('abort', cancel);
  try {
    const plan: PurgePlan = [];
    for (const target of options.targets) {
      options.signal.throwIfAborted();
      plan.push({ target: target.name, rows: await countDue(session, target, options.now) });
    }
    return plan;
  } finally {
    options.signal.removeEventListener('abort', cancel);
    await session.end();
  }
};

const countDue = async (db: Database, { steps }: PurgeTarget, now: Date): Promise<number> => {
  let rows = 0;
  for (const step of steps) rows += await step.count(db, now);
  return rows;
};

/** Seconds since the row of a target that waits longest could be gone; 0 when none waits. */
export const purgeLag = async (db: Database, { steps }: PurgeTarget, now: Date): Promise<number> => {
  const due = await Promise.all(steps.map((step) => step.dueSince(db, now)));
  const since = due.filter((date) => date !== undefined).map((date) => now.getTime() - date.getTime());
  return Math.max(0, ...since) / 1000;
};
