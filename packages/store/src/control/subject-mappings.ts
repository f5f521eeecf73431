import { afterUuid, type Page, type Paged, type Queryable, type Row, toPaged, totalOf } from '../db.ts';
import { isUuid } from '../uuid.ts';

/** Who a subject of an identity provider is here. */
export type SubjectMapping = {
  id: string;
  idpId: string;
  /** Compared byte for byte with `sub`. */
  idpSubject: string;
  /** The account, which may be gone by now; absent when the subject is known and has none here. */
  localUserId: string | undefined;
  version: number;
  createdAt: Date;
  updatedAt: Date;
};

export type NewSubjectMapping = Omit<SubjectMapping, 'version' | 'createdAt' | 'updatedAt'>;

const columns = 'id, idp_id, idp_subject, local_user_id, version, created_at, updated_at';

export const subjectMappings = (db: Queryable) => ({
  async find(id: string): Promise<SubjectMapping | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('mapping_find', `select ${columns} from subject_mappings where id = $1`, [id]);
    return rows.map(toMapping)[0];
  },

  /** Newest last. */
  async list(
    filter: { idpId?: string | undefined; localUserId?: string | undefined },
    page: Page,
  ): Promise<Paged<SubjectMapping>> {
    const { idpId, localUserId } = filter;
    if ([idpId, localUserId].some((id) => id !== undefined && !isUuid(id)))
      return { rows: [], total: 0, next: undefined };
    const { rows } = await db.query(
      'mapping_list',
      `select ${columns}, count(*) over () as total from subject_mappings
        where ($1::uuid is null or idp_id = $1) and ($2::uuid is null or local_user_id = $2)
          and ($3::uuid is null or id > $3)
        order by id limit $4 offset $5`,
      [idpId ?? null, localUserId ?? null, afterUuid(page), page.limit + 1, page.offset],
    );
    const total = page.after === undefined ? totalOf(rows, page) : undefined;
    return toPaged(rows.map(toMapping), page, { positionOf: ({ id }) => id, total });
  },

  /** Every mapping of an identity provider. */
  async allOf(idpId: string): Promise<SubjectMapping[]> {
    const { rows } = await db.query(
      'mapping_all_of',
      `select ${columns} from subject_mappings where idp_id = $1 order by id`,
      [idpId],
    );
    return rows.map(toMapping);
  },

  /**
   * @throws {DuplicateRow} when the subject is mapped already
   * @throws {ReferenceGone} when the identity provider was deleted meanwhile
   */
  async insert(mapping: NewSubjectMapping): Promise<SubjectMapping> {
    const { rows } = await db.query(
      'mapping_insert',
      `insert into subject_mappings (id, idp_id, idp_subject, local_user_id) values ($1, $2, $3, $4)
       returning ${columns}`,
      [mapping.id, mapping.idpId, mapping.idpSubject, mapping.localUserId ?? null],
    );
    return toMapping(rows[0] as Row);
  },

  /** Gives the subject another account, or none. `undefined` when the row is gone or its version moved on. */
  async update({ id, version, localUserId }: SubjectMapping): Promise<SubjectMapping | undefined> {
    const { rows } = await db.query(
      'mapping_update',
      `update subject_mappings set local_user_id = $3, version = version + 1, updated_at = now()
        where id = $1 and version = $2 returning ${columns}`,
      [id, version, localUserId ?? null],
    );
    return rows.map(toMapping)[0];
  },

  async delete(id: string): Promise<boolean> {
    const { rowCount } = await db.query('mapping_delete', 'delete from subject_mappings where id = $1', [id]);
    return rowCount === 1;
  },
});

const toMapping = (row: Row): SubjectMapping => ({
  id: row.id as string,
  idpId: row.idp_id as string,
  idpSubject: row.idp_subject as string,
  localUserId: (row.local_user_id as string | null) ?? undefined,
  version: row.version as number,
  createdAt: row.created_at as Date,
  updatedAt: row.updated_at as Date,
});
