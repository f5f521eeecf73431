import type { LeaseStore } from './lease.ts';
import type { Statements } from './statements.ts';

/** Leases in PostgreSQL, a row each. No connection is kept for one, so it also works through a connection pooler. */
export const leasesInPostgres = (db: Statements): LeaseStore => ({
  async take(name, owner, ttlMs) {
    const { rows } = await db.query(
      'lease_take',
      `insert into leases as held (name, owner, token, ends_at)
       values ($1, $2, nextval('lease_tokens'), clock_timestamp() + make_interval(secs => $3))
       on conflict (name) do update set owner = excluded.owner, ends_at = excluded.ends_at,
              token = case when held.owner = excluded.owner then held.token else excluded.token end
        where held.owner = excluded.owner or held.ends_at <= clock_timestamp()
       returning token`,
      [name, owner, ttlMs / 1000],
    );
    return rows[0] && Number(rows[0].token);
  },

  async renew(name, owner, ttlMs) {
    const { rowCount } = await db.query(
      'lease_renew',
      `update leases set ends_at = clock_timestamp() + make_interval(secs => $3)
        where name = $1 and owner = $2 and ends_at > clock_timestamp()`,
      [name, owner, ttlMs / 1000],
    );
    return rowCount === 1;
  },

  async release(name, owner) {
    await db.query('lease_release', 'delete from leases where name = $1 and owner = $2', [name, owner]);
  },
});
