import { afterUuid, type Page, type Paged, type Queryable, type Row, toPaged, totalOf } from '../db.ts';
import { isUuid } from '../uuid.ts';

export type AdminKeyRole = 'viewer' | 'operator' | 'owner';

/** What lets somebody use the admin API. The key itself is not kept. */
export type AdminKey = {
  id: string;
  label: string;
  role: AdminKeyRole;
  version: number;
  createdBy: string;
  createdAt: Date;
  /** Absent: until it is revoked. */
  expiresAt: Date | undefined;
  lastUsedAt: Date | undefined;
  revokedAt: Date | undefined;
};

const columns = 'id, label, role, version, created_by, created_at, expires_at, last_used_at, revoked_at';

export const adminKeys = (db: Queryable) => ({
  async insert(
    key: Pick<AdminKey, 'id' | 'label' | 'role' | 'createdBy' | 'createdAt' | 'expiresAt'> & { keyHash: Buffer },
  ): Promise<AdminKey> {
    const { rows } = await db.query(
      'admin_key_insert',
      `insert into admin_keys (id, label, key_hash, role, created_by, created_at, expires_at)
       values ($1, $2, $3, $4, $5, $6, $7) returning ${columns}`,
      [key.id, key.label, key.keyHash, key.role, key.createdBy, key.createdAt, key.expiresAt ?? null],
    );
    return toAdminKey(rows[0] as Row);
  },

  async find(id: string): Promise<AdminKey | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('admin_key_find', `select ${columns} from admin_keys where id = $1`, [id]);
    return rows.map(toAdminKey)[0];
  },

  /** Whatever became of it: whether it is still good, the caller decides. */
  async findByHash(keyHash: Buffer): Promise<AdminKey | undefined> {
    const { rows } = await db.query('admin_key_find_by_hash', `select ${columns} from admin_keys where key_hash = $1`, [
      keyHash,
    ]);
    return rows.map(toAdminKey)[0];
  },

  /** Newest last; those that are over are shown as well. */
  async list(page: Page): Promise<Paged<AdminKey>> {
    const { rows } = await db.query(
      'admin_key_list',
      `select ${columns}, count(*) over () as total from admin_keys
        where ($1::uuid is null or id > $1) order by id limit $2 offset $3`,
      [afterUuid(page), page.limit + 1, page.offset],
    );
    const total = page.after === undefined ? totalOf(rows, page) : undefined;
    return toPaged(rows.map(toAdminKey), page, { positionOf: ({ id }) => id, total });
  },

  /** What is stored then, or `undefined` when its version moved on since it was read, or it was revoked. */
  async update(key: AdminKey): Promise<AdminKey | undefined> {
    const { rows } = await db.query(
      'admin_key_update',
      `update admin_keys set label = $3, role = $4, expires_at = $5, version = version + 1
        where id = $1 and version = $2 and revoked_at is null returning ${columns}`,
      [key.id, key.version, key.label, key.role, key.expiresAt ?? null],
    );
    return rows.map(toAdminKey)[0];
  },

  /** The key this call ended, or `undefined` when there is none that was not ended before. */
  async revoke(id: string, now: Date): Promise<AdminKey | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query(
      'admin_key_revoke',
      `update admin_keys set revoked_at = $2, version = version + 1
        where id = $1 and revoked_at is null returning ${columns}`,
      [id, now],
    );
    return rows.map(toAdminKey)[0];
  },

  /** Notes that a key was good just now; of several processes that say so the latest stands. No new version of it. */
  async touch(id: string, at: Date): Promise<void> {
    await db.query(
      'admin_key_touch',
      'update admin_keys set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at < $2)',
      [id, at],
    );
  },

  /** Whether `actorId` comes for the first time since `since`; true for exactly one of many who ask at once. */
  async noteLogin(actorId: string, now: Date, since: Date): Promise<boolean> {
    const { rowCount } = await db.query(
      'admin_login_note',
      `insert into admin_logins as held (actor_id, at) values ($1, $2)
       on conflict (actor_id) do update set at = excluded.at where held.at < $3`,
      [actorId, now, since],
    );
    return rowCount === 1;
  },
});

const toAdminKey = (row: Row): AdminKey => ({
  id: row.id as string,
  label: row.label as string,
  role: row.role as AdminKeyRole,
  version: row.version as number,
  createdBy: row.created_by as string,
  createdAt: row.created_at as Date,
  expiresAt: (row.expires_at as Date | null) ?? undefined,
  lastUsedAt: (row.last_used_at as Date | null) ?? undefined,
  revokedAt: (row.revoked_at as Date | null) ?? undefined,
});
