import { afterUuid, type Page, type Paged, type Queryable, type Row, toPaged, totalOf } from '../db.ts';
import { isText } from '../text.ts';
import { isUuid } from '../uuid.ts';

export type UserStatus = 'active' | 'disabled';
export type UserRole = 'admin' | 'user';

export type User = {
  id: string;
  email: string | undefined;
  name: string;
  role: UserRole;
  status: UserStatus;
  provider: string;
  version: number;
  createdAt: Date;
  updatedAt: Date;
};

const columns = 'id, email, name, role, status, provider, version, created_at, updated_at';

export const users = (db: Queryable) => ({
  async find(id: string): Promise<User | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('user_find', `select ${columns} from users where id = $1`, [id]);
    return rows.map(toUser)[0];
  },

  /** What a sign-in needs and nothing else may see. Addresses are compared without regard to case. */
  async findForLogin(
    email: string,
  ): Promise<{ user: User; epoch: number; passwordHash: string | undefined } | undefined> {
    if (!isText(email)) return undefined;
    const { rows } = await db.query(
      'user_find_for_login',
      `select ${columns}, epoch, password_hash from users where lower(email) = lower($1)`,
      [email],
    );
    const row = rows[0];
    return (
      row && {
        user: toUser(row),
        epoch: row.epoch as number,
        passwordHash: (row.password_hash as string | null) ?? undefined,
      }
    );
  },

  /** Newest last. */
  async list(filter: { email?: string }, page: Page): Promise<Paged<User>> {
    const { rows } = await db.query(
      'user_list',
      `select ${columns}, count(*) over () as total from users
        where ($1::text is null or lower(email) = lower($1)) and ($2::uuid is null or id > $2)
        order by id limit $3 offset $4`,
      [filter.email ?? null, afterUuid(page), page.limit + 1, page.offset],
    );
    const total = page.after === undefined ? totalOf(rows, page) : undefined;
    return toPaged(rows.map(toUser), page, { positionOf: ({ id }) => id, total });
  },

  async insert(user: { id: string; email: string; name: string; role: UserRole; passwordHash: string }): Promise<User> {
    const { rows } = await db.query(
      'user_insert',
      `insert into users (id, email, name, role, password_hash) values ($1, $2, $3, $4, $5) returning ${columns}`,
      [user.id, user.email, user.name, user.role, user.passwordHash],
    );
    return toUser(rows[0] as Row);
  },

  /** `undefined` when the row is gone or its version moved on. */
  async update(user: User): Promise<User | undefined> {
    const { rows } = await db.query(
      'user_update',
      `update users set email = $3, name = $4, version = version + 1, updated_at = now()
        where id = $1 and version = $2 returning ${columns}`,
      [user.id, user.version, user.email ?? null, user.name],
    );
    return rows.map(toUser)[0];
  },

  /**
   * The user for this transaction alone, against others that write what the user allows and against redemptions. Comes
   * before any of their consents.
   */
  async lock(id: string): Promise<void> {
    await db.query('user_lock', 'select 1 from users where id = $1 for no key update', [id]);
  },

  /**
   * Ends everything the user holds: sessions, codes, families. It waits for redemptions under way and is seen by every
   * later one, so it must come first in its transaction; what is ended after it is then complete.
   */
  async moveEpoch(id: string): Promise<void> {
    await db.query('user_move_epoch', 'update users set epoch = epoch + 1 where id = $1', [id]);
  },

  async setPassword(id: string, passwordHash: string): Promise<void> {
    await db.query(
      'user_set_password',
      'update users set password_hash = $2, version = version + 1, updated_at = now() where id = $1',
      [id, passwordHash],
    );
  },

  async setStatus(id: string, to: UserStatus): Promise<User | undefined> {
    const { rows } = await db.query(
      'user_set_status',
      `update users set status = $2, version = version + 1, updated_at = now()
        where id = $1 and status <> $2 returning ${columns}`,
      [id, to],
    );
    return rows.map(toUser)[0];
  },

  async delete(id: string): Promise<boolean> {
    const { rowCount } = await db.query('user_delete', 'delete from users where id = $1', [id]);
    return rowCount === 1;
  },

  async count(): Promise<number> {
    const { rows } = await db.query('user_count', 'select count(*) as n from users');
    return Number(rows[0]?.n);
  },
});

const toUser = (row: Row): User => ({
  id: row.id as string,
  email: (row.email as string | null) ?? undefined,
  name: row.name as string,
  role: row.role as UserRole,
  status: row.status as UserStatus,
  provider: row.provider as string,
  version: row.version as number,
  createdAt: row.created_at as Date,
  updatedAt: row.updated_at as Date,
});
