import type { AttemptKeys, AttemptRules, Attempts, Reservation } from './attempts.ts';
import type { Statements } from './statements.ts';

/** Attempts in PostgreSQL, a row a budget. */
export const attemptsInPostgres = (db: Statements, rules: AttemptRules): Attempts => {
  const reserve = async (keys: AttemptKeys): Promise<Reservation> => {
    const { rows } = await reserveRows(db, rules, keys);
    const locked = rows.find(({ refused }) => refused);
    if (locked) return { allowed: false, until: locked.locked_until as Date, waitMs: Number(locked.wait_ms) };
    const taken = keys.map(({ hash }) => rows.find(({ key_hash }) => hash.equals(key_hash as Buffer)));
    const slots = keys.flatMap(({ hash }, index) => {
      const row = taken[index];
      return row ? [{ hash, windowEndsAt: row.window_ends_at as Date }] : [];
    });
    if (slots.length < keys.length) {
      // One of the two was locked while we asked. Nothing was refused for it yet, so the other must not pay.
      await giveBack(db, slots);
      return reserve(keys);
    }
    const lockedUntil = taken.map((row) => (row?.locked_until as Date | null) ?? undefined);
    return {
      allowed: true,
      lockedUntil: [lockedUntil[0], lockedUntil[1]],
      async succeed() {
        await db.query('login_attempts_forget', 'delete from login_attempts where key_hash = $1', [keys[0].hash]);
        await giveBack(db, slots.slice(1));
      },
      release: () => giveBack(db, slots),
    };
  };

  const reserveRows = (on: Statements, { windowSeconds, lockoutSeconds }: AttemptRules, keys: AttemptKeys) =>
    // The row lock decides between attempts at the same moment; rows are taken in one order, so that they never deadlock.
    on.query(
      'login_attempts_reserve',
      `with clock as (select date_trunc('milliseconds', statement_timestamp()) as now),
       locked as (
         select max(locked_until) as until from login_attempts, clock where key_hash = any($1) and locked_until > now),
       ends as (
         select now, now + make_interval(secs => $3) as window_end, now + make_interval(secs => $4) as lockout_end from clock),
       taken as (
         insert into login_attempts as held (key_hash, attempts_left, window_ends_at, locked_until)
         select key_hash, size - 1, window_end, case when size <= 1 then lockout_end end
           from unnest($1::bytea[], $2::int[]) as asked (key_hash, size), ends
          where (select until from locked) is null order by key_hash
         on conflict (key_hash) do update set (attempts_left, window_ends_at, locked_until) = (
           select next.attempts_left, next.window_ends_at, case when next.attempts_left <= 0 then next.lockout_end end
             from (select case when ended then excluded.attempts_left else held.attempts_left - 1 end as attempts_left,
                          case when ended then excluded.window_ends_at else held.window_ends_at end as window_ends_at,
                          lockout_end
                     from (select held.window_ends_at <= now or held.locked_until is not null as ended, lockout_end
                             from ends) as state) as next)
          where held.locked_until is null or held.locked_until <= (select now from clock)
         returning key_hash, window_ends_at, locked_until)
       select false as refused, key_hash, window_ends_at, locked_until, null as wait_ms from taken
       union all select true, null, null, until, extract(epoch from until - now) * 1000 from locked, clock
        where until is not null`,
      [keys.map(({ hash }) => hash), keys.map(({ max }) => max), windowSeconds, lockoutSeconds],
    );

  return { reserve };
};

/** Puts an attempt back into the window it was taken from; a lockout that it began ends with it. */
const giveBack = async (db: Statements, slots: readonly { hash: Buffer; windowEndsAt: Date }[]): Promise<void> => {
  for (const { hash, windowEndsAt } of slots)
    await db.query(
      'login_attempts_give_back',
      `update login_attempts set attempts_left = attempts_left + 1, locked_until = null
        where key_hash = $1 and window_ends_at = $2`,
      [hash, windowEndsAt],
    );
};

/**
 * Deletes at most `limit` budgets that are over, and returns how many went. Beyond `most` rows the oldest that are not
 * locked go as well, so that a flood of names cannot fill the disk and cannot end a lockout either.
 */
export const deleteExpiredAttempts = async (db: Statements, limit: number, most: number): Promise<number> => {
  const { rowCount } = await db.query(
    'login_attempts_delete_expired',
    `delete from login_attempts where key_hash in (
       select key_hash from login_attempts where window_ends_at < statement_timestamp()
          and (locked_until is null or locked_until < statement_timestamp())
        limit $1 for update skip locked)`,
    [limit],
  );
  if (rowCount >= limit) return rowCount;
  const { rowCount: beyond } = await db.query(
    'login_attempts_delete_beyond',
    `delete from login_attempts where key_hash in (
       select key_hash from login_attempts where locked_until is null
        order by window_ends_at desc offset $1 limit $2 for update skip locked)`,
    [most, limit],
  );
  return Math.max(rowCount, beyond);
};
