import type { Queryable, Row } from '../db.ts';

/** An object that is declared in files: by whom, and what the files said when they were last applied. */
export type ConfigurationOwner = {
  kind: string;
  /** What the files call it. */
  key: string;
  owner: string;
  /** Tells the object from another that came to bear the same name. */
  identity: string;
  /** The declaration, without secrets. */
  applied: Record<string, unknown>;
};

export type OwnedObject = Pick<ConfigurationOwner, 'kind' | 'key' | 'owner' | 'identity'> & { appliedAt: Date };

export const configurationOwners = (db: Queryable) => ({
  /** Lets one apply or plan work at a time, until its transaction ends; false when another does. */
  async tryLock(): Promise<boolean> {
    const { rows } = await db.query(
      'configuration_try_lock',
      'select pg_try_advisory_xact_lock(7237912384526) as held',
    );
    return rows[0]?.held === true;
  },

  /** Everything of a kind that somebody owns, some at a time, in the order of the keys. */
  async page(kind: string, after: string, limit: number): Promise<ConfigurationOwner[]> {
    const { rows } = await db.query(
      'configuration_owner_page',
      `select kind, key, owner, identity, applied from configuration_owners
        where kind = $1 and key > $2 order by key limit $3`,
      [kind, after, limit],
    );
    return rows.map(toOwner);
  },

  async list(
    filter: { owner?: string | undefined; kind?: string | undefined },
    page: { limit: number; offset: number },
  ): Promise<OwnedObject[]> {
    const { rows } = await db.query(
      'configuration_owner_list',
      `select kind, key, owner, identity, applied_at from configuration_owners
        where ($1::text is null or owner = $1) and ($2::text is null or kind = $2)
        order by kind, key limit $3 offset $4`,
      [filter.owner ?? null, filter.kind ?? null, page.limit, page.offset],
    );
    return rows.map((row) => ({
      kind: row.kind as string,
      key: row.key as string,
      owner: row.owner as string,
      identity: row.identity as string,
      appliedAt: row.applied_at as Date,
    }));
  },

  /** Notes who owns what from now on. */
  async put(owned: readonly ConfigurationOwner[], now: Date): Promise<void> {
    if (owned.length === 0) return;
    await db.query(
      'configuration_owner_put',
      `insert into configuration_owners (kind, key, owner, identity, applied, applied_at)
       select t.*, $6 from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[]) as t
       on conflict (kind, key) do update
         set owner = excluded.owner, identity = excluded.identity, applied = excluded.applied,
             applied_at = excluded.applied_at`,
      [
        owned.map(({ kind }) => kind),
        owned.map(({ key }) => key),
        owned.map(({ owner }) => owner),
        owned.map(({ identity }) => identity),
        owned.map(({ applied }) => JSON.stringify(applied)),
        now,
      ],
    );
  },

  async remove(kind: string, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await db.query('configuration_owner_remove', 'delete from configuration_owners where kind = $1 and key = any($2)', [
      kind,
      keys,
    ]);
  },
});

const toOwner = (row: Row): ConfigurationOwner => ({
  kind: row.kind as string,
  key: row.key as string,
  owner: row.owner as string,
  identity: row.identity as string,
  applied: row.applied as Record<string, unknown>,
});
