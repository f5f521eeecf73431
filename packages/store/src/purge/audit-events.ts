import type { Queryable } from '../db.ts';
import { listMonths, type Month, monthAfter, monthOf, toMonth, untilUnlocked } from './months.ts';
import { ago, type PurgeStep } from './target.ts';

/** Months of audit events that ended longer ago than `keepSeconds`, each with its part of the hash chain. */
export const auditMonths = (keepSeconds: number): PurgeStep => ({
  table: 'audit_events',

  async deleteSome(db, { now, from }) {
    if (keepSeconds === 0) return { deleted: 0 };
    const months = await monthsBefore(db, monthOf(ago(now, keepSeconds)));
    const month = months.find(({ partition }) => from === undefined || partition > from);
    if (!month) return { deleted: 0 };
    const { rows } = await untilUnlocked(() =>
      db.query<{ gone: string }>('purge_forget_audit', 'select forget_audit_month($1::date) as gone', [
        month.start.toISOString().slice(0, 10),
      ]),
    );
    return { deleted: Number(rows[0]?.gone), next: month.partition };
  },

  async count(db, now) {
    if (keepSeconds === 0) return 0;
    const { rows } = await db.query<{ n: string }>(
      'purge_audit_count',
      'select count(*) as n from audit_events where id < uuidv7_floor($1)',
      [monthOf(ago(now, keepSeconds))],
    );
    return Number(rows[0]?.n);
  },

  async dueSince(db, now) {
    if (keepSeconds === 0) return undefined;
    const [oldest] = await monthsBefore(db, monthOf(ago(now, keepSeconds)));
    return oldest && ago(monthAfter(oldest), -keepSeconds);
  },
});

/** The months that were made, and those of events that came while theirs was missing. Oldest first. */
const monthsBefore = async (db: Queryable, before: Date): Promise<Month[]> => {
  const made = await listMonths(db, 'audit_events', before);
  const { rows } = await db.query<{ partition: string }>(
    'purge_audit_strays',
    `select distinct 'audit_events' || to_char(at at time zone 'UTC', '_YYYY_MM') as partition from audit_events_default
      where id < uuidv7_floor($1)`,
    [before],
  );
  const strays = rows
    .filter(({ partition }) => !made.some((month) => month.partition === partition))
    .map(({ partition }) => toMonth(partition));
  return [...made, ...strays].sort((a, b) => a.start.getTime() - b.start.getTime());
};
