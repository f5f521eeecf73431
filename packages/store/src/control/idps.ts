import { afterUuid, type Page, type Paged, type Queryable, type Row, toPaged, totalOf } from '../db.ts';
import { isUuid } from '../uuid.ts';

/** An identity provider whose assertions about people we believe. */
export type TrustedIdp = {
  id: string;
  name: string;
  /** Compared byte for byte with `iss`. */
  issuer: string;
  /** As an operator gave it; without it the keys are where the metadata of the issuer says. */
  jwksUri: string | undefined;
  discoveredJwksUri: string | undefined;
  /** What `aud` must be; our own issuer when absent. */
  audience: string | undefined;
  enabled: boolean;
  /** When usable keys were last seen there. */
  keysFetchedAt: Date | undefined;
  version: number;
  createdAt: Date;
  updatedAt: Date;
};

export type NewTrustedIdp = Omit<TrustedIdp, 'version' | 'createdAt' | 'updatedAt'>;

const columns = `id, name, issuer, jwks_uri, discovered_jwks_uri, audience, enabled, keys_fetched_at, version, created_at,
  updated_at`;

export const trustedIdps = (db: Queryable) => ({
  async find(id: string): Promise<TrustedIdp | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('idp_find', `select ${columns} from trusted_idps where id = $1`, [id]);
    return rows.map(toIdp)[0];
  },

  /** As `find`, and until the transaction ends nobody else changes it or gives it policies and mappings. */
  async lock(id: string): Promise<TrustedIdp | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('idp_lock', `select ${columns} from trusted_idps where id = $1 for update`, [id]);
    return rows.map(toIdp)[0];
  },

  /** Newest last. */
  async list(page: Page): Promise<Paged<TrustedIdp>> {
    const { rows } = await db.query(
      'idp_list',
      `select ${columns}, count(*) over () as total from trusted_idps
        where ($1::uuid is null or id > $1) order by id limit $2 offset $3`,
      [afterUuid(page), page.limit + 1, page.offset],
    );
    const total = page.after === undefined ? totalOf(rows, page) : undefined;
    return toPaged(rows.map(toIdp), page, { positionOf: ({ id }) => id, total });
  },

  /** @throws {DuplicateRow} when the issuer is known already */
  async insert(idp: NewTrustedIdp): Promise<TrustedIdp> {
    const { rows } = await db.query(
      'idp_insert',
      `insert into trusted_idps (id, name, issuer, jwks_uri, discovered_jwks_uri, audience, enabled, keys_fetched_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8) returning ${columns}`,
      [idp.id, idp.name, idp.issuer, ...changeable(idp)],
    );
    return toIdp(rows[0] as Row);
  },

  /** `undefined` when the row is gone or its version moved on. The issuer stays: its mappings are about it. */
  async update(idp: TrustedIdp): Promise<TrustedIdp | undefined> {
    const { rows } = await db.query(
      'idp_update',
      `update trusted_idps set name = $3, jwks_uri = $4, discovered_jwks_uri = $5, audience = $6, enabled = $7,
              keys_fetched_at = $8, version = version + 1, updated_at = now()
        where id = $1 and version = $2 returning ${columns}`,
      [idp.id, idp.version, idp.name, ...changeable(idp)],
    );
    return rows.map(toIdp)[0];
  },

  /** With its policies and mappings. */
  async delete(id: string): Promise<boolean> {
    const { rowCount } = await db.query('idp_delete', 'delete from trusted_idps where id = $1', [id]);
    return rowCount === 1;
  },
});

const changeable = (idp: NewTrustedIdp): unknown[] => [
  idp.jwksUri ?? null,
  idp.discoveredJwksUri ?? null,
  idp.audience ?? null,
  idp.enabled,
  idp.keysFetchedAt ?? null,
];

const toIdp = (row: Row): TrustedIdp => ({
  id: row.id as string,
  name: row.name as string,
  issuer: row.issuer as string,
  jwksUri: (row.jwks_uri as string | null) ?? undefined,
  discoveredJwksUri: (row.discovered_jwks_uri as string | null) ?? undefined,
  audience: (row.audience as string | null) ?? undefined,
  enabled: row.enabled as boolean,
  keysFetchedAt: (row.keys_fetched_at as Date | null) ?? undefined,
  version: row.version as number,
  createdAt: row.created_at as Date,
  updatedAt: row.updated_at as Date,
});
