import type { PurgeStep } from './target.ts';

/** A marker says something about every token issued up to its time; it may go when there is none left of them. */
const over = `not exists (select 1 from issuances i where i.id < uuidv7_floor(m.revoked_before + interval '5 minutes'))
   and m.revoked_before < $1::timestamptz - interval '1 day'`;

export const revocationMarkers: PurgeStep = {
  table: 'revocation_markers',

  async deleteSome(db, { now, limit }) {
    const { rowCount: deleted } = await db.query(
      'purge_markers',
      `delete from revocation_markers where ctid = any(array(
         select ctid from revocation_markers m where ${over} order by m.revoked_before limit $2 for update skip locked))`,
      [now, limit],
    );
    return { deleted, next: deleted < limit ? undefined : 'more' };
  },

  async count(db, now) {
    const { rows } = await db.query<{ n: string }>(
      'purge_markers_count',
      `select count(*) as n from revocation_markers m where ${over}`,
      [now],
    );
    return Number(rows[0]?.n);
  },

  async dueSince(db, now) {
    const { rows } = await db.query<{ over: Date }>(
      'purge_markers_due',
      `select m.revoked_before as over from revocation_markers m where ${over} order by m.revoked_before limit 1`,
      [now],
    );
    return rows[0]?.over;
  },
};
