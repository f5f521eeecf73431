import type { Queryable } from './db.ts';

/** Makes the monthly partitions of this month and the next three, so that no row ever waits for a table. */
export const ensurePartitions = async (db: Queryable, now: Date): Promise<void> => {
  await db.query(
    'ensure_partitions',
    `select ensure_partitions('issuances', $1, 4), ensure_partitions('audit_events', $1, 4)`,
    [now],
  );
};
