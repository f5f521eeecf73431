import { type Page, type Paged, type Queryable, type Row, uuidOrLast } from '../db.ts';
import { DuplicateRow } from '../errors.ts';
import { type Conditions, mostCounted, mostFound, readPage, requireText } from '../listing.ts';
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
  /** Where the account lives: `local` has a password here, `oidc` is somebody at an OpenID provider. */
  provider: string;
  /** Issuer and subject there, which nobody else has. */
  federated: { issuer: string; subject: string } | undefined;
  version: number;
  createdAt: Date;
  updatedAt: Date;
};

/** All that are given must match. */
export type UserFilter = {
  /** This very address, in any case of letters. */
  email?: string | undefined;
  /** Part of the address or the name, in any case of letters. */
  text?: string | undefined;
  status?: UserStatus | undefined;
  role?: UserRole | undefined;
  provider?: string | undefined;
};

const columns =
  'id, email, name, role, status, provider, provider_issuer, provider_sub, version, created_at, updated_at';

/** Somebody at an OpenID provider who proved it, and what the provider says of them now; `undefined` is not said. */
export type FederatedPerson = {
  issuer: string;
  subject: string;
  email: string | undefined;
  name: string | undefined;
};

export const users = (db: Queryable) => ({
  async find(id: string): Promise<User | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('user_find', `select ${columns} from users where id = $1`, [id]);
    return rows.map(toUser)[0];
  },

  /** Those with one of these addresses, in any case of letters, or one of these ids. */
  async findMany(emails: readonly string[], ids: readonly string[]): Promise<User[]> {
    const { rows } = await db.query(
      'user_find_many',
      `select ${columns} from users
        where lower(email) = any(array(select lower(e) from unnest($1::text[]) as e)) or id = any($2::uuid[])`,
      [emails.filter(isText), ids.filter(isUuid)],
    );
    return rows.map(toUser);
  },

  /** Those whose account is here, some at a time. */
  async pageOfLocal(after: string | undefined, limit: number): Promise<User[]> {
    const { rows } = await db.query(
      'user_page_of_local',
      `select ${columns} from users where provider = 'local' and ($1::uuid is null or id > $1) order by id limit $2`,
      [after ?? null, limit],
    );
    return rows.map(toUser);
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
  list: (filter: UserFilter, page: Page): Promise<Paged<User>> =>
    readPage(
      db,
      {
        operation: 'user_list',
        table: 'users',
        columns,
        filter: (matching) => matchUsers(filter, matching),
        order: 'id',
        behind: (position, matching) => `id > ${matching.value(uuidOrLast(position))}`,
        positionOf: ({ id }) => id as string,
        toItem: toUser,
        most: filter.text === undefined ? mostCounted : mostFound,
      },
      page,
    ),

  /** Without a password the user cannot sign in with one until it is set. */
  async insert(user: {
    id: string;
    email: string;
    name: string;
    role: UserRole;
    passwordHash: string | undefined;
  }): Promise<User> {
    const { rows } = await db.query(
      'user_insert',
      `insert into users (id, email, name, role, password_hash) values ($1, $2, $3, $4, $5) returning ${columns}`,
      [user.id, user.email, user.name, user.role, user.passwordHash ?? null],
    );
    return toUser(rows[0] as Row);
  },

  /**
   * The account of somebody at an OpenID provider; made when there is none (then `created`), else with its address and name
   * as they are now. Only issuer and subject find it, never an address: an address of somebody else's is not taken over, and
   * `undefined` is the answer when a new account would need one.
   */
  async findOrInsertFederated(
    id: string,
    person: FederatedPerson,
  ): Promise<{ user: User; epoch: number; created: boolean } | undefined> {
    // Whoever lost a race, for the account or for the address, sees on the second look what the winner wrote.
    for (let attempt = 1; ; attempt += 1) {
      const found = await findOrInsertOnce(db, id, person).catch((error: unknown) => {
        if (error instanceof DuplicateRow) return undefined;
        throw error;
      });
      if (found || attempt === 2) return found;
    }
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

/** One statement. Nothing comes back when somebody else made the account meanwhile, or has the address. */
const findOrInsertOnce = async (db: Queryable, id: string, { issuer, subject, email, name }: FederatedPerson) => {
  const { rows } = await db.query(
    'user_find_or_insert_federated',
    `with known as (
       select ${columns}, epoch from users where provider_issuer = $2 and provider_sub = $3
     ), wanted as (
       select id, case when exists (select 1 from users o where lower(o.email) = lower($4) and o.id <> known.id)
                       then email else coalesce($4, email) end as email, coalesce($5, name) as name
         from known where status = 'active'
     ), changed as (
       update users u set email = w.email, name = w.name, version = u.version + 1, updated_at = now()
         from wanted w where u.id = w.id and (u.email, u.name) is distinct from (w.email, w.name)
       returning ${columns
         .split(', ')
         .map((column) => `u.${column}`)
         .join(', ')}, u.epoch
     ), made as (
       insert into users (id, email, name, provider, provider_issuer, provider_sub)
       select $1, $4, coalesce($5, ''), 'oidc', $2, $3 where not exists (select 1 from known)
       on conflict do nothing
       returning ${columns}, epoch
     )
     select *, false as created from changed
     union all select *, false from known where not exists (select 1 from changed)
     union all select *, true from made`,
    [id, issuer, subject, email ?? null, name ?? null],
  );
  const row = rows[0];
  return row && { user: toUser(row), epoch: row.epoch as number, created: row.created as boolean };
};

const matchUsers = ({ email, text, status, role, provider }: UserFilter, matching: Conditions): void => {
  if (email !== undefined) matching.require(`lower(email) = lower(${matching.value(email)})`);
  if (status !== undefined) matching.require(`status = ${matching.value(status)}`);
  if (role !== undefined) matching.require(`role = ${matching.value(role)}`);
  if (provider !== undefined) matching.require(`provider = ${matching.value(provider)}`);
  if (text !== undefined) requireText('user_search_text(email, name)', text, matching);
};

const toUser = (row: Row): User => ({
  id: row.id as string,
  email: (row.email as string | null) ?? undefined,
  name: row.name as string,
  role: row.role as UserRole,
  status: row.status as UserStatus,
  provider: row.provider as string,
  federated:
    row.provider_issuer === null
      ? undefined
      : { issuer: row.provider_issuer as string, subject: row.provider_sub as string },
  version: row.version as number,
  createdAt: row.created_at as Date,
  updatedAt: row.updated_at as Date,
});
