import { type Page, type Paged, type Queryable, type Row, toPaged, totalOf } from '../db.ts';

/** What each scope of the source becomes at the target. */
export type ScopeMap = Record<string, string[]>;

/** An operator's word that tokens for the source may become tokens for the target. */
export type FrontingLink = {
  sourceId: string;
  sourceSlug: string;
  targetId: string;
  targetSlug: string;
  scopeMap: ScopeMap;
  /** As the audit trail names them. */
  createdBy: string;
  version: number;
  createdAt: Date;
  updatedAt: Date;
};

export type LinkKey = { sourceId: string; targetId: string };

const columns = 'source_id, target_id, scope_map, created_by, version, created_at, updated_at';
const selected = `select l.source_id, s.slug as source_slug, l.target_id, t.slug as target_slug, l.scope_map, l.created_by,
         l.version, l.created_at, l.updated_at`;
const joined = 'join resources s on s.id = l.source_id join resources t on t.id = l.target_id';
const inOrder = 's.slug collate "C", t.slug collate "C"';

/** Locks of PostgreSQL's advisory kind are told apart by number alone. */
const lockKey = '7237912384523';

export const frontingLinks = (db: Queryable) => ({
  /**
   * All links for this transaction alone. Whoever makes a link, or changes a resource so that a link could become wrong,
   * takes it before any row: only then is what they saw of links and scopes still so when they commit.
   */
  async lockAll(): Promise<void> {
    await db.query('fronting_lock', 'select pg_advisory_xact_lock($1)', [lockKey]);
  },

  async find({ sourceId, targetId }: LinkKey): Promise<FrontingLink | undefined> {
    const { rows } = await db.query(
      'fronting_find',
      `${selected} from fronting_links l ${joined} where l.source_id = $1 and l.target_id = $2`,
      [sourceId, targetId],
    );
    return rows.map(toLink)[0];
  },

  /** In the order of source and target. */
  async list(filter: { source?: string; target?: string }, page: Page): Promise<Paged<FrontingLink>> {
    const [afterSource, afterTarget] = page.after === undefined ? [null, null] : positionIn(page.after);
    const { rows } = await db.query(
      'fronting_list',
      `${selected}, count(*) over () as total from fronting_links l ${joined}
        where ($1::text is null or s.slug = $1) and ($2::text is null or t.slug = $2)
          and ($3::text is null or (${inOrder}) > ($3::text, $4::text))
        order by ${inOrder} limit $5 offset $6`,
      [filter.source ?? null, filter.target ?? null, afterSource, afterTarget, page.limit + 1, page.offset],
    );
    const total = page.after === undefined ? totalOf(rows, page) : undefined;
    return toPaged(rows.map(toLink), page, {
      positionOf: ({ sourceSlug, targetSlug }) => `${sourceSlug}/${targetSlug}`,
      total,
    });
  },

  /** Every link: the data plane keeps them all in memory, as it does the resources. */
  async all(): Promise<FrontingLink[]> {
    const { rows } = await db.query('fronting_all', `${selected} from fronting_links l ${joined}`);
    return rows.map(toLink);
  },

  /** Those that begin or end at a resource. */
  async listOf(resourceId: string): Promise<FrontingLink[]> {
    const { rows } = await db.query(
      'fronting_list_of',
      `${selected} from fronting_links l ${joined} where l.source_id = $1 or l.target_id = $1 order by ${inOrder}`,
      [resourceId],
    );
    return rows.map(toLink);
  },

  /** From where to where there are links, by slug: what a search for circles needs. */
  async edges(): Promise<{ source: string; target: string }[]> {
    const { rows } = await db.query<{ source: string; target: string }>(
      'fronting_edges',
      `select s.slug as source, t.slug as target from fronting_links l ${joined}`,
    );
    return rows;
  },

  async insert(link: LinkKey & { scopeMap: ScopeMap; createdBy: string }): Promise<FrontingLink> {
    const { rows } = await db.query(
      'fronting_insert',
      `with l as (insert into fronting_links (source_id, target_id, scope_map, created_by) values ($1, $2, $3, $4)
                  returning ${columns})
       ${selected} from l ${joined}`,
      [link.sourceId, link.targetId, JSON.stringify(link.scopeMap), link.createdBy],
    );
    return toLink(rows[0] as Row);
  },

  /** `undefined` when the row is gone or its version moved on. */
  async update(link: FrontingLink): Promise<FrontingLink | undefined> {
    const { rows } = await db.query(
      'fronting_update',
      `with l as (update fronting_links set scope_map = $3, version = version + 1, updated_at = now()
                   where source_id = $1 and target_id = $2 and version = $4 returning ${columns})
       ${selected} from l ${joined}`,
      [link.sourceId, link.targetId, JSON.stringify(link.scopeMap), link.version],
    );
    return rows.map(toLink)[0];
  },

  async delete({ sourceId, targetId }: LinkKey): Promise<boolean> {
    const { rowCount } = await db.query(
      'fronting_delete',
      'delete from fronting_links where source_id = $1 and target_id = $2',
      [sourceId, targetId],
    );
    return rowCount === 1;
  },
});

/** A slug has no slash. A position of another list is behind everything. */
const positionIn = (after: string): [source: string, target: string] => {
  const [source, target, ...more] = after.split('/');
  return source && target && more.length === 0 ? [source, target] : ['\u{10ffff}', ''];
};

const toLink = (row: Row): FrontingLink => ({
  sourceId: row.source_id as string,
  sourceSlug: row.source_slug as string,
  targetId: row.target_id as string,
  targetSlug: row.target_slug as string,
  scopeMap: row.scope_map as ScopeMap,
  createdBy: row.created_by as string,
  version: row.version as number,
  createdAt: row.created_at as Date,
  updatedAt: row.updated_at as Date,
});
