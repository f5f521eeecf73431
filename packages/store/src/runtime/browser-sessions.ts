import { bytea, columnsOf, timestamptz } from '../columns.ts';
import type { Queryable, Row } from '../db.ts';
import { inOrder } from '../gather.ts';

export type BrowserSession = {
  userId: string;
  /** Everything issued in this session carries it; once the user's epoch has moved on, it is worth nothing. */
  userEpoch: number;
  email: string | undefined;
  name: string;
  /** When they proved who they are: here, or before that at an OpenID provider. */
  authTime: Date;
  /** When this browser signed in here; never before `authTime`. */
  signedInAt: Date;
  /** How they signed in; `undefined` when an OpenID provider does not say, and for a session of an older release. */
  acr: string | undefined;
};

/** A session as its owner sees it. */
export type ListedSession = {
  idHash: Buffer;
  signedInAt: Date;
  ip: string | undefined;
  userAgent: string | undefined;
};

/** Browsers that are signed in. The cookie holds a random id; only its hash is here, and a row ends with the sign-out. */
export const browserSessions = (db: Queryable) => ({
  /** False when the user was disabled, signed out everywhere or given a new password since `userEpoch` was read. */
  async insert(session: {
    idHash: Buffer;
    userId: string;
    userEpoch: number;
    authTime: Date;
    signedInAt: Date;
    acr: string | undefined;
    expiresAt: Date;
    ip: string;
    userAgent: string | undefined;
  }): Promise<boolean> {
    const { rowCount } = await db.query(
      'session_insert',
      `insert into browser_sessions (id_hash, user_id, user_epoch, auth_time, expires_at, ip, user_agent, acr, signed_in_at)
       select $1, id, epoch, $4, $5, $6, $7, $8, $9 from users where id = $2 and epoch = $3 and status = 'active'`,
      [
        session.idHash,
        session.userId,
        session.userEpoch,
        session.authTime,
        session.expiresAt,
        session.ip,
        session.userAgent ?? null,
        session.acr ?? null,
        session.signedInAt,
      ],
    );
    return rowCount === 1;
  },

  findLive: async (idHash: Buffer, now: Date): Promise<BrowserSession | undefined> =>
    (await findLiveSessions(db, [{ idHash, now }]))[0],

  /** The user whose session this call ended, if it did. */
  async end(idHash: Buffer, now: Date): Promise<string | undefined> {
    const { rows } = await db.query<{ user_id: string }>(
      'session_end',
      'update browser_sessions set ended_at = $2 where id_hash = $1 and ended_at is null returning user_id',
      [idHash, now],
    );
    return rows[0]?.user_id;
  },

  /** The live sessions of a user, newest first. */
  async listLiveOfUser(userId: string, now: Date, limit: number): Promise<ListedSession[]> {
    const { rows } = await db.query(
      'session_list_live_of_user',
      `select s.id_hash, coalesce(s.signed_in_at, s.auth_time) as signed_in_at, s.ip, s.user_agent
         from browser_sessions s join users u on u.id = s.user_id and u.epoch = s.user_epoch
        where s.user_id = $1 and s.ended_at is null and s.expires_at > $2
        order by coalesce(s.signed_in_at, s.auth_time) desc limit $3`,
      [userId, now, limit],
    );
    return rows.map(toListed);
  },

  /** Ends one session if it is this user's. */
  async endOfUser(userId: string, idHash: Buffer, now: Date): Promise<boolean> {
    const { rowCount } = await db.query(
      'session_end_of_user',
      'update browser_sessions set ended_at = $3 where user_id = $1 and id_hash = $2 and ended_at is null and expires_at > $3',
      [userId, idHash, now],
    );
    return rowCount === 1;
  },

  /** Ends all of a user's sessions but one; how many there were. */
  async endOthersOfUser(userId: string, keep: Buffer, now: Date): Promise<number> {
    const { rowCount } = await db.query(
      'session_end_others_of_user',
      `update browser_sessions set ended_at = $3
        where user_id = $1 and id_hash <> $2 and ended_at is null and expires_at > $3`,
      [userId, keep, now],
    );
    return rowCount;
  },

  async endAllOfUser(userId: string, now: Date): Promise<number> {
    const { rowCount } = await db.query(
      'session_end_all_of_user',
      'update browser_sessions set ended_at = $2 where user_id = $1 and ended_at is null and expires_at > $2',
      [userId, now],
    );
    return rowCount;
  },
});

/** The session of `a.hash` with its user, if both are good at `a.now`. */
export const liveSession = `
        select s.user_id, s.user_epoch, s.auth_time, coalesce(s.signed_in_at, s.auth_time) as signed_in_at, s.acr, u.email,
               u.name
          from browser_sessions s join users u on u.id = s.user_id and u.epoch = s.user_epoch and u.status = 'active'
         where s.id_hash = a.hash and s.ended_at is null and s.expires_at > a.now limit 1`;

/** Each session with its user, if both are good at its `now`. */
export const findLiveSessions = async (
  db: Queryable,
  asked: readonly { idHash: Buffer; now: Date }[],
): Promise<(BrowserSession | undefined)[]> => {
  const { rows } = await db.query(
    'session_find_live',
    `select a.n::int, found.*
       from unnest($1::bytea[], $2::timestamptz[]) with ordinality as a(hash, now, n)
      cross join lateral (${liveSession}) as found`,
    columnsOf(
      asked,
      bytea(({ idHash }) => idHash),
      timestamptz(({ now }) => now),
    ),
  );
  return inOrder(rows, asked).map((row) => row && toSession(row));
};

export const toSession = (row: Row): BrowserSession => ({
  userId: row.user_id as string,
  userEpoch: row.user_epoch as number,
  email: (row.email as string | null) ?? undefined,
  name: row.name as string,
  authTime: row.auth_time as Date,
  signedInAt: row.signed_in_at as Date,
  acr: (row.acr as string | null) ?? undefined,
});

const toListed = (row: Row): ListedSession => ({
  idHash: row.id_hash as Buffer,
  signedInAt: row.signed_in_at as Date,
  ip: (row.ip as string | null) ?? undefined,
  userAgent: (row.user_agent as string | null) ?? undefined,
});
