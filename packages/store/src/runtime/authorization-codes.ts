import { bool, bytea, columnsOf, integer, jsonb, text, timestamptz, uuid } from '../columns.ts';
import type { Queryable, Row } from '../db.ts';
import { inOrder } from '../gather.ts';
import type { Issuance } from './issuances.ts';
import {
  furtherTargetsColumn,
  type GrantedTarget,
  readTargets,
  scopesOf,
  stillCovered,
  targetsColumn,
} from './targets.ts';

export type NewAuthorizationCode = {
  codeHash: Buffer;
  clientId: string;
  userId: string;
  userEpoch: number;
  redirectUri: string;
  /** What was allowed, and where; at least one. */
  targets: readonly [GrantedTarget, ...GrantedTarget[]];
  codeChallenge: string;
  authTime: Date;
  acr: string | undefined;
  /** `offline_access` was asked for and allowed. */
  offlineAccess: boolean;
  /** The key it must be redeemed with (RFC 9449 §10). */
  dpopJkt: string | undefined;
  createdAt: Date;
  expiresAt: Date;
};

export type AuthorizationCode = Omit<NewAuthorizationCode, 'targets'> & {
  /** Each with the scopes that were allowed and still are. */
  targets: readonly GrantedTarget[];
  failedAttempts: number;
  redeemedAt: Date | undefined;
  familyId: string | undefined;
  userActive: boolean;
  clientActive: boolean;
  /** One of the consents, or the user's whole epoch, is over. */
  consentRevoked: boolean;
};

/** What a redemption writes besides marking the code. */
export type Redemption = {
  codeHash: Buffer;
  now: Date;
  familyId: string;
  familyExpiresAt: Date;
  /** The key the refresh tokens are bound to. */
  dpopJkt: string | undefined;
  refreshToken: { hash: Buffer; expiresAt: Date } | undefined;
  issuance: Issuance;
};

/** Wrong verifiers the right client may send before the code is dead; guessing needs 2^256. */
export const allowedFailures = 5;

export const authorizationCodes = (db: Queryable) => ({
  insert: (code: NewAuthorizationCode): Promise<void> => insertCodes(db, [code]),

  find: async (codeHash: Buffer): Promise<AuthorizationCode | undefined> => (await findCodes(db, [codeHash]))[0],

  /**
   * Spends the code and writes the family, its first refresh token and the issuance, in one statement.
   * True for exactly one caller, however many race (RFC 6749 §4.1.2). User and consents are locked for sharing: a
   * revocation that came first is seen here, and one that comes later waits and then finds the family. The client's row
   * is looked at but not locked: every redemption of a popular client would meet there (decision 0011).
   */
  async redeem(redemption: Redemption, several: boolean): Promise<boolean> {
    const { issuance, refreshToken } = redemption;
    const [operation, statement] = several
      ? (['code_redeem_several', redeemSeveral] as const)
      : (['code_redeem', redeemOne] as const);
    const { rows } = await db.query<{ redeemed: number }>(operation, statement, [
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
      issuance.dpopJkt ?? null,
      issuance.scopes,
      issuance.resourceId ?? null,
      issuance.consentGrantId ?? null,
      furtherTargetsColumn(issuance.furtherTargets),
      issuance.grantType,
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

const newColumns = `code_hash, client_id, user_id, consent_grant_id, redirect_uri, scopes, resource_id, resource,
  code_challenge, auth_time, created_at, expires_at, user_epoch, consent_epoch, acr, offline_access, dpop_jkt, targets`;

/**
 * Stores many codes in one statement. It looks at nothing and waits for nobody: what a code rests on is looked at when it is
 * redeemed, and one whose user or consent is gone by then is as unknown as one that never was.
 */
export const insertCodes = async (db: Queryable, codes: readonly NewAuthorizationCode[]): Promise<void> => {
  await db.query(
    'code_insert_many',
    `insert into authorization_codes (${newColumns})
     select code_hash, client_id, user_id, consent_grant_id, redirect_uri, string_to_array(scope, ' '), resource_id, resource,
            code_challenge, auth_time, created_at, expires_at, user_epoch, consent_epoch, acr, offline_access, dpop_jkt,
            targets
       from unnest($1::bytea[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::uuid[], $8::text[],
                   $9::text[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::integer[],
                   $14::integer[], $15::text[], $16::boolean[], $17::text[], $18::jsonb[])
         as t(code_hash, client_id, user_id, consent_grant_id, redirect_uri, scope, resource_id, resource, code_challenge,
              auth_time, created_at, expires_at, user_epoch, consent_epoch, acr, offline_access, dpop_jkt, targets)`,
    columnsOf(
      codes,
      bytea(({ codeHash }) => codeHash),
      text(({ clientId }) => clientId),
      uuid(({ userId }) => userId),
      uuid(({ targets: [first] }) => first.consentGrantId),
      text(({ redirectUri }) => redirectUri),
      text(({ targets }) => scopesOf(targets).join(' ')),
      uuid(({ targets: [first] }) => first.resourceId),
      text(({ targets: [first] }) => first.resource),
      text(({ codeChallenge }) => codeChallenge),
      timestamptz(({ authTime }) => authTime),
      timestamptz(({ createdAt }) => createdAt),
      timestamptz(({ expiresAt }) => expiresAt),
      integer(({ userEpoch }) => userEpoch),
      integer(({ targets: [first] }) => first.consentEpoch),
      text(({ acr }) => acr),
      bool(({ offlineAccess }) => offlineAccess),
      text(({ dpopJkt }) => dpopJkt),
      jsonb(({ targets }) => targetsColumn(targets)),
    ),
  );
};

/** Each with all that its redemption is judged by, in one read; looked up one by one, like refresh tokens. */
export const findCodes = async (
  db: Queryable,
  hashes: readonly Buffer[],
): Promise<(AuthorizationCode | undefined)[]> => {
  const { rows } = await db.query(
    'code_find',
    `select a.n::int, found.*
       from unnest($1::bytea[]) with ordinality as a(hash, n)
      cross join lateral (
        select c.code_hash, c.client_id, c.user_id, c.consent_grant_id, c.redirect_uri, c.scopes, c.resource_id, c.resource,
               c.code_challenge, c.auth_time, c.acr, c.offline_access, c.dpop_jkt, c.created_at, c.expires_at,
               c.failed_attempts, c.redeemed_at, c.family_id, c.user_epoch, c.consent_epoch,
               u.status = 'active' as user_active, cl.status = 'active' as client_active, c.targets, g.scopes as consented,
               u.epoch <> c.user_epoch or g.epoch <> c.consent_epoch or g.revoked_at is not null as consent_revoked
          from authorization_codes c
          join users u on u.id = c.user_id
          join clients cl on cl.client_id = c.client_id
          join consent_grants g on g.id = c.consent_grant_id
         where c.code_hash = a.hash limit 1) as found`,
    columnsOf(
      hashes,
      bytea((hash) => hash),
    ),
  );
  return Promise.all(inOrder(rows, hashes).map((row) => row && toCode(db, row)));
};

/**
 * The code, if nobody has guessed at it too often, its user, client and consent still stand, and the consent still covers the
 * scopes of the token ($13).
 */
const held = `held as (
    select c.code_hash
      from authorization_codes c
      join users u on u.id = c.user_id
      join clients cl on cl.client_id = c.client_id
      join consent_grants g on g.id = c.consent_grant_id
     where c.code_hash = $1 and c.failed_attempts < ${allowedFailures} and u.status = 'active' and u.epoch = c.user_epoch
       and cl.status = 'active' and g.revoked_at is null and g.epoch = c.consent_epoch and g.scopes @> $13::text[]
       for share of u, g
  )`;

/** The same for a code of several consents, which are locked in the order of their ids and must all be there. */
const heldBySeveral = `consents as (
    select g.id
      from authorization_codes c
      join users u on u.id = c.user_id
      join clients cl on cl.client_id = c.client_id
      cross join lateral jsonb_to_recordset(c.targets) as t(consent_grant_id uuid, consent_epoch integer, scopes text[])
      join consent_grants g on g.id = t.consent_grant_id
     where c.code_hash = $1 and u.status = 'active' and u.epoch = c.user_epoch and cl.status = 'active'
       and g.revoked_at is null and g.epoch = t.consent_epoch and ${stillCovered('$13', '$15', '$16')}
     order by g.id
       for share of u, g
  ), held as (
    select c.code_hash from authorization_codes c
     where c.code_hash = $1 and c.failed_attempts < ${allowedFailures}
       and jsonb_array_length(c.targets) = (select count(*) from consents)
  )`;

const redeem = (whatIsHeld: string): string => `
  with ${whatIsHeld}, code as (
    update authorization_codes c set redeemed_at = $2, family_id = $3
      from held where c.code_hash = held.code_hash and c.redeemed_at is null
    returning c.client_id, c.user_id, c.consent_grant_id, c.user_epoch, c.consent_epoch, c.scopes, c.resource_id,
              c.resource, c.targets, c.auth_time, c.acr
  ), family as (
    insert into token_families (id, client_id, user_id, consent_grant_id, user_epoch, consent_epoch, scopes, resource_id,
        resource, targets, dpop_jkt, auth_time, acr, created_at, expires_at)
    select $3, client_id, user_id, consent_grant_id, user_epoch, consent_epoch, scopes, resource_id, resource, targets,
           $5, auth_time, acr, $2, $4 from code
  ), token as (
    insert into refresh_tokens (token_hash, family_id, issued_at, expires_at)
    select $6::bytea, $3, $2, $7::timestamptz from code where $6::bytea is not null
  ), issuance as (
    insert into issuances (id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scopes, issued_at,
        expires_at, family_id, consent_grant_id, consent_client_id, dpop_jkt, agent_id, further_targets)
    select $8, $17, client_id, user_id::text, user_id, $14::uuid, $9, $13::text[], $2, $10, $3,
           $15::uuid, client_id, $12, $11, $16::jsonb from code
  )
  select count(*)::int as redeemed from code`;

const redeemOne = redeem(held);
const redeemSeveral = redeem(heldBySeveral);

const toCode = async (db: Queryable, row: Row): Promise<AuthorizationCode> => {
  const { targets, stand } = await readTargets(db, row);
  const code = toCodeRow(row);
  return { ...code, targets, consentRevoked: code.consentRevoked || !stand };
};

const toCodeRow = (row: Row): Omit<AuthorizationCode, 'targets'> => ({
  codeHash: row.code_hash as Buffer,
  clientId: row.client_id as string,
  userId: row.user_id as string,
  userEpoch: row.user_epoch as number,
  redirectUri: row.redirect_uri as string,
  codeChallenge: row.code_challenge as string,
  authTime: row.auth_time as Date,
  acr: (row.acr as string | null) ?? undefined,
  offlineAccess: row.offline_access as boolean,
  dpopJkt: (row.dpop_jkt as string | null) ?? undefined,
  createdAt: row.created_at as Date,
  expiresAt: row.expires_at as Date,
  failedAttempts: row.failed_attempts as number,
  redeemedAt: (row.redeemed_at as Date | null) ?? undefined,
  familyId: (row.family_id as string | null) ?? undefined,
  userActive: row.user_active as boolean,
  clientActive: row.client_active as boolean,
  consentRevoked: row.consent_revoked as boolean,
});
