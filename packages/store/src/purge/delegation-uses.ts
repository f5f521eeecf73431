import { ago, type PurgeStep } from './target.ts';

const daySeconds = 86_400;

/**
 * What counts for nobody any more: the consent was taken back, given again since, or deleted; or the client or the target is
 * gone. What still counts has no end of its own: without its row a budget would begin anew.
 */
const over = `u.used_at < $1 and (
      (select g.allowed_times = u.round and g.revoked_at is null from consent_grants g where g.id = u.consent_grant_id)
        is not true
      or not exists (select 1 from clients c where c.client_id = u.client_id)
      or (select r.archived_at is null from resources r where r.id = u.resource_id) is not true)`;

export const delegationUses: PurgeStep = {
  table: 'delegation_uses',

  async deleteSome(db, { now, limit }) {
    const { rowCount: deleted } = await db.query(
      'purge_delegation_uses',
      `delete from delegation_uses where ctid = any(array(
         select u.ctid from delegation_uses u where ${over} limit $2 for update skip locked))`,
      [ago(now, daySeconds), limit],
    );
    return { deleted, next: deleted < limit ? undefined : 'more' };
  },

  async count(db, now) {
    const { rows } = await db.query<{ n: string }>(
      'purge_delegation_uses_count',
      `select count(*) as n from delegation_uses u where ${over}`,
      [ago(now, daySeconds)],
    );
    return Number(rows[0]?.n);
  },

  async dueSince(db, now) {
    const { rows } = await db.query<{ used_at: Date | null }>(
      'purge_delegation_uses_due',
      `select min(u.used_at) as used_at from delegation_uses u where ${over}`,
      [ago(now, daySeconds)],
    );
    const used = rows[0]?.used_at;
    return used ? ago(used, -daySeconds) : undefined;
  },
};
