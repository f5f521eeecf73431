import type { Database } from '../db.ts';
import { ago } from './target.ts';

/**
 * Deletes at most `limit` changes that were made more than `keepSeconds` ago, the oldest first and one process at a time: a
 * reader takes a table that begins after its own version for a sign that it has missed something, so there must be no holes.
 * The newest stays, so that the table always says how far versions have come.
 */
export const deleteOldChanges = async (
  db: Database,
  { now, limit, keepSeconds }: { now: Date; limit: number; keepSeconds: number },
): Promise<number> => {
  const { rowCount } = await db.query(
    'purge_changes',
    `with turn as materialized (select pg_try_advisory_xact_lock(7237912384507) as mine)
     delete from changes where version in (
       select version from (select version, at from changes order by version limit $2) as first
        where at < $1 and version < (select max(version) from changes) and (select mine from turn))`,
    [ago(now, keepSeconds), limit],
  );
  return rowCount;
};
