import type { Queryable, Row } from '../db.ts';
import type { Issuance } from './issuances.ts';

export type NewAuthorizationCode = {
  codeHash: Buffer;
  clientId: string;
  userId: string;
  consentGrantId: string;
  userEpoch: number;
  consentEpoch: number;
  redirectUri: string;
  scopes: readonly string[];
  resourceId: string | undefined;
  resource: string | undefined;
  codeChallenge: string;
  authTime: Date;
  createdAt: Date;
  expiresAt: Date;
};

export type AuthorizationCode = NewAuthorizationCode & {
  failedAttempts: number;
  redeemedAt: Date | undefined;
  familyId: string | undefined;
  userActive: boolean;
  consentRevoked: boolean;
};

/** What a redemption writes besides marking the code. */
export type Redemption = {
  codeHash: Buffer;
  now: Date;
  familyId: string;
  familyExpiresAt: Date;
  dpopJkt: string | undefined;
  refreshToken: { hash: Buffer; expiresAt: Date } | undefined;
  issuance: Issuance;
};

export const authorizationCodes = (db: Queryable) => ({
  async insert(code: NewAuthorizationCode): Promise<void> {
    await db.query(
      'code_insert',
      `insert into authorization_codes (code_hash, client_id, user_id, consent_grant_id, redirect_uri, scopes, resource_id,
         resource, code_challenge, auth_time, created_at, expires_at, user_epoch, consent_epoch)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
      [
        code.codeHash,
        code.clientId,
        code.userId,
        code.consentGrantId,
        code.redirectUri,
        code.scopes,
        code.resourceId ?? null,
        code.resource ?? null,
        code.codeChallenge,
        code.authTime,
        code.createdAt,
        code.expiresAt,
        code.userEpoch,
        code.consentEpoch,
      ],
    );
  },

  /** The code with all that its redemption is judged by, in one read. */
  async find(codeHash: Buffer): Promise<AuthorizationCode | undefined> {
    const { rows } = await db.query(
      'code_find',
      `select c.code_hash, c.client_id, c.user_id, c.consent_grant_id, c.redirect_uri, c.scopes, c.resource_id, c.resource,
              c.code_challenge, c.auth_time, c.created_at, c.expires_at, c.failed_attempts, c.redeemed_at, c.family_id,
              c.user_epoch, c.consent_epoch, u.status = 'active' as user_active,
              u.epoch <> c.user_epoch or g.epoch <> c.consent_epoch or g.revoked_at is not null as consent_revoked
         from authorization_codes c
         join users u on u.id = c.user_id
         join consent_grants g on g.id = c.consent_grant_id
        where c.code_hash = $1`,
      [codeHash],
    );
    return rows.map(toCode)[0];
  },

  /**
   * Spends the code and writes the family, its first refresh token and the issuance, in one statement.
   * True for exactly one caller, however many race (RFC 6749 §4.1.2). User and consent are locked for sharing: a
   * revocation that came first is seen here, and one that comes later waits and then finds the family.
   */
  async redeem(redemption: Redemption): Promise<boolean> {
    const { issuance, refreshToken } = redemption;
    const { rows } = await db.query<{ redeemed: number }>('code_redeem', redeem, [
      redemption.codeHash,
      redemption.now,
      redemption.familyId,
      redemption.familyExpiresAt,
      redemption.dpopJkt ?? null,
      refreshToken?.hash ?? null,
      refreshToken?.expiresAt ?? null,
      issuance.id,
      issuance.resource,
      issuance.expiresAt,
      issuance.agentId ?? null,
    ]);
    return rows[0]?.redeemed === 1;
  },

  /** Counts a wrong verifier. Guessing over many connections meets the same counter (RFC 9700 §4.5). */
  async countFailure(codeHash: Buffer): Promise<void> {
    await db.query(
      'code_count_failure',
      'update authorization_codes set failed_attempts = failed_attempts + 1 where code_hash = $1',
      [codeHash],
    );
  },
});

const redeem = `
  with held as (
    select c.code_hash
      from authorization_codes c
      join users u on u.id = c.user_id
      join consent_grants g on g.id = c.consent_grant_id
     where c.code_hash = $1 and u.status = 'active' and u.epoch = c.user_epoch
       and g.revoked_at is null and g.epoch = c.consent_epoch
       for share of u, g
  ), code as (
    update authorization_codes c set redeemed_at = $2, family_id = $3
      from held where c.code_hash = held.code_hash and c.redeemed_at is null
    returning c.client_id, c.user_id, c.consent_grant_id, c.user_epoch, c.consent_epoch, c.scopes, c.resource_id,
              c.resource, c.auth_time
  ), family as (
    insert into token_families (id, client_id, user_id, consent_grant_id, user_epoch, consent_epoch, scopes, resource_id,
        resource, dpop_jkt, auth_time, created_at, expires_at)
    select $3, client_id, user_id, consent_grant_id, user_epoch, consent_epoch, scopes, resource_id, resource, $5,
           auth_time, $2, $4 from code
  ), token as (
    insert into refresh_tokens (token_hash, family_id, issued_at, expires_at)
    select $6::bytea, $3, $2, $7::timestamptz from code where $6::bytea is not null
  ), issuance as (
    insert into issuances (id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scopes, issued_at,
        expires_at, family_id, consent_grant_id, consent_client_id, dpop_jkt, agent_id)
    select $8, 'authorization_code', client_id, user_id::text, user_id, resource_id, $9, scopes, $2, $10, $3,
           consent_grant_id, client_id, $5, $11 from code
  )
  select count(*)::int as redeemed from code`;

const toCode = (row: Row): AuthorizationCode => ({
  codeHash: row.code_hash as Buffer,
  clientId: row.client_id as string,
  userId: row.user_id as string,
  consentGrantId: row.consent_grant_id as string,
  userEpoch: row.user_epoch as number,
  consentEpoch: row.consent_epoch as number,
  redirectUri: row.redirect_uri as string,
  scopes: row.scopes as string[],
  resourceId: (row.resource_id as string | null) ?? undefined,
  resource: (row.resource as string | null) ?? undefined,
  codeChallenge: row.code_challenge as string,
  authTime: row.auth_time as Date,
  createdAt: row.created_at as Date,
  expiresAt: row.expires_at as Date,
  failedAttempts: row.failed_attempts as number,
  redeemedAt: (row.redeemed_at as Date | null) ?? undefined,
  familyId: (row.family_id as string | null) ?? undefined,
  userActive: row.user_active as boolean,
  consentRevoked: row.consent_revoked as boolean,
});
