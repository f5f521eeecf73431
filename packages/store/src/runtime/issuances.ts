import type { Queryable, Row } from '../db.ts';
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
  dpopJkt: string | undefined;
  agentId: string | undefined;
};

export type StoredIssuance = Issuance & {
  backendKind: 'mint' | 'broker';
  revokedAt: Date | undefined;
  /** Its own revocation or that of a token it descends from, or the end of a family, consent, client, user or resource. */
  ended: boolean;
  consentClientId: string | undefined;
  agentChain: readonly string[];
};

const columns = `id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scopes, backend_kind,
  issued_at, expires_at, revoked_at, family_id, consent_grant_id, parent_id, dpop_jkt, agent_id,
  consent_client_id, agent_chain, further_targets`;

/** A token has ended with whatever it descends from; few descend from anything. */
const ended = 'issuance_ended(i) or (i.parent_id is not null and ancestors_ended(i.parent_id))';

export const issuances = (db: Queryable) => ({
  async insertMany(rows: readonly Issuance[]): Promise<void> {
    await db.query('issuance_insert_many', insertMany, toColumns(rows));
  },

  async find(id: string): Promise<StoredIssuance | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query(
      'issuance_find',
      `select ${columns}, ${ended} as ended from issuances i where id = $1`,
      [id],
    );
    return rows.map(toIssuance)[0];
  },

  /**
   * Whether a token and everything it descends from may still be used, its times apart. A token of which there is no row
   * is not ours to vouch for: it is dead.
   */
  async isLive(id: string): Promise<boolean> {
    if (!isUuid(id)) return false;
    const { rows } = await db.query<{ live: boolean }>(
      'issuance_is_live',
      `select not (${ended}) as live from issuances i where i.id = $1`,
      [id],
    );
    return rows[0]?.live === true;
  },

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
  async list(
    filter: { userId?: string; clientId?: string; resourceId?: string; since: Date },
    limit: number,
  ): Promise<StoredIssuance[]> {
    if (filter.userId !== undefined && !isUuid(filter.userId)) return [];
    const { rows } = await db.query(
      'issuance_list',
      `select ${columns}, ${ended} as ended from issuances i
        where ($1::uuid is null or subject_user_id = $1) and ($2::text is null or client_id = $2)
          and ($3::uuid is null or resource_id = $3 or further_targets @> $6::jsonb) and id >= uuidv7_floor($4)
        order by id desc limit $5`,
      [
        filter.userId ?? null,
        filter.clientId ?? null,
        filter.resourceId ?? null,
        filter.since,
        limit,
        JSON.stringify([{ resource_id: filter.resourceId }]),
      ],
    );
    return rows.map(toIssuance);
  },

  async countSince(since: Date): Promise<{ issued: number; revoked: number }> {
    const { rows } = await db.query<{ issued: string; revoked: string }>(
      'issuance_count_since',
      `select count(*) as issued, count(revoked_at) as revoked from issuances where id >= uuidv7_floor($1)`,
      [since],
    );
    return { issued: Number(rows[0]?.issued), revoked: Number(rows[0]?.revoked) };
  },
});

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

const toColumns = (rows: readonly Issuance[]): unknown[][] => [
  rows.map((row) => row.id),
  rows.map((row) => row.grantType),
  rows.map((row) => row.clientId),
  rows.map((row) => row.subject),
  rows.map((row) => row.subjectUserId ?? null),
  rows.map((row) => row.resourceId ?? null),
  rows.map((row) => row.resource),
  rows.map((row) => row.scopes.join(' ')),
  rows.map((row) => row.issuedAt.toISOString()),
  rows.map((row) => row.expiresAt.toISOString()),
  rows.map((row) => row.familyId ?? null),
  rows.map((row) => row.consentGrantId ?? null),
  rows.map((row) => row.parentId ?? null),
  rows.map((row) => row.dpopJkt ?? null),
  rows.map((row) => row.agentId ?? null),
  rows.map((row) => furtherTargetsColumn(row.furtherTargets)),
];

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
  consentClientId: (row.consent_client_id as string | null) ?? undefined,
  agentChain: (row.agent_chain as string[] | null) ?? [],
});
