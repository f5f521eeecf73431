import { afterUuid, type Page, type Paged, type Queryable, type Row, toPaged, totalOf } from '../db.ts';
import { isUuid } from '../uuid.ts';

/** What lets somebody register a client who otherwise might not (RFC 7591 §3). The token itself is not kept. */
export type InitialAccessToken = {
  id: string;
  label: string;
  maxUses: number;
  uses: number;
  createdAt: Date;
  expiresAt: Date;
  lastUsedAt: Date | undefined;
  revokedAt: Date | undefined;
};

const columns = 'id, label, max_uses, uses, created_at, expires_at, last_used_at, revoked_at';
const usable = 'revoked_at is null and expires_at > $2 and uses < max_uses';

export const initialAccessTokens = (db: Queryable) => ({
  async insert(
    token: Pick<InitialAccessToken, 'id' | 'label' | 'maxUses' | 'createdAt' | 'expiresAt'> & { tokenHash: Buffer },
  ): Promise<InitialAccessToken> {
    const { rows } = await db.query(
      'initial_token_insert',
      `insert into initial_access_tokens (id, label, token_hash, max_uses, created_at, expires_at)
       values ($1, $2, $3, $4, $5, $6) returning ${columns}`,
      [token.id, token.label, token.tokenHash, token.maxUses, token.createdAt, token.expiresAt],
    );
    return toToken(rows[0] as Row);
  },

  /** Newest last; those that are over are shown as well. */
  async list(page: Page): Promise<Paged<InitialAccessToken>> {
    const { rows } = await db.query(
      'initial_token_list',
      `select ${columns}, count(*) over () as total from initial_access_tokens
        where ($1::uuid is null or id > $1) order by id limit $2 offset $3`,
      [afterUuid(page), page.limit + 1, page.offset],
    );
    const total = page.after === undefined ? totalOf(rows, page) : undefined;
    return toPaged(rows.map(toToken), page, { positionOf: ({ id }) => id, total });
  },

  /** Whether it could be used now. Costs nothing; `redeem` decides. */
  async isUsable(tokenHash: Buffer, now: Date): Promise<boolean> {
    const { rows } = await db.query(
      'initial_token_is_usable',
      `select 1 from initial_access_tokens where token_hash = $1 and ${usable}`,
      [tokenHash, now],
    );
    return rows.length === 1;
  },

  /** Counts one use and returns the token's id; `undefined` when nothing is left, however many come at once. */
  async redeem(tokenHash: Buffer, now: Date): Promise<string | undefined> {
    const { rows } = await db.query<{ id: string }>(
      'initial_token_redeem',
      `update initial_access_tokens set uses = uses + 1, last_used_at = $2
        where token_hash = $1 and ${usable} returning id`,
      [tokenHash, now],
    );
    return rows[0]?.id;
  },

  /** The token this call ended, or `undefined` when there is none that was not ended before. */
  async revoke(id: string, now: Date): Promise<InitialAccessToken | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query(
      'initial_token_revoke',
      `update initial_access_tokens set revoked_at = $2 where id = $1 and revoked_at is null returning ${columns}`,
      [id, now],
    );
    return rows.map(toToken)[0];
  },
});

const toToken = (row: Row): InitialAccessToken => ({
  id: row.id as string,
  label: row.label as string,
  maxUses: row.max_uses as number,
  uses: row.uses as number,
  createdAt: row.created_at as Date,
  expiresAt: row.expires_at as Date,
  lastUsedAt: (row.last_used_at as Date | null) ?? undefined,
  revokedAt: (row.revoked_at as Date | null) ?? undefined,
});
