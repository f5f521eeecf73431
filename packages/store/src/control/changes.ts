import type { Queryable } from '../db.ts';

export type ChangeRow = { version: number; kind: string; key: string; at: Date };

/** The change feed's rows. Written in the transaction of the change itself, read by every token pod. */
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

  async since(version: number, limit: number): Promise<ChangeRow[]> {
    const { rows } = await db.query<{ version: string; kind: string; key: string; at: Date }>(
      'change_since',
      'select version, kind, key, at from changes where version > $1 order by version limit $2',
      [version, limit],
    );
    return rows.map((row) => ({ ...row, version: Number(row.version) }));
  },

  async latestVersion(): Promise<number> {
    const { rows } = await db.query('change_latest', 'select coalesce(max(version), 0) as version from changes');
    return Number(rows[0]?.version);
  },
});
