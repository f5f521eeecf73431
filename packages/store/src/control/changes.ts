import type { Queryable } from '../db.ts';

export type ChangeRow = { version: number; kind: string; key: string; at: Date };

export type ChangePage = {
  changes: ChangeRow[];
  /** The oldest and the newest version that is still there; undefined when there is none. */
  oldest: number | undefined;
  newest: number | undefined;
  /** By the clock of the database, as `at` is. */
  readAt: Date;
};

type PageRow = {
  oldest: string | null;
  newest: string | null;
  read_at: Date;
  version: string | null;
  kind: string;
  key: string;
  at: Date;
};

/** The change feed's rows. Written in the transaction of the change itself, read by every process that keeps anything. */
export const changes = (db: Queryable) => ({
  /** Records a change and notifies `authserver_changes` on commit; returns its version. */
  async record(kind: string, key: string): Promise<number> {
    const { rows } = await db.query<{ version: string }>('change_record', 'select record_change($1, $2) as version', [
      kind,
      key,
    ]);
    return Number(rows[0]?.version);
  },

  /** Several at once, in this order. */
  async recordMany(changes: readonly { kind: string; key: string }[]): Promise<void> {
    if (changes.length === 0) return;
    await db.query(
      'change_record_many',
      `select record_change(kind, key) from unnest($1::text[], $2::text[]) with ordinality as t(kind, key, n) order by n`,
      [changes.map(({ kind }) => kind), changes.map(({ key }) => key)],
    );
  },

  /** What came after `version`, in order, and how far the table reaches: in one statement, so of one moment. */
  async since(version: number, limit: number): Promise<ChangePage> {
    const { rows } = await db.query<PageRow>(
      'change_since',
      `select ends.oldest, ends.newest, clock_timestamp() as read_at, c.version, c.kind, c.key, c.at
         from (select (select min(version) from changes) as oldest, (select max(version) from changes) as newest) ends
         left join lateral (select version, kind, key, at from changes where version > $1 order by version limit $2) c
           on true
        order by c.version`,
      [version, limit],
    );
    const [first] = rows;
    return {
      changes: rows.flatMap(({ version, kind, key, at }) =>
        version === null ? [] : [{ version: Number(version), kind, key, at }],
      ),
      oldest: toVersion(first?.oldest),
      newest: toVersion(first?.newest),
      readAt: first?.read_at ?? new Date(),
    };
  },

  async latestVersion(): Promise<number> {
    const { rows } = await db.query('change_latest', 'select coalesce(max(version), 0) as version from changes');
    return Number(rows[0]?.version);
  },
});

const toVersion = (text: string | null | undefined): number | undefined =>
  text === null || text === undefined ? undefined : Number(text);
