import { setTimeout as sleep } from 'node:timers/promises';
import type { Queryable } from '../db.ts';

/** A month of a table kept by months, by its first day. */
export type Month = { partition: string; start: Date };

/** The beginning of the month (UTC) that `instant` lies in: a whole month is over when it ends before. */
export const monthOf = (instant: Date): Date => new Date(Date.UTC(instant.getUTCFullYear(), instant.getUTCMonth(), 1));

export const monthAfter = ({ start }: Month): Date =>
  new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1));

/** The month a partition is named after. */
export const toMonth = (partition: string): Month => ({
  partition,
  start: new Date(`${partition.slice(-7).replace('_', '-')}-01T00:00:00Z`),
});

/** The months of `parent` that end at `before` at the latest, oldest first. */
export const listMonths = async (
  db: Queryable,
  parent: 'issuances' | 'audit_events',
  before: Date,
): Promise<Month[]> => {
  const { rows } = await db.query<{ partition: string }>(
    'purge_list_months',
    `select c.relname::text as partition from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = to_regclass($1) and c.relname ~ ('^' || $1 || '_[0-9]{4}_[0-9]{2}$') order by c.relname`,
    [parent],
  );
  return rows.map(({ partition }) => toMonth(partition)).filter((month) => monthAfter(month) <= before);
};

const attempts = 12;

/**
 * Does what needs a table for itself. It waits a moment for those who are at it, gives up before others have to wait for
 * long, and comes again later.
 */
export const untilUnlocked = async <T>(work: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as { code?: string };
      if (code !== '55P03' || attempt === attempts) throw error;
      await sleep(attempt * 100 * (0.5 + Math.random()));
    }
  }
};
