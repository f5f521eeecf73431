import type { Actor } from '@authserver/oauth';
import { columnsOf, jsonb, text, timestamptz, uuid } from '../columns.ts';
import { type Page, type Paged, type Queryable, type Row, toPaged, uuidOrFirst } from '../db.ts';
import { inOrder } from '../gather.ts';
import { conditions } from '../listing.ts';
import { isUuid } from '../uuid.ts';
import { type FurtherTarget, furtherTargetsColumn, toFurtherTargets } from './targets.ts';

/** The forensic row of one token. Its id is the token's `jti`. */
export type Issuance = {
  id: string;
  grantType: string;
  clientId: string;
  subject: string;
  subjectUserId: string | undefined;
  resourceId: string | undefined;
  /** The token's `aud`, or the first of several. */
  resource: string;
  scopes: readonly string[];
  issuedAt: Date;
  expiresAt: Date;
  familyId: string | undefined;
  consentGrantId: string | undefined;
  /** The other resources of a token for several. */
  furtherTargets?: readonly FurtherTarget[] | undefined;
  parentId: string | undefined;
  /** The identity provider that vouched for the subject; the token ends with the trust in it, a policy or a mapping. */
  idpId?: string | undefined;
  dpopJkt: string | undefined;
  agentId: string | undefined;
  /** Of an exchanged token: who acts, and who acted before, first of all first. */
  act?: Actor | undefined;
  agentChain?: readonly string[] | undefined;
  /** The client whose consent it rests on, when that is not its own. */
  consentClientId?: string | undefined;
};

export type StoredIssuance = Issuance & {
  backendKind: 'mint' | 'broker';
  revokedAt: Date | undefined;
  /** Its own revocation or that of a token it descends from, or the end of a family, consent, client, user or resource. */
  ended: boolean;
  consentClientId: string | undefined;
  agentChain: readonly string[];
};

export type IssuanceFilter = {
  userId?: string | undefined;
  clientId?: string | undefined;
  /** The first of its resources, or a further one. */
  resourceId?: string | undefined;
  since: Date;
};

const columns = `id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scopes, backend_kind,
  issued_at, expires_at, revoked_at, family_id, consent_grant_id, parent_id, dpop_jkt, agent_id,
  consent_client_id, agent_chain, act, further_targets, idp_id`;

/** A token has ended with whatever it descends from; few descend from anything. */
export const issuanceEnded = 'issuance_ended(i) or ((i).parent_id is not null and ancestors_ended((i).parent_id))';

export const issuances = (db: Queryable) => ({
  async insertMany(rows: readonly Issuance[]): Promise<void> {
    await db.query('issuance_insert_many', insertMany, toColumns(rows));
  },

  /** Writes the row of a token if it would be alive, and so would what it descends from. */
  async insertIfLive(row: Issuance): Promise<boolean> {
    const { rowCount } = await db.query('issuance_insert_if_live', insertIfLive, [JSON.stringify(toMembers(row))]);
    return rowCount === 1;
  },

  async find(id: string): Promise<StoredIssuance | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query(
      'issuance_find',
      `select ${columns}, ${issuanceEnded} as ended from issuances i where id = $1`,
      [id],
    );
    return rows.map(toIssuance)[0];
  },

  isLive: async (id: string): Promise<boolean> => (await areLive(db, [id]))[0] === true,

  /** The row this call revoked, or `undefined` when there was nothing left to revoke. Descendants die with it. */
  async revoke(id: string, now: Date): Promise<StoredIssuance | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query(
      'issuance_revoke',
      `update issuances set revoked_at = $2 where id = $1 and revoked_at is null returning ${columns}, true as ended`,
      [id, now],
    );
    return rows.map(toIssuance)[0];
  },

  /** Newest first, from `since` on. At least one filter should be given; all that are given must match. */
  async list(filter: IssuanceFilter, page: Omit<Page, 'offset'>): Promise<Paged<StoredIssuance>> {
    if (filter.userId !== undefined && !isUuid(filter.userId)) return { rows: [], total: undefined, next: undefined };
    const { text, values } = listStatement(filter, page);
    const { rows } = await db.query('issuance_list', text, values, { planned: 'anew' });
    return toPaged(rows.map(toIssuance), { ...page, offset: 0 }, { positionOf: ({ id }) => id });
  },

  /** How many tokens were ever issued for a resource, alone or among several; not more than `most` are counted. */
  async countOfResource(resourceId: string, most: number): Promise<number> {
    const { rows } = await db.query<{ n: string }>(
      'issuance_count_of_resource',
      `select count(*) as n from (
         select 1 from issuances where resource_id = $1 or further_targets @> $3::jsonb limit $2) as counted`,
      [resourceId, most, JSON.stringify([{ resource_id: resourceId }])],
    );
    return Number(rows[0]?.n);
  },

  /** When the last token was issued that rests on a consent, if that was after a moment. */
  async latestOfConsent(consent: { id: string; userId: string }, since: Date): Promise<Date | undefined> {
    const { rows } = await db.query<{ at: Date | null }>(
      'issuance_latest_of_consent',
      `select max(issued_at) as at from issuances
        where subject_user_id = $1 and id >= uuidv7_floor($3)
          and (consent_grant_id = $2 or further_targets @> jsonb_build_array(jsonb_build_object('consent_grant_id', $2::uuid)))`,
      [consent.userId, consent.id, since],
    );
    return rows[0]?.at ?? undefined;
  },

  async countSince(since: Date): Promise<number> {
    const { rows } = await db.query<{ n: string }>(
      'issuance_count_since',
      'select count(*) as n from issuances where id >= uuidv7_floor($1)',
      [since],
    );
    return Number(rows[0]?.n);
  },

  /**
   * How many of the tokens issued since then were ended, by whatever ends one. It starts from what was ended, which is
   * little, and not from what was issued.
   */
  async countEndedSince(since: Date): Promise<number> {
    const { rows } = await db.query<{ n: string }>('issuance_count_ended_since', countEndedSince, [since], {
      planned: 'anew',
    });
    return Number(rows[0]?.n);
  },
});

/**
 * Whether tokens, and everything each descends from, may still be used, their times apart. A token of which there is no row
 * is not ours to vouch for: it is dead.
 */
export const areLive = async (db: Queryable, ids: readonly string[]): Promise<boolean[]> => {
  const { rows } = await db.query(
    'issuance_is_live',
    `select a.n::int
       from unnest($1::uuid[]) with ordinality as a(id, n)
      cross join lateral (
        select 1 from issuances i cross join lateral issuance_end(i) as own
         where i.id = a.id and not own.ended and (i.parent_id is null or not ancestors_ended(i.parent_id)) limit 1) as live`,
    columnsOf(
      ids,
      uuid((id) => (isUuid(id) ? id : null)),
    ),
  );
  return inOrder(rows, ids).map((row) => row !== undefined);
};

/** Ends every token of a consent, a client or a user that was issued up to now, with one row. */
export const revocationMarkers = (db: Queryable) => ({
  async set(kind: 'consent' | 'client' | 'user', key: string, now: Date): Promise<void> {
    await db.query(
      'revocation_marker_set',
      `insert into revocation_markers (kind, key, revoked_before) values ($1, $2, $3)
       on conflict (kind, key) do update
          set revoked_before = greatest(revocation_markers.revoked_before, excluded.revoked_before)`,
      [kind, key, now],
    );
  },
});

/**
 * Read from the index of the filter that is given, newest first, and only then is looked at what ended each. A token for
 * several resources is under the first in one index and under the others in another, so the two are read and merged.
 */
const listStatement = ({ userId, clientId, resourceId, since }: IssuanceFilter, page: Omit<Page, 'offset'>) => {
  const matching = conditions();
  const { value, require } = matching;
  require(`id >= uuidv7_floor(${value(since)})`);
  if (userId !== undefined) require(`subject_user_id = ${value(userId)}`);
  if (clientId !== undefined) require(`client_id = ${value(clientId)}`);
  if (page.after !== undefined) require(`id < ${value(uuidOrFirst(page.after))}`);
  const limit = value(page.limit + 1);
  const newest = (also = '') =>
    `(select i from issuances i ${matching.where()} ${also} order by id desc limit ${limit})`;
  const first = resourceId === undefined ? '' : value(resourceId);
  const further = resourceId === undefined ? '' : value(JSON.stringify([{ resource_id: resourceId }]));
  const found =
    resourceId === undefined
      ? newest()
      : `(${newest(`and resource_id = ${first}::uuid`)} union all
          ${newest(`and further_targets @> ${further}::jsonb and resource_id is distinct from ${first}::uuid`)})`;
  const text = `select ${columns.replaceAll(/\w+/g, '(i).$&')}, ${issuanceEnded} as ended from ${found} as found
                 order by (i).id desc limit ${limit}`;
  return { text, values: matching.values };
};

/** What `issuance_ended` says, the other way round. */
const countEndedSince = `
  with ended as (
    select i.id from issuances i where i.revoked_at is not null and i.id >= uuidv7_floor($1)
    union
    select i.id from token_families f
      join issuances i on i.subject_user_id = f.user_id and i.family_id = f.id and i.id >= uuidv7_floor($1)
     where f.revoked_at >= $1
    union
    select i.id from clients c join issuances i on i.client_id = c.client_id and i.id >= uuidv7_floor($1)
     where c.status in ('suspended', 'revoked')
    union
    select i.id from users u join issuances i on i.subject_user_id = u.id and i.id >= uuidv7_floor($1)
     where u.status = 'disabled'
    union
    select i.id from issuances i
     where i.idp_id is not null and i.id >= uuidv7_floor($1)
       and ((select p.enabled from trusted_idps p where p.id = i.idp_id) is not true
            or (exists (select 1 from changes c where c.kind in ('xaa_policy', 'subject_mapping', 'resource') and c.at >= $1)
                and vouching_ended(i)))
    union
    select i.id from resources r join issuances i on i.resource_id = r.id and i.id >= uuidv7_floor($1)
     where r.archived_at is not null
    union
    select i.id from resources r
      join issuances i on i.further_targets @> jsonb_build_array(jsonb_build_object('resource_id', r.id))
                      and i.id >= uuidv7_floor($1)
     where r.archived_at is not null
    union
    select i.id from revocation_markers m
      join issuances i on i.client_id = m.key and i.id >= uuidv7_floor($1) and i.issued_at <= m.revoked_before
     where m.kind = 'client' and m.revoked_before >= $1
    union
    select i.id from revocation_markers m
      join issuances i on i.subject_user_id = m.key::uuid and i.id >= uuidv7_floor($1) and i.issued_at <= m.revoked_before
     where m.kind = 'user' and m.revoked_before >= $1
    union
    select i.id from revocation_markers m
      join consent_grants g on g.id = m.key::uuid
      join issuances i on i.subject_user_id = g.user_id and i.id >= uuidv7_floor($1) and i.issued_at <= m.revoked_before
     where m.kind = 'consent' and m.revoked_before >= $1
       and (i.consent_grant_id = g.id
            or i.further_targets @> jsonb_build_array(jsonb_build_object('consent_grant_id', g.id)))
  )
  select count(*) as n from ended`;

const insertMany = `insert into issuances (id, grant_type, client_id, subject, subject_user_id, resource_id, resource,
    scopes, issued_at, expires_at, family_id, consent_grant_id, parent_id, dpop_jkt, agent_id,
    further_targets)
  select id, grant_type, client_id, subject, subject_user_id, resource_id, resource, string_to_array(scope, ' '),
         issued_at, expires_at, family_id, consent_grant_id, parent_id, dpop_jkt, agent_id, further_targets
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
                $9::timestamptz[], $10::timestamptz[], $11::uuid[], $12::uuid[], $13::uuid[], $14::text[], $15::text[],
                $16::jsonb[])
      as t(id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scope, issued_at, expires_at,
           family_id, consent_grant_id, parent_id, dpop_jkt, agent_id, further_targets)`;

const insertIfLive = `insert into issuances (id, grant_type, client_id, subject, subject_user_id, resource, scopes, issued_at,
    expires_at, family_id, parent_id, dpop_jkt, agent_id)
  select (i).id, (i).grant_type, (i).client_id, (i).subject, (i).subject_user_id, (i).resource, (i).scopes, (i).issued_at,
         (i).expires_at, (i).family_id, (i).parent_id, (i).dpop_jkt, (i).agent_id
    from (select jsonb_populate_record(null::issuances, $1::jsonb) as i) as asked
   where not (${issuanceEnded})`;

const toMembers = (row: Issuance): Record<string, unknown> => ({
  id: row.id,
  grant_type: row.grantType,
  client_id: row.clientId,
  subject: row.subject,
  subject_user_id: row.subjectUserId,
  resource: row.resource,
  scopes: row.scopes,
  issued_at: row.issuedAt,
  expires_at: row.expiresAt,
  family_id: row.familyId,
  parent_id: row.parentId,
  dpop_jkt: row.dpopJkt,
  agent_id: row.agentId,
});

const toColumns = (rows: readonly Issuance[]): Buffer[] =>
  columnsOf(
    rows,
    uuid(({ id }) => id),
    text(({ grantType }) => grantType),
    text(({ clientId }) => clientId),
    text(({ subject }) => subject),
    uuid(({ subjectUserId }) => subjectUserId),
    uuid(({ resourceId }) => resourceId),
    text(({ resource }) => resource),
    text(({ scopes }) => scopes.join(' ')),
    timestamptz(({ issuedAt }) => issuedAt),
    timestamptz(({ expiresAt }) => expiresAt),
    uuid(({ familyId }) => familyId),
    uuid(({ consentGrantId }) => consentGrantId),
    uuid(({ parentId }) => parentId),
    text(({ dpopJkt }) => dpopJkt),
    text(({ agentId }) => agentId),
    jsonb(({ furtherTargets }) => furtherTargetsColumn(furtherTargets)),
  );

const toIssuance = (row: Row): StoredIssuance => ({
  id: row.id as string,
  grantType: row.grant_type as string,
  clientId: row.client_id as string,
  subject: row.subject as string,
  subjectUserId: (row.subject_user_id as string | null) ?? undefined,
  resourceId: (row.resource_id as string | null) ?? undefined,
  resource: row.resource as string,
  scopes: row.scopes as string[],
  backendKind: row.backend_kind as 'mint' | 'broker',
  issuedAt: row.issued_at as Date,
  expiresAt: row.expires_at as Date,
  revokedAt: (row.revoked_at as Date | null) ?? undefined,
  ended: row.ended as boolean,
  familyId: (row.family_id as string | null) ?? undefined,
  consentGrantId: (row.consent_grant_id as string | null) ?? undefined,
  furtherTargets: toFurtherTargets(row.further_targets),
  parentId: (row.parent_id as string | null) ?? undefined,
  dpopJkt: (row.dpop_jkt as string | null) ?? undefined,
  agentId: (row.agent_id as string | null) ?? undefined,
  idpId: (row.idp_id as string | null) ?? undefined,
  consentClientId: (row.consent_client_id as string | null) ?? undefined,
  agentChain: (row.agent_chain as string[] | null) ?? [],
  act: (row.act as Actor | null) ?? undefined,
});
