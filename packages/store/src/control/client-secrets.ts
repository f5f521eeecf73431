import type { Queryable } from '../db.ts';
import { isUuid } from '../uuid.ts';

/** Secrets of confidential clients beyond the first: replaced without a gap, ended early, and seen in use. */
export const clientSecrets = (db: Queryable) => ({
  /** Keeps two rotations of one client apart until the transaction ends. */
  async lock(clientId: string): Promise<void> {
    await db.query('client_secrets_lock', 'select 1 from clients where client_id = $1 for no key update', [clientId]);
  },

  /** The new secret beside the present one, which ends at `oldEndsAt`. What was on its way out before ends now. */
  async add(clientId: string, secretHash: Buffer, now: Date, oldEndsAt: Date): Promise<void> {
    await db.query(
      'client_add_secret',
      `with gone as (delete from client_secrets where client_id = $1 and expires_at is not null),
            old as (update client_secrets set expires_at = $4 where client_id = $1 and expires_at is null)
       insert into client_secrets (client_id, secret_hash, created_at) values ($1, $2, $3)`,
      [clientId, secretHash, now, oldEndsAt],
    );
  },

  /** Ends a secret that was on its way out. Never the one without an end: its client could not come back. */
  async deleteExpiring(clientId: string, secretId: string): Promise<boolean> {
    if (!isUuid(secretId)) return false;
    const { rowCount } = await db.query(
      'client_delete_expiring_secret',
      'delete from client_secrets where client_id = $1 and id = $2 and expires_at is not null',
      [clientId, secretId],
    );
    return rowCount === 1;
  },

  /** Notes when secrets were used; several pods may say so, the latest stands. */
  async touch(uses: readonly { secretId: string; at: Date }[]): Promise<void> {
    await db.query(
      'client_touch_secrets',
      `update client_secrets s set last_used_at = used.at
         from (select * from unnest($1::uuid[], $2::timestamptz[]) as u (id, at)) used
        where s.id = used.id and (s.last_used_at is null or s.last_used_at < used.at)`,
      [uses.map(({ secretId }) => secretId), uses.map(({ at }) => at)],
    );
  },
});
