import type { Queryable } from '../db.ts';

export type RepeatableRequest = { idHash: Buffer; requestHash: Buffer; answer: Buffer; expiresAt: Date };

/** Answers kept for a repetition of the request. Written in the transaction of what was asked for. */
export const repeatableRequests = (db: Queryable) => ({
  /**
   * Takes the place of this request, and keeps it until the transaction ends: another one waits here. False when it was
   * answered before.
   */
  async begin(idHash: Buffer, requestHash: Buffer, now: Date, expiresAt: Date): Promise<boolean> {
    const { rowCount } = await db.query(
      'repeatable_begin',
      `insert into repeatable_requests (id_hash, request_hash, answer, created_at, expires_at)
       values ($1, $2, '', $3, $4)
       on conflict (id_hash) do update
          set request_hash = excluded.request_hash, created_at = excluded.created_at, expires_at = excluded.expires_at
        where repeatable_requests.expires_at <= excluded.created_at`,
      [idHash, requestHash, now, expiresAt],
    );
    return rowCount === 1;
  },

  async answer(idHash: Buffer, answer: Buffer): Promise<void> {
    await db.query('repeatable_answer', 'update repeatable_requests set answer = $2 where id_hash = $1', [
      idHash,
      answer,
    ]);
  },

  async find(idHash: Buffer): Promise<Pick<RepeatableRequest, 'requestHash' | 'answer'> | undefined> {
    const { rows } = await db.query<{ request_hash: Buffer; answer: Buffer }>(
      'repeatable_find',
      'select request_hash, answer from repeatable_requests where id_hash = $1',
      [idHash],
    );
    return rows.map(({ request_hash, answer }) => ({ requestHash: request_hash, answer }))[0];
  },

  /** A few of those that are over; each new one takes some with it, so they never pile up. */
  async deleteExpired(now: Date, limit: number): Promise<number> {
    const { rowCount } = await db.query(
      'repeatable_delete_expired',
      `delete from repeatable_requests where id_hash in (
         select id_hash from repeatable_requests where expires_at <= $1 limit $2 for update skip locked)`,
      [now, limit],
    );
    return rowCount;
  },
});
