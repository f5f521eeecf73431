import type { Database, Queryable } from './db.ts';

/** Tables kept by months. A row of a month that was not made is kept all the same, apart, until the month is made. */
export const monthlyTables = ['issuances', 'audit_events', 'audit_chain'] as const;

/** Makes the monthly partitions of this month and the next three, so that no row ever waits for a table. */
export const ensurePartitions = async (db: Queryable, now: Date): Promise<void> => {
  await db.query(
    'ensure_partitions',
    `select ensure_partitions('issuances', $1, 4), ensure_partitions('audit_events', $1, 4), ensure_audit_chain($1, 4)`,
    [now],
  );
};

/** Until when each table has its months: the end of the last one without a gap before it, `now` when this one is missing. */
export const partitionsUntil = async (
  db: Queryable,
  now: Date,
): Promise<{ table: (typeof monthlyTables)[number]; until: Date }[]> => {
  const { rows } = await db.query<{ child: string }>(
    'partitions_list',
    `select c.relname::text as child from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = any($1::regclass[])`,
    [monthlyTables],
  );
  const made = new Set(rows.map(({ child }) => child));
  return monthlyTables.map((table) => {
    let month = startOfMonth(now);
    while (made.has(`${table}_${month.toISOString().slice(0, 7).replace('-', '_')}`)) month = startOfMonth(month, 1);
    return { table, until: month <= now ? now : month };
  });
};

const startOfMonth = (of: Date, later = 0): Date =>
  new Date(Date.UTC(of.getUTCFullYear(), of.getUTCMonth() + later, 1));

export type PartitionKeeper = { stop(): Promise<void> };

/** Whoever waits for a table here has everybody else wait behind: rather try again than that. */
const withoutQueueing = (database: Database, now: Date): Promise<void> =>
  database.transaction(async (tx) => {
    await tx.query('partitions_lock_timeout', `set local lock_timeout = '200ms'`);
    await ensurePartitions(tx, now);
  });

const twelveHours = 12 * 3_600_000;
const fiveMinutes = 5 * 60_000;

/**
 * Makes the coming months for as long as the process runs: at once, twice a day, and soon again after a failure. Any
 * number of processes may do it. With three months ahead, one that fails has a long time to be noticed.
 */
export const keepPartitions = (options: {
  database: Database;
  now: () => Date;
  onFailed: (error: unknown) => void;
  intervalMs?: number;
  retryMs?: number;
}): PartitionKeeper => {
  const { database, now, onFailed, intervalMs = twelveHours, retryMs = fiveMinutes } = options;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const keep = async (): Promise<void> => {
    const failed = await withoutQueueing(database, now()).then(
      () => false,
      (error: unknown) => {
        onFailed(error);
        return true;
      },
    );
    if (stopped) return;
    timer = setTimeout(
      () => {
        round = keep();
      },
      failed ? retryMs : intervalMs,
    );
    timer.unref();
  };
  let round = keep();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await round;
    },
  };
};
