import type { PurgeTargetName } from '@authserver/telemetry';
import type { Queryable } from '../db.ts';

export type PurgeRun = { target: PurgeTargetName; finishedAt: Date; deleted: number; seconds: number };

/** When each target was last done with, by whichever process. */
export const purgeRuns = (db: Queryable) => ({
  async note({ target, finishedAt, deleted, seconds }: PurgeRun): Promise<void> {
    await db.query(
      'purge_run_note',
      `insert into purge_runs (target, finished_at, deleted, seconds) values ($1, $2, $3, $4)
       on conflict (target) do update
          set finished_at = excluded.finished_at, deleted = excluded.deleted, seconds = excluded.seconds`,
      [target, finishedAt, deleted, seconds],
    );
  },

  async list(): Promise<PurgeRun[]> {
    const { rows } = await db.query<{ target: PurgeTargetName; finished_at: Date; deleted: string; seconds: number }>(
      'purge_run_list',
      'select target, finished_at, deleted, seconds from purge_runs order by target',
    );
    return rows.map((row) => ({
      target: row.target,
      finishedAt: row.finished_at,
      deleted: Number(row.deleted),
      seconds: row.seconds,
    }));
  },
});
