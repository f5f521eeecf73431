import type { Adapter, AdapterPayload } from 'oidc-provider';
import type pg from 'pg';

/** Statements sent to PostgreSQL. */
export const sent = { statements: 0 };

/** Everything `oidc-provider` keeps, in one table; the indexes are the ones its documentation asks for. */
export const createTable = (pool: pg.Pool): Promise<unknown> =>
  pool.query(`
    create table oidc_payloads (
      model text not null, id text not null, payload jsonb not null, grant_id text, user_code text, uid text,
      expires_at timestamptz, consumed_at timestamptz, primary key (model, id));
    create index on oidc_payloads (grant_id) where grant_id is not null;
    create index on oidc_payloads (uid) where uid is not null;
    create index on oidc_payloads (user_code) where user_code is not null`);

/** The adapter as its documentation describes it, with a prepared statement for every method. */
export const postgresAdapter =
  (pool: pg.Pool) =>
  (model: string): Adapter => {
    const query = async (name: string, text: string, values: unknown[]): Promise<AdapterPayload | undefined> => {
      sent.statements += 1;
      const { rows } = await pool.query({ name: `oidc_${name}`, text, values });
      const [row] = rows as { payload: AdapterPayload; consumed_at: Date | null }[];
      if (!row) return undefined;
      return row.consumed_at ? { ...row.payload, consumed: Math.floor(row.consumed_at.getTime() / 1000) } : row.payload;
    };
    const find = (column: string) => (value: string) =>
      query(
        `find_${column}`,
        `select payload, consumed_at from oidc_payloads
        where model = $1 and ${column} = $2 and (expires_at is null or expires_at > now())`,
        [model, value],
      );
    return {
      async upsert(id, payload, expiresIn) {
        await query(
          'upsert',
          `insert into oidc_payloads (model, id, payload, grant_id, user_code, uid, expires_at)
         values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
         on conflict (model, id) do update set payload = excluded.payload, grant_id = excluded.grant_id,
           user_code = excluded.user_code, uid = excluded.uid, expires_at = excluded.expires_at`,
          [model, id, payload, payload.grantId, payload.userCode, payload.uid, expiresIn],
        );
      },
      find: find('id'),
      findByUid: find('uid'),
      findByUserCode: find('user_code'),
      async consume(id) {
        await query('consume', 'update oidc_payloads set consumed_at = now() where model = $1 and id = $2', [
          model,
          id,
        ]);
      },
      async destroy(id) {
        await query('destroy', 'delete from oidc_payloads where model = $1 and id = $2', [model, id]);
      },
      async revokeByGrantId(grantId) {
        await query('revoke', 'delete from oidc_payloads where grant_id = $1', [grantId]);
      },
    };
  };
