import { machineGrantTypes } from '@authserver/oauth';
import type { Queryable } from '../db.ts';
import { isText } from '../text.ts';

/** Why people may still come with the id of a client that is gone. */
export type TombstoneReason = 'idle' | 'deleted';

/**
 * Clients an operator has plans for never expire: those with a ceiling for a machine grant, which only an operator gives,
 * and those a resource names in its policy.
 */
const nobodysBusiness = `registration_source = 'dcr' and status = 'active'
  and not (ceiling <> '{}' and grant_types && $3::text[])
  and not exists (select 1 from resources r
                   where r.policy->'runtime'->'client_ids' ? c.client_id
                      or r.policy->'exchange'->'allowed_client_ids' ? c.client_id
                      or r.policy->'exchange'->'budgets' @> jsonb_build_array(jsonb_build_object('client_id', c.client_id)))`;

/** Nobody ever consented to it, and it never got a token. */
const neverUsed = `first_user_id is null and last_used_at is null
  and not exists (select 1 from consent_grants g where g.client_id = c.client_id)`;

/** When self-registered clients were used, and the end of those that are not. */
export const clientExpiry = (db: Queryable) => ({
  /** To the hour, so that a busy client costs a write an hour. Skips rows another pod is writing the same into. */
  async noteUse(uses: readonly { clientId: string; at: Date }[]): Promise<void> {
    await db.query(
      'client_note_use',
      `with used as (
         select c.client_id, u.at from unnest($1::text[], $2::timestamptz[]) as u(client_id, at)
           join clients c on c.client_id = u.client_id
          where c.last_used_at is null or c.last_used_at < u.at - interval '1 hour'
          order by c.client_id for no key update of c skip locked)
       update clients c set last_used_at = used.at from used where c.client_id = used.client_id`,
      [uses.map(({ clientId }) => clientId), uses.map(({ at }) => at)],
    );
  },

  /** Deletes clients that were registered before and never used, oldest first; how many went. */
  async deleteNeverUsed(before: Date, limit: number): Promise<number> {
    const { rowCount } = await db.query(
      'client_delete_never_used',
      `delete from clients where client_id in (
         select client_id from clients c
          where coalesce(last_registered_at, created_at) < $1 and ${neverUsed} and ${nobodysBusiness}
          order by coalesce(last_registered_at, created_at) limit $2 for update skip locked)`,
      [before, limit, machineGrantTypes],
    );
    return rowCount;
  },

  /** How many of them there are, and when the oldest was registered. */
  async waiting(before: Date): Promise<{ count: number; oldest: Date | undefined }> {
    const { rows } = await db.query<{ n: string; oldest: Date | null }>(
      'client_never_used_waiting',
      `select count(*) as n, min(coalesce(last_registered_at, created_at)) as oldest from clients c
        where coalesce(last_registered_at, created_at) < $1 and ${neverUsed} and ${nobodysBusiness.replace('$3', '$2')}`,
      [before, machineGrantTypes],
    );
    return { count: Number(rows[0]?.n), oldest: rows[0]?.oldest ?? undefined };
  },

  async countNeverUsed(): Promise<number> {
    const { rows } = await db.query<{ n: string }>(
      'client_count_never_used',
      `select count(*) as n from clients
        where registration_source = 'dcr' and first_user_id is null and last_used_at is null`,
    );
    return Number(rows[0]?.n);
  },

  /** Clients that were used, but not since `before`, and hold nothing that is alive. Longest unused first; `null` is all. */
  async listIdle(before: Date, now: Date, limit: number | null): Promise<{ clientId: string; lastUsedAt: Date }[]> {
    const { rows } = await db.query<{ client_id: string; last_used_at: Date }>(
      'client_list_idle',
      `select client_id, last_used_at from clients c
        where last_used_at < $1 and ${nobodysBusiness} and ${holdsNothing('$4')} order by last_used_at limit $2`,
      [before, limit, machineGrantTypes, now],
    );
    return rows.map((row) => ({ clientId: row.client_id, lastUsedAt: row.last_used_at }));
  },

  /**
   * Deletes one of them, if it still is one. The caller holds the locks of its consents, so nothing comes alive under it;
   * a consent of somebody new marks the client as used, and then this finds it so.
   */
  async deleteIdle(clientId: string, before: Date, now: Date): Promise<boolean> {
    const { rowCount } = await db.query(
      'client_delete_idle',
      `delete from clients c
        where client_id = $2 and last_used_at < $1 and ${nobodysBusiness} and ${holdsNothing('$4')}`,
      [before, clientId, machineGrantTypes, now],
    );
    return rowCount === 1;
  },
});

const holdsNothing = (now: string) => `not exists (
  select 1 from token_families f where f.client_id = c.client_id and f.revoked_at is null and f.expires_at > ${now})`;

/** The ids of used clients that are gone, for as long as people may come with them. */
export const clientTombstones = (db: Queryable) => ({
  async find(clientId: string): Promise<TombstoneReason | undefined> {
    if (!isText(clientId)) return undefined;
    const { rows } = await db.query<{ reason: TombstoneReason }>(
      'tombstone_find',
      'select reason from client_tombstones where client_id = $1',
      [clientId],
    );
    return rows[0]?.reason;
  },

  async set(clientId: string, reason: TombstoneReason, now: Date): Promise<void> {
    await db.query(
      'tombstone_set',
      `insert into client_tombstones (client_id, reason, ended_at) values ($1, $2, $3) on conflict do nothing`,
      [clientId, reason, now],
    );
  },
});
