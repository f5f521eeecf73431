import type { Queryable, Row } from '../db.ts';

/** Keys of one client address that were not good, in one window of time. */
export type AdminKeyFailures = {
  address: string;
  startedAt: Date;
  endsAt: Date;
  /** Keys that were looked at. */
  attempts: number;
  reasons: Record<string, number>;
  keyIds: string[];
  ip: string;
  userAgent: string | undefined;
};

/** Where failures are counted when too many addresses have some already, so that a flood of addresses fills no table. */
export const otherAddresses = 'other addresses';

const columns = 'address, started_at, ends_at, attempts, reasons, key_ids, ip, user_agent';

export const adminKeyFailures = (db: Queryable) => ({
  async find(address: string, now: Date): Promise<AdminKeyFailures | undefined> {
    const { rows } = await db.query(
      'admin_key_failures_find',
      `select ${columns} from admin_key_failures where address = $1 and ends_at > $2`,
      [address, now],
    );
    return rows.map(toFailures)[0];
  },

  /** Counts one, and returns what it was counted to: the address itself, or `otherAddresses` beyond `most` of them. */
  async count(failure: {
    address: string;
    now: Date;
    endsAt: Date;
    most: number;
    /** Whether the key was looked at. */
    attempt: boolean;
    reason: string;
    keyId: string | undefined;
    ip: string;
    userAgent: string | undefined;
  }): Promise<AdminKeyFailures> {
    const { rows } = await db.query(
      'admin_key_failures_count',
      `insert into admin_key_failures as held (${columns})
       values (case when exists (select 1 from admin_key_failures where address = $1)
                      or (select count(*) from admin_key_failures) < $10 then $1 else $11 end,
               $2, $3, $4, jsonb_build_object($5::text, 1), array_remove(array[$6::uuid], null), $7, $8)
       on conflict (address) do update set
         attempts = held.attempts + excluded.attempts,
         reasons = held.reasons || jsonb_build_object($5::text, coalesce((held.reasons ->> $5)::int, 0) + 1),
         key_ids = case when $6 is null or $6 = any(held.key_ids) or cardinality(held.key_ids) >= $9 then held.key_ids
                        else held.key_ids || $6 end,
         ip = excluded.ip, user_agent = excluded.user_agent
       returning ${columns}`,
      [
        failure.address,
        failure.now,
        failure.endsAt,
        failure.attempt ? 1 : 0,
        failure.reason,
        failure.keyId ?? null,
        failure.ip,
        failure.userAgent?.slice(0, 256) ?? null,
        mostKeyIds,
        failure.most,
        otherAddresses,
      ],
    );
    return toFailures(rows[0] as Row);
  },

  /** Takes out those whose window is over; each goes to one of several who ask at once. */
  async takeEnded(now: Date, limit: number): Promise<AdminKeyFailures[]> {
    const { rows } = await db.query(
      'admin_key_failures_take_ended',
      `delete from admin_key_failures where address in (
         select address from admin_key_failures where ends_at <= $1 order by ends_at limit $2 for update skip locked)
       returning ${columns}`,
      [now, limit],
    );
    return rows.map(toFailures);
  },
});

const mostKeyIds = 10;

const toFailures = (row: Row): AdminKeyFailures => ({
  address: row.address as string,
  startedAt: row.started_at as Date,
  endsAt: row.ends_at as Date,
  attempts: row.attempts as number,
  reasons: row.reasons as Record<string, number>,
  keyIds: row.key_ids as string[],
  ip: row.ip as string,
  userAgent: (row.user_agent as string | null) ?? undefined,
});
