import type { Queryable, Row } from '../db.ts';
import type { Issuance } from './issuances.ts';

/** A refresh token with the family it belongs to, as one read finds them. */
export type HeldRefreshToken = {
  tokenHash: Buffer;
  issuedAt: Date;
  expiresAt: Date;
  spentAt: Date | undefined;
  successorHash: Buffer | undefined;
  successorSpent: boolean;
  familyId: string;
  clientId: string;
  userId: string;
  consentGrantId: string;
  /** What was consented to. */
  scopes: readonly string[];
  resourceId: string | undefined;
  resource: string | undefined;
  dpopJkt: string | undefined;
  authTime: Date;
  familyExpiresAt: Date;
  /** The family, its consent, its client or its user was ended. */
  familyRevoked: boolean;
  userActive: boolean;
};

export type Spending = {
  tokenHash: Buffer;
  familyId: string;
  successor: { hash: Buffer; expiresAt: Date };
  issuance: Issuance;
};

export const refreshTokens = (db: Queryable) => ({
  async find(tokenHash: Buffer): Promise<HeldRefreshToken | undefined> {
    const { rows } = await db.query(
      'refresh_find',
      `select t.token_hash, t.issued_at, t.expires_at, t.spent_at, t.successor_hash,
              coalesce(s.spent_at is not null, false) as successor_spent,
              f.id as family_id, f.client_id, f.user_id, f.consent_grant_id, f.scopes, f.resource_id, f.resource,
              f.dpop_jkt, f.auth_time, f.expires_at as family_expires_at, u.status = 'active' as user_active,
              f.revoked_at is not null or u.epoch <> f.user_epoch or g.epoch <> f.consent_epoch
                or g.revoked_at is not null as family_revoked
         from refresh_tokens t
         join token_families f on f.id = t.family_id
         join users u on u.id = f.user_id
         join consent_grants g on g.id = f.consent_grant_id
         left join refresh_tokens s on s.token_hash = t.successor_hash
        where t.token_hash = $1`,
      [tokenHash],
    );
    return rows.map(toHeld)[0];
  },

  /** Spends a token and writes its successor and the issuance, in one statement. True for exactly one caller. */
  async spend({ tokenHash, familyId, successor, issuance }: Spending): Promise<boolean> {
    const { rows } = await db.query<{ done: number }>('refresh_spend', spend, [
      ...issuanceValues(familyId, issuance),
      tokenHash,
      successor.hash,
      successor.expiresAt,
    ]);
    return rows[0]?.done === 1;
  },

  /** Writes the issuance of a repeated refresh. False when the family was ended meanwhile. */
  async repeat(familyId: string, issuance: Issuance): Promise<boolean> {
    const values = issuanceValues(familyId, issuance);
    const { rows } = await db.query<{ done: number }>('refresh_repeat', repeat, values);
    return rows[0]?.done === 1;
  },
});

/**
 * The family ($1), if it may still be used. Family, user and consent are locked for sharing: a revocation that came first
 * is seen here, one that comes later waits for us. Everybody locks in the order user, consent, family, or they would wait
 * for each other.
 */
const liveFamily = `family as (
    select f.id, f.client_id, f.user_id, f.consent_grant_id, f.resource_id
      from token_families f
      join users u on u.id = f.user_id
      join consent_grants g on g.id = f.consent_grant_id
     where f.id = $1 and f.revoked_at is null and u.status = 'active' and u.epoch = f.user_epoch
       and g.revoked_at is null and g.epoch = f.consent_epoch
       for share of u, g, f
  )`;

/** The issuance ($2 to $8) of the family that `source` yields. */
const issuanceOf = (source: 'family' | 'spent'): string => `issuance as (
    insert into issuances (id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scopes, issued_at,
        expires_at, family_id, consent_grant_id, consent_client_id, agent_id, dpop_jkt)
    select $2, 'refresh_token', client_id, user_id::text, user_id, resource_id, $3, $4, $5, $6, id, consent_grant_id,
           client_id, $7, $8 from ${source}
  )`;

const issuanceValues = (familyId: string, issuance: Issuance): unknown[] => [
  familyId,
  issuance.id,
  issuance.resource,
  issuance.scopes,
  issuance.issuedAt,
  issuance.expiresAt,
  issuance.agentId ?? null,
  issuance.dpopJkt ?? null,
];

const spend = `
  with ${liveFamily}, spent as (
    update refresh_tokens t set spent_at = $5, successor_hash = $10
      from family where t.token_hash = $9 and t.family_id = family.id and t.spent_at is null
    returning family.id, family.client_id, family.user_id, family.consent_grant_id, family.resource_id
  ), successor as (
    insert into refresh_tokens (token_hash, family_id, issued_at, expires_at) select $10, id, $5, $11 from spent
  ), ${issuanceOf('spent')}
  select count(*)::int as done from spent`;

const repeat = `with ${liveFamily}, ${issuanceOf('family')} select count(*)::int as done from family`;

/** Families: everything one authorization produced, and what ends it. */
export const tokenFamilies = (db: Queryable) => ({
  /** True when this call ended it; its refresh and access tokens are dead with it. */
  async revoke(familyId: string, reason: string, now: Date): Promise<boolean> {
    const { rowCount } = await db.query(
      'family_revoke',
      'update token_families set revoked_at = $3, revoked_reason = $2 where id = $1 and revoked_at is null',
      [familyId, reason, now],
    );
    return rowCount === 1;
  },

  async revokeAll(
    of: { userId: string } | { consentGrantId: string } | { clientId: string } | { resourceId: string },
    reason: string,
    now: Date,
  ): Promise<number> {
    const [column, key] =
      'userId' in of
        ? (['user_id', of.userId] as const)
        : 'consentGrantId' in of
          ? (['consent_grant_id', of.consentGrantId] as const)
          : 'clientId' in of
            ? (['client_id', of.clientId] as const)
            : (['resource_id', of.resourceId] as const);
    const { rowCount } = await db.query(
      `family_revoke_all_by_${column}`,
      `update token_families set revoked_at = $3, revoked_reason = $2
        where ${column} = $1 and revoked_at is null and expires_at > $3`,
      [key, reason, now],
    );
    return rowCount;
  },

  async countLive(now: Date): Promise<number> {
    const { rows } = await db.query(
      'family_count_live',
      'select count(*) as n from token_families where revoked_at is null and expires_at > $1',
      [now],
    );
    return Number(rows[0]?.n);
  },
});

const toHeld = (row: Row): HeldRefreshToken => ({
  tokenHash: row.token_hash as Buffer,
  issuedAt: row.issued_at as Date,
  expiresAt: row.expires_at as Date,
  spentAt: (row.spent_at as Date | null) ?? undefined,
  successorHash: (row.successor_hash as Buffer | null) ?? undefined,
  successorSpent: row.successor_spent as boolean,
  familyId: row.family_id as string,
  clientId: row.client_id as string,
  userId: row.user_id as string,
  consentGrantId: row.consent_grant_id as string,
  scopes: row.scopes as string[],
  resourceId: (row.resource_id as string | null) ?? undefined,
  resource: (row.resource as string | null) ?? undefined,
  dpopJkt: (row.dpop_jkt as string | null) ?? undefined,
  authTime: row.auth_time as Date,
  familyExpiresAt: row.family_expires_at as Date,
  familyRevoked: row.family_revoked as boolean,
  userActive: row.user_active as boolean,
});
