import { type Page, type Paged, type Queryable, type Row, toPaged, totalOf } from '../db.ts';
import { isUuid } from '../uuid.ts';

/** What assertions of an identity provider may become tokens for. */
export type XaaPolicy = {
  id: string;
  idpId: string;
  name: string;
  /** Lower ones are asked first, of equal ones the older. */
  priority: number;
  /** Clients it is about; `undefined` is any. */
  clientIds: readonly string[] | undefined;
  /** Upper bound of what is granted; `undefined` is any, an empty list none. */
  scopes: readonly string[] | undefined;
  /** Resources it is about; `undefined` is any. */
  resources: readonly string[] | undefined;
  enabled: boolean;
  version: number;
  createdAt: Date;
  updatedAt: Date;
};

export type NewXaaPolicy = Omit<XaaPolicy, 'version' | 'createdAt' | 'updatedAt'>;

const columns = `id, idp_id, name, priority, client_ids, scopes, resources, enabled, version, created_at, updated_at`;

export const xaaPolicies = (db: Queryable) => ({
  async find(id: string): Promise<XaaPolicy | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('xaa_policy_find', `select ${columns} from xaa_policies where id = $1`, [id]);
    return rows.map(toPolicy)[0];
  },

  /** Those of one identity provider together, in the order in which they are asked. */
  async list(filter: { idpId?: string | undefined }, page: Page): Promise<Paged<XaaPolicy>> {
    const { idpId } = filter;
    if (idpId !== undefined && !isUuid(idpId)) return { rows: [], total: 0, next: undefined };
    const { rows } = await db.query(
      'xaa_policy_list',
      `select ${columns}, count(*) over () as total from xaa_policies
        where ($1::uuid is null or idp_id = $1)
          and ($2::uuid is null or (idp_id, priority, id) > ($2::uuid, $3::bigint, $4::uuid))
        order by idp_id, priority, id limit $5 offset $6`,
      [idpId ?? null, ...behind(page), page.limit + 1, page.offset],
    );
    const total = page.after === undefined ? totalOf(rows, page) : undefined;
    return toPaged(rows.map(toPolicy), page, {
      positionOf: (last) => [last.idpId, last.priority, last.id].join(' '),
      total,
    });
  },

  /** Every policy of an identity provider, in the order in which they are asked. */
  async allOf(idpId: string): Promise<XaaPolicy[]> {
    const { rows } = await db.query(
      'xaa_policy_all_of',
      `select ${columns} from xaa_policies where idp_id = $1 order by priority, id`,
      [idpId],
    );
    return rows.map(toPolicy);
  },

  /** @throws {ReferenceGone} when the identity provider was deleted meanwhile */
  async insert(policy: NewXaaPolicy): Promise<XaaPolicy> {
    const { rows } = await db.query(
      'xaa_policy_insert',
      `insert into xaa_policies (id, idp_id, name, priority, client_ids, scopes, resources, enabled)
       values ($1, $2, $3, $4, $5, $6, $7, $8) returning ${columns}`,
      [policy.id, policy.idpId, ...changeable(policy)],
    );
    return toPolicy(rows[0] as Row);
  },

  /** `undefined` when the row is gone or its version moved on. It stays with its identity provider. */
  async update(policy: XaaPolicy): Promise<XaaPolicy | undefined> {
    const { rows } = await db.query(
      'xaa_policy_update',
      `update xaa_policies set name = $3, priority = $4, client_ids = $5, scopes = $6, resources = $7, enabled = $8,
              version = version + 1, updated_at = now()
        where id = $1 and version = $2 returning ${columns}`,
      [policy.id, policy.version, ...changeable(policy)],
    );
    return rows.map(toPolicy)[0];
  },

  async delete(id: string): Promise<boolean> {
    const { rowCount } = await db.query('xaa_policy_delete', 'delete from xaa_policies where id = $1', [id]);
    return rowCount === 1;
  },
});

const last = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** A position of another list is behind everything. */
const behind = ({ after }: Page): [string | null, number, string] => {
  if (after === undefined) return [null, 0, last];
  const [idpId = '', priority = '', id = ''] = after.split(' ');
  return isUuid(idpId) && isUuid(id) && /^\d{1,9}$/.test(priority) ? [idpId, Number(priority), id] : [last, 0, last];
};

const changeable = (policy: NewXaaPolicy): unknown[] => [
  policy.name,
  policy.priority,
  policy.clientIds ?? null,
  policy.scopes ?? null,
  policy.resources ?? null,
  policy.enabled,
];

const toPolicy = (row: Row): XaaPolicy => ({
  id: row.id as string,
  idpId: row.idp_id as string,
  name: row.name as string,
  priority: row.priority as number,
  clientIds: (row.client_ids as string[] | null) ?? undefined,
  scopes: (row.scopes as string[] | null) ?? undefined,
  resources: (row.resources as string[] | null) ?? undefined,
  enabled: row.enabled as boolean,
  version: row.version as number,
  createdAt: row.created_at as Date,
  updatedAt: row.updated_at as Date,
});
