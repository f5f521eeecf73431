import { ago, type PurgeStep } from './target.ts';

/** A table whose rows are over at a time that is in the row and in an index. */
export type Expiring = {
  table: string;
  /** When a row is over. */
  column: string;
  /** How long it is kept beyond that, in seconds. Pods do not agree on the time to the second: never less than a minute. */
  keepSeconds?: number;
  /** Which rows of the table, when it holds those of several targets. */
  where?: string;
  /** The time in the row is by the clock of the database; a pod whose own is ahead must not delete what still counts. */
  byDatabaseClock?: true;
  /** Sets the statements of one table apart. */
  name?: string;
};

export const leastKeepSeconds = 60;

/**
 * Deletes in the order of the index and goes on where the last batch ended: from its start it would walk over all that was
 * deleted and not yet vacuumed, once more with each batch. Rows are found again by where they lie (`ctid`), so the plan
 * cannot be another one when statistics are old.
 */
export const expiring = (rows: Expiring): PurgeStep => {
  const { table, column, keepSeconds = 0, where = 'true', name = table } = rows;
  const kept = Math.max(keepSeconds, leastKeepSeconds);
  const before = (now: Date): Date => ago(now, kept);
  const over = rows.byDatabaseClock
    ? `${column} < least($1, statement_timestamp() - interval '${kept} seconds')`
    : `${column} < $1`;
  return {
    table: name,

    async deleteSome(db, { now, limit, from }) {
      const { rows: found } = await db.query<{ deleted: number; last: string }>(
        `purge_${name}`,
        `with gone as (
           delete from ${table} where ctid = any(array(
             select ctid from ${table}
              where ${over} and ${column} >= coalesce($3::timestamptz, '-infinity') and ${where}
              order by ${column} limit $2 for update skip locked))
           returning ${column} as over)
         select count(*)::int as deleted, max(over)::text as last from gone`,
        [before(now), limit, from ?? null],
      );
      const { deleted = 0, last } = found[0] ?? {};
      return { deleted, next: deleted < limit ? undefined : last };
    },

    async count(db, now) {
      const { rows: found } = await db.query<{ n: string }>(
        `purge_${name}_count`,
        `select count(*) as n from ${table} where ${over} and ${where}`,
        [before(now)],
      );
      return Number(found[0]?.n);
    },

    async dueSince(db, now) {
      const { rows: found } = await db.query<{ over: Date }>(
        `purge_${name}_due`,
        `select ${column} as over from ${table} where ${over} and ${where} order by ${column} limit 1`,
        [before(now)],
      );
      return found[0] && ago(found[0].over, -kept);
    },
  };
};
