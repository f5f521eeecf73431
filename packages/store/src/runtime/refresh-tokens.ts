import { bytea, columnsOf } from '../columns.ts';
import type { Queryable, Row } from '../db.ts';
import { inOrder } from '../gather.ts';
import type { Issuance } from './issuances.ts';
import { furtherTargetsColumn, type GrantedTarget, readTargets, scopesOf, stillCovered } from './targets.ts';

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
  /** What was consented to and still is; at least one. */
  targets: readonly GrantedTarget[];
  /** The scopes of all targets. */
  scopes: readonly string[];
  dpopJkt: string | undefined;
  authTime: Date;
  acr: string | undefined;
  familyExpiresAt: Date;
  /** The family, one of its consents, its client or its user was ended. */
  familyRevoked: boolean;
  userActive: boolean;
  clientActive: boolean;
};

export type Spending = {
  tokenHash: Buffer;
  familyId: string;
  /** The family has more than one target. */
  several: boolean;
  successor: { hash: Buffer; expiresAt: Date };
  issuance: Issuance;
  /** The key that the family, free until now, is bound to from here on. */
  bindTo: string | undefined;
};

export const refreshTokens = (db: Queryable) => ({
  find: async (tokenHash: Buffer): Promise<HeldRefreshToken | undefined> =>
    (await findRefreshTokens(db, [tokenHash]))[0],

  /** Spends a token and writes its successor and the issuance, in one statement. True for exactly one caller. */
  async spend({ tokenHash, familyId, several, successor, issuance, bindTo }: Spending): Promise<boolean> {
    const { spend, spendAndBind, suffix } = statementsFor(several);
    const values = [...issuanceValues(familyId, issuance), tokenHash, successor.hash, successor.expiresAt];
    const { rows } = await (bindTo === undefined
      ? db.query<{ done: number }>(`refresh_spend${suffix}`, spend, values)
      : db.query<{ done: number }>(`refresh_spend_and_bind${suffix}`, spendAndBind, [...values, bindTo]));
    return rows[0]?.done === 1;
  },

  /** Writes the issuance of a repeated refresh. False when the family was ended meanwhile. */
  async repeat(familyId: string, several: boolean, issuance: Issuance): Promise<boolean> {
    const { repeat, suffix } = statementsFor(several);
    const values = issuanceValues(familyId, issuance);
    const { rows } = await db.query<{ done: number }>(`refresh_repeat${suffix}`, repeat, values);
    return rows[0]?.done === 1;
  },
});

/** Each with its family, in one read; looked up one by one, so that the plan does not rest on how many there are. */
export const findRefreshTokens = async (
  db: Queryable,
  hashes: readonly Buffer[],
): Promise<(HeldRefreshToken | undefined)[]> => {
  const { rows } = await db.query(
    'refresh_find',
    `select a.n::int, found.*
       from unnest($1::bytea[]) with ordinality as a(hash, n)
      cross join lateral (
        select t.token_hash, t.issued_at, t.expires_at, t.spent_at, t.successor_hash,
               coalesce((select s.spent_at is not null from refresh_tokens s where s.token_hash = t.successor_hash), false)
                 as successor_spent,
               f.id as family_id, f.client_id, f.user_id, f.consent_grant_id, f.scopes, f.resource_id, f.resource,
               f.dpop_jkt, f.auth_time, f.acr, f.expires_at as family_expires_at, u.status = 'active' as user_active,
               cl.status = 'active' as client_active, f.consent_epoch, f.targets, g.scopes as consented,
               f.revoked_at is not null or u.epoch <> f.user_epoch or g.epoch <> f.consent_epoch
                 or g.revoked_at is not null as family_revoked
          from refresh_tokens t
          join token_families f on f.id = t.family_id
          join users u on u.id = f.user_id
          join clients cl on cl.client_id = f.client_id
          join consent_grants g on g.id = f.consent_grant_id
         where t.token_hash = a.hash limit 1) as found`,
    columnsOf(
      hashes,
      bytea((hash) => hash),
    ),
  );
  return Promise.all(inOrder(rows, hashes).map((row) => row && toHeld(db, row)));
};

/** How the family is locked: shared, or for whoever is going to write it. */
type FamilyLock = 'share' | 'update';

const familyColumns = 'f.id, f.client_id, f.user_id';

/**
 * The family ($1), if it may still be used for the scopes of the token ($4). Family, user and consent are locked for
 * sharing: a revocation that came first is seen here, one that comes later waits for us. Everybody locks in the order
 * user, consent, family, or they would wait for each other. The client is looked at but not locked (decision 0011).
 */
const familyOfOne = (lock: FamilyLock): string => `family as (
    select ${familyColumns}
      from token_families f
      join users u on u.id = f.user_id
      join clients cl on cl.client_id = f.client_id
      join consent_grants g on g.id = f.consent_grant_id
     where f.id = $1 and f.revoked_at is null and u.status = 'active' and u.epoch = f.user_epoch
       and cl.status = 'active' and g.revoked_at is null and g.epoch = f.consent_epoch and g.scopes @> $4::text[]
       ${lock === 'share' ? 'for share of u, g, f' : 'for share of u, g for update of f'}
  )`;

/** The same for a family of several consents: locked in the order of their ids, all of them, and then the family. */
const familyOfSeveral = (lock: FamilyLock): string => `consents as (
    select g.id
      from token_families f
      join users u on u.id = f.user_id
      join clients cl on cl.client_id = f.client_id
      cross join lateral jsonb_to_recordset(f.targets) as t(consent_grant_id uuid, consent_epoch integer, scopes text[])
      join consent_grants g on g.id = t.consent_grant_id
     where f.id = $1 and u.status = 'active' and u.epoch = f.user_epoch and cl.status = 'active'
       and g.revoked_at is null and g.epoch = t.consent_epoch and ${stillCovered('$4', '$10', '$11')}
     order by g.id
       for share of u, g
  ), locked as (
    select count(*) as n from consents
  ), family as (
    select ${familyColumns}
      from token_families f join locked on locked.n = jsonb_array_length(f.targets)
     where f.id = $1 and f.revoked_at is null
       for ${lock} of f
  )`;

/** The issuance ($2 to $11) of the family that `source` yields. */
const issuanceOf = (source: 'family' | 'spent'): string => `issuance as (
    insert into issuances (id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scopes, issued_at,
        expires_at, family_id, consent_grant_id, consent_client_id, agent_id, dpop_jkt, further_targets)
    select $2, 'refresh_token', client_id, user_id::text, user_id, $9::uuid, $3, $4::text[], $5, $6, id, $10::uuid,
           client_id, $7, $8, $11::jsonb from ${source}
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
  issuance.resourceId ?? null,
  issuance.consentGrantId ?? null,
  furtherTargetsColumn(issuance.furtherTargets),
];

/**
 * That a token found by its hash is of a family. Not by `=`, which would let an index of families find it: most have one
 * token, so that one looks as good to the planner, but a family that was refreshed for months has thousands.
 */
export const ofFamily = (token: string, familyId: string): string =>
  `${token}.family_id is not distinct from ${familyId}`;

const spending = (family: string, alsoWith = ''): string => `
  with ${family}, spent as (
    update refresh_tokens t set spent_at = $5, successor_hash = $13
      from family where t.token_hash = $12 and ${ofFamily('t', 'family.id')} and t.spent_at is null
    returning family.id, family.client_id, family.user_id
  ), successor as (
    insert into refresh_tokens (token_hash, family_id, issued_at, expires_at) select $13, id, $5, $14 from spent
  ), ${issuanceOf('spent')}${alsoWith}
  select count(*)::int as done from spent`;

const statements = (familyLocked: (lock: FamilyLock) => string, suffix: string) => ({
  suffix,
  spend: spending(familyLocked('share')),
  /** Takes the family for itself at once: two that share it and then both want to write it would wait for each other. */
  spendAndBind: spending(
    familyLocked('update'),
    ', bound as (update token_families f set dpop_jkt = $15 from spent where f.id = spent.id)',
  ),
  repeat: `with ${familyLocked('share')}, ${issuanceOf('family')} select count(*)::int as done from family`,
});

const forOne = statements(familyOfOne, '');
const forSeveral = statements(familyOfSeveral, '_several');
const statementsFor = (several: boolean) => (several ? forSeveral : forOne);

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
    // One of several resources or consents ends the whole family: what is left was not what the user looked at.
    const amongSeveral = column === 'consent_grant_id' || column === 'resource_id';
    const { rowCount } = await db.query(
      `family_revoke_all_by_${column}`,
      `update token_families set revoked_at = $3, revoked_reason = $2
        where (${column} = $1${amongSeveral ? ' or targets @> $4::jsonb' : ''}) and revoked_at is null and expires_at > $3`,
      [key, reason, now, ...(amongSeveral ? [JSON.stringify([{ [column]: key }])] : [])],
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

const toHeld = async (db: Queryable, row: Row): Promise<HeldRefreshToken> => {
  const { targets, stand } = await readTargets(db, row);
  const held = toHeldRow(row);
  return { ...held, targets, scopes: scopesOf(targets), familyRevoked: held.familyRevoked || !stand };
};

const toHeldRow = (row: Row): Omit<HeldRefreshToken, 'targets' | 'scopes'> => ({
  tokenHash: row.token_hash as Buffer,
  issuedAt: row.issued_at as Date,
  expiresAt: row.expires_at as Date,
  spentAt: (row.spent_at as Date | null) ?? undefined,
  successorHash: (row.successor_hash as Buffer | null) ?? undefined,
  successorSpent: row.successor_spent as boolean,
  familyId: row.family_id as string,
  clientId: row.client_id as string,
  userId: row.user_id as string,
  dpopJkt: (row.dpop_jkt as string | null) ?? undefined,
  authTime: row.auth_time as Date,
  acr: (row.acr as string | null) ?? undefined,
  familyExpiresAt: row.family_expires_at as Date,
  familyRevoked: row.family_revoked as boolean,
  userActive: row.user_active as boolean,
  clientActive: row.client_active as boolean,
});
