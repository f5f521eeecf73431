import type { Database } from '../db.ts';
import { listMonths, monthAfter, monthOf, untilUnlocked } from './months.ts';
import { ago, type Batch, type PurgeStep } from './target.ts';

/**
 * Rows of tokens that live ones ($1 is now) were exchanged from: without them nobody could vouch for the live ones. As far
 * back as anybody looks.
 */
const ancestors = `recursive lineage as (
    select i.parent_id as id, 1 as depth from issuances i where i.parent_id is not null and i.expires_at > $1
    union
    select p.parent_id, l.depth + 1 from lineage l join issuances p on p.id = l.id
     where p.parent_id is not null and l.depth < 32)`;

const mayGo = 'i.expires_at <= $1 and i.id not in (select id from lineage)';

const firstId = '00000000-0000-0000-0000-000000000000';

/**
 * Months of issuances that ended longer ago than `keepSeconds`. One without a token that is alive, or that a live one
 * descends from, is dropped whole. Of the others, and of what came while its month was missing, the rows go.
 */
export const issuanceMonths = (keepSeconds: number): PurgeStep => {
  const rowsThatMayGo = issuanceRows({ name: 'issuances', where: 'true', keepSeconds });
  return {
    ...rowsThatMayGo,
    async deleteSome(db, at) {
      if (keepSeconds === 0) return { deleted: 0 };
      const [phase, position] = at.from?.split(':') ?? ['month'];
      if (phase === 'row') return inPhase('row', await rowsThatMayGo.deleteSome(db, { ...at, from: position }));
      const months = await listMonths(db, 'issuances', endOf(at.now, keepSeconds));
      const month = months.find(({ partition }) => position === undefined || partition > position);
      if (!month) return inPhase('row', await rowsThatMayGo.deleteSome(db, { ...at, from: undefined }));
      const deleted = await countUnlessNeeded(db, month.start, monthAfter(month), at.now);
      if (deleted !== undefined)
        await untilUnlocked(() =>
          db.query('purge_forget_issuances', 'select forget_issuance_month($1)', [month.partition]),
        );
      return { deleted: deleted ?? 0, next: `month:${month.partition}` };
    },
  };
};

/** Rows of tokens for machines, of the same months: they have no table of their own, and are late when the months are. */
export const machineTokens = (keepSeconds: number): PurgeStep => ({
  ...issuanceRows({ name: 'machine_tokens', where: `i.grant_type = 'client_credentials'`, keepSeconds }),
  dueSince: async () => undefined,
});

/** Walks over the rows in the order of their ids, which is that of time, a window at once. */
const issuanceRows = ({
  name,
  where,
  keepSeconds,
}: {
  name: string;
  where: string;
  keepSeconds: number;
}): PurgeStep => ({
  table: name,

  async deleteSome(db, { now, limit, from = firstId }) {
    if (keepSeconds === 0) return { deleted: 0 };
    const { rows } = await db.query<{ last: string | null; walked: number }>(
      `purge_${name}_window`,
      `select (array_agg(id order by id desc))[1] as last, count(*)::int as walked from (
         select id from issuances where id > $1 and id < uuidv7_floor($2) order by id limit $3) as window_of_rows`,
      [from, endOf(now, keepSeconds), limit],
    );
    const { last, walked = 0 } = rows[0] ?? {};
    if (!last) return { deleted: 0 };
    const { rowCount: deleted } = await db.query(
      `purge_${name}`,
      `with ${ancestors}
       delete from issuances where id > $2 and id <= $3 and id in (
         select i.id from issuances i where i.id > $2 and i.id <= $3 and ${where} and ${mayGo} for update skip locked)`,
      [now, from, last],
    );
    return { deleted, next: walked < limit ? undefined : last };
  },

  async count(db, now) {
    if (keepSeconds === 0) return 0;
    const { rows } = await db.query<{ n: string }>(
      `purge_${name}_count`,
      `with ${ancestors} select count(*) as n from issuances i where i.id < uuidv7_floor($2) and ${where} and ${mayGo}`,
      [now, endOf(now, keepSeconds)],
    );
    return Number(rows[0]?.n);
  },

  /** A month is due when it ended so long ago. */
  async dueSince(db, now) {
    if (keepSeconds === 0) return undefined;
    const { rows } = await db.query<{ issued_at: Date }>(
      `purge_${name}_due`,
      `with ${ancestors} select i.issued_at from issuances i where i.id < uuidv7_floor($2) and ${where} and ${mayGo}
        order by i.id limit 1`,
      [now, endOf(now, keepSeconds)],
    );
    const [oldest] = rows;
    return oldest && ago(monthAfter({ partition: '', start: monthOf(oldest.issued_at) }), -keepSeconds);
  },
});

/** What lies before is in months that ended long enough ago. */
const endOf = (now: Date, keepSeconds: number): Date => monthOf(ago(now, keepSeconds));

const inPhase = (phase: string, batch: Batch): Batch => ({
  ...batch,
  next: batch.next === undefined ? undefined : `${phase}:${batch.next}`,
});

/** The rows of a month, or undefined when one of them has to stay. */
const countUnlessNeeded = async (db: Database, start: Date, end: Date, now: Date): Promise<number | undefined> => {
  const { rows } = await db.query<{ needed: boolean; n: string }>(
    'purge_issuance_month_needed',
    `with ${ancestors}, needed as (
       select exists (select 1 from issuances where id >= uuidv7_floor($2) and id < uuidv7_floor($3) and expires_at > $1)
           or exists (select 1 from lineage l join issuances i on i.id = l.id
                       where l.id >= uuidv7_floor($2) and l.id < uuidv7_floor($3)) as needed)
     select needed, case when needed then 0 else
              (select count(*) from issuances where id >= uuidv7_floor($2) and id < uuidv7_floor($3)) end as n from needed`,
    [now, start, end],
  );
  return rows[0]?.needed ? undefined : Number(rows[0]?.n);
};
