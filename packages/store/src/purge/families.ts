import type { Database } from '../db.ts';
import { uuidv7 } from '../uuid.ts';
import { ago, type PurgeStep } from './target.ts';

/** How a family ended, and the index that leads to it. A revoked one has no live token, so none of those stays ($2). */
type Ending = { name: string; column: 'expires_at' | 'revoked_at'; where: string };
const endings: readonly Ending[] = [
  { name: 'expired', column: 'expires_at', where: 'f.revoked_at is null and f.id <> all($2::uuid[])' },
  { name: 'revoked', column: 'revoked_at', where: 'f.revoked_at is not null and $2::uuid[] is not null' },
];

/** Ended families, with what is left of their refresh tokens: an ended family has none that could be used. */
export const families = (keepSeconds: number): PurgeStep[] =>
  endings.map((ending) => familiesThat(ending, keepSeconds));

const familiesThat = ({ name, column, where }: Ending, keepSeconds: number): PurgeStep => {
  /** Looked for at the start of a sweep: an ended family gets no new tokens. */
  let needed: readonly string[] = [];
  return {
    table: `families that ${name === 'expired' ? '' : 'were '}${name}`,

    /** The tokens go first and are counted: a family that was refreshed for months has thousands. */
    async deleteSome(db, { now, limit, from }) {
      if (keepSeconds === 0) return { deleted: 0 };
      if (from === undefined) needed = await findNeeded(db, ago(now, keepSeconds), now);
      const { rows } = await db.query<{ id: string; over: string }>(
        `purge_families_${name}_find`,
        `select f.id, f.${column}::text as over from token_families f
        where f.${column} < $1 and f.${column} >= coalesce($4::timestamptz, '-infinity') and ${where}
        order by f.${column} limit $3`,
        [ago(now, keepSeconds), needed, limit, from ?? null],
      );
      const ids = rows.map(({ id }) => id);
      const { rowCount: tokens } = await db.query(
        'purge_families_tokens',
        `delete from refresh_tokens where ctid = any(array(
         select ctid from refresh_tokens where family_id = any($1::uuid[]) limit $2 for update skip locked))`,
        [ids, limit],
      );
      if (tokens === limit) return { deleted: tokens, next: from ?? '-infinity' };
      const { rowCount: deleted } = await db.query(
        'purge_families',
        `delete from token_families where id = any(array(
         select id from token_families where id = any($1::uuid[]) for update skip locked))`,
        [ids],
      );
      return { deleted: tokens + deleted, next: rows.length < limit || deleted === 0 ? undefined : rows.at(-1)?.over };
    },

    async count(db, now) {
      if (keepSeconds === 0) return 0;
      const { rows } = await db.query<{ n: string }>(
        `purge_families_${name}_count`,
        `with found as (select f.id from token_families f where f.${column} < $1 and ${where})
       select (select count(*) from found) + (select count(*) from refresh_tokens where family_id in (select id from found)) as n`,
        [ago(now, keepSeconds), await findNeeded(db, ago(now, keepSeconds), now)],
      );
      return Number(rows[0]?.n);
    },

    async dueSince(db, now) {
      if (keepSeconds === 0) return undefined;
      const { rows } = await db.query<{ over: Date }>(
        `purge_families_${name}_due`,
        `select f.${column} as over from token_families f where f.${column} < $1 and ${where}
        order by f.${column} limit 1`,
        [ago(now, keepSeconds), await findNeeded(db, ago(now, keepSeconds), now)],
      );
      return rows[0] && ago(rows[0].over, -keepSeconds);
    },
  };
};

/**
 * Families with a token that is still alive although they ended before `before`. They stay: without its family a token is
 * dead, and deleting must not end anything. Such a token was issued before its family ended, so only old months are looked
 * at, where hardly a page has one.
 *
 * The index that says so leaves out what autovacuum has not looked at yet. Where it cannot be brought up to date, looking
 * is slower and just as right.
 */
const findNeeded = async (db: Database, before: Date, now: Date): Promise<string[]> => {
  await db
    .query(
      'purge_summarize',
      `select brin_summarize_new_values(i.inhrelid) from pg_inherits i
        where i.inhparent = to_regclass('issuances_by_expiry')`,
    )
    .catch(() => {});
  const { rows } = await db.query<{ family_id: string }>(
    'purge_families_needed',
    `select distinct family_id from issuances where id < $1 and expires_at > $2 and family_id is not null`,
    [uuidv7(new Date(before.getTime() + clockSkewMs)), now],
  );
  return rows.map(({ family_id }) => family_id);
};

/** A token's own time may lie a little behind the end of its family. */
const clockSkewMs = 5 * 60_000;
