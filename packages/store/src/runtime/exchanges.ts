import type { Queryable, Row } from '../db.ts';
import { columnsOf, inOrder } from '../gather.ts';
import { isUuid } from '../uuid.ts';
import type { Issuance } from './issuances.ts';
import { furtherTargetsColumn } from './targets.ts';

/** What a token exchange (RFC 8693) has to know of the tokens it is shown. */
export type ExchangeQuestion = {
  /** The `jti` of the subject token, and of the actor token if there is one. */
  subjectId: string;
  actorId: string | undefined;
  /** The targets. */
  resourceIds: readonly string[];
};

export type ExchangeFound = {
  subjectLive: boolean;
  actorLive: boolean;
  userId: string | undefined;
  /** How many exchanges the subject token comes of. */
  exchanges: number;
  /** What its user allows its client at the targets. */
  consents: readonly { id: string; resourceId: string; epoch: number; scopes: readonly string[] }[];
};

/** A token that comes of another, and what must still hold when it is written. */
export type Exchange = {
  issuance: Issuance;
  actorId: string | undefined;
  /** The consents it rests on, with what of each the token takes. */
  consents: readonly { id: string; epoch: number; scopes: readonly string[] }[];
};

export const exchanges = (db: Queryable) => ({
  find: async (question: ExchangeQuestion): Promise<ExchangeFound | undefined> =>
    (await findExchanges(db, [question]))[0],

  /** False when something it rests on has ended, or the user allows less. Waits for whoever is just ending a consent. */
  async insert(exchange: Exchange): Promise<boolean> {
    const { consents } = exchange;
    const { rowCount } = await db.query('exchange_insert', insertOne, [
      ...exchangeColumns([exchange]),
      consents.map(({ id }) => id),
      consents.map(({ epoch }) => epoch),
      consents.map(({ scopes }) => scopes.join(' ')),
    ]);
    return rowCount === 1;
  },
});

/** A token by its row, and whether neither it nor what it descends from has ended. */
const live = (token: string): string => `
       issuances ${token} cross join lateral issuance_end(${token}) as ${token}_end`;
const stands = (token: string): string =>
  `not ${token}_end.ended and (${token}.parent_id is null or not ancestors_ended(${token}.parent_id))`;

/** For each question, in one read. `undefined`: there is no row of the subject token. */
export const findExchanges = async (
  db: Queryable,
  questions: readonly ExchangeQuestion[],
): Promise<(ExchangeFound | undefined)[]> => {
  const { rows } = await db.query(
    'exchange_find',
    findMany,
    columnsOf(
      questions,
      ({ subjectId }) => (isUuid(subjectId) ? subjectId : null),
      ({ actorId }) => (actorId !== undefined && isUuid(actorId) ? actorId : null),
      ({ resourceIds }) => resourceIds.join(' '),
    ),
  );
  return inOrder(rows, questions).map((row) => row && toFound(row));
};

const findMany = `
  select a.n::int, found.*,
         a.actor_id is not null and exists (
           select 1 from ${live('t')} where t.id = a.actor_id and ${stands('t')}) as actor_live
    from unnest($1::uuid[], $2::uuid[], $3::text[]) with ordinality as a(subject_id, actor_id, resources, n)
   cross join lateral (
     select s.subject_user_id, ${stands('s')} as subject_live,
            case when s.parent_id is null then 0 else exchanges_before(s.parent_id) end as exchanges,
            (select json_agg(json_build_object('id', g.id, 'resourceId', g.resource_id, 'epoch', g.epoch,
                                               'scopes', g.scopes))
               from consent_grants g
              where g.user_id = s.subject_user_id and g.client_id = s.client_id and g.revoked_at is null
                and g.resource_id = any(string_to_array(a.resources, ' ')::uuid[])) as consents
       from ${live('s')} where s.id = a.subject_id limit 1) as found`;

const toFound = (row: Row): ExchangeFound => ({
  subjectLive: row.subject_live as boolean,
  actorLive: row.actor_live as boolean,
  userId: (row.subject_user_id as string | null) ?? undefined,
  exchanges: row.exchanges as number,
  consents: (row.consents ?? []) as ExchangeFound['consents'],
});

const exchangeColumns = (exchanges: readonly Exchange[]): unknown[][] =>
  columnsOf(
    exchanges,
    ({ issuance }) => issuance.id,
    ({ issuance }) => issuance.grantType,
    ({ issuance }) => issuance.clientId,
    ({ issuance }) => issuance.subject,
    ({ issuance }) => issuance.subjectUserId,
    ({ issuance }) => issuance.resourceId,
    ({ issuance }) => issuance.resource,
    ({ issuance }) => issuance.scopes.join(' '),
    ({ issuance }) => issuance.issuedAt.toISOString(),
    ({ issuance }) => issuance.expiresAt.toISOString(),
    ({ issuance }) => issuance.parentId,
    ({ issuance }) => issuance.consentGrantId,
    ({ issuance }) => issuance.consentClientId,
    ({ issuance }) => issuance.dpopJkt,
    ({ issuance }) => issuance.agentId,
    ({ issuance }) => issuance.agentChain && JSON.stringify(issuance.agentChain),
    ({ issuance }) => issuance.act && JSON.stringify(issuance.act),
    ({ issuance }) => furtherTargetsColumn(issuance.furtherTargets),
    ({ actorId }) => actorId,
  );

const asked = `asked as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
                         $9::timestamptz[], $10::timestamptz[], $11::uuid[], $12::uuid[], $13::text[], $14::text[],
                         $15::text[], $16::jsonb[], $17::jsonb[], $18::jsonb[], $19::uuid[])
             with ordinality as a(id, grant_type, client_id, subject, user_id, resource_id, resource, scope, issued_at,
                                  expires_at, parent_id, consent_grant_id, consent_client_id, dpop_jkt, agent_id,
                                  agent_chain, act, further_targets, actor_id, n)
  )`;

/**
 * Both tokens stand, and the client that asks is active. No lock is needed for that: whatever ends a token ends what
 * descends from it, before or after.
 */
const standing = (asked = 'asked a'): string => `
    from ${asked}
    join clients c on c.client_id = a.client_id and c.status = 'active'
   cross join lateral (
     select 1 from ${live('p')} where p.id = a.parent_id and ${stands('p')} limit 1) as parent
   where (a.actor_id is null or exists (select 1 from ${live('t')} where t.id = a.actor_id and ${stands('t')}))`;

const inserted = (source: string): string => `
    insert into issuances (id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scopes, issued_at,
        expires_at, parent_id, consent_grant_id, consent_client_id, dpop_jkt, agent_id, agent_chain, act, further_targets)
    select id, grant_type, client_id, subject, user_id, resource_id, resource, string_to_array(scope, ' '), issued_at,
           expires_at, parent_id, consent_grant_id, consent_client_id, dpop_jkt, agent_id,
           (select array_agg(e) from jsonb_array_elements_text(agent_chain) as e), act, further_targets
      from ${source}`;

/** All consents are locked for sharing, in the order of their ids as everybody does: who ends one later finds this token. */
const insertOne = `
  with ${asked}, consents as (
    select g.id
      from unnest($20::uuid[], $21::integer[], $22::text[]) as t(id, epoch, scope)
      join consent_grants g on g.id = t.id
     where g.revoked_at is null and g.epoch = t.epoch and g.scopes @> string_to_array(t.scope, ' ')
     order by g.id for share of g
  ), standing as (
    select a.* ${standing()} and (select count(*) from consents) = cardinality($20::uuid[])
  ) ${inserted('standing')}`;

/**
 * Many at once, each resting on one consent or none; says which were written. It waits for nobody: where somebody is just
 * ending a consent, that token is passed over and written alone.
 */
export const insertExchanges = async (db: Queryable, exchanges: readonly Exchange[]): Promise<boolean[]> => {
  const { rows } = await db.query('exchange_insert_many', insertMany, [
    ...exchangeColumns(exchanges),
    ...columnsOf(
      exchanges,
      ({ consents }) => consents[0]?.id,
      ({ consents }) => consents[0]?.epoch,
      ({ consents }) => consents[0]?.scopes.join(' '),
    ),
  ]);
  const written = new Set(rows.map(({ id }) => id));
  return exchanges.map(({ issuance }) => written.has(issuance.id));
};

const insertMany = `
  with ${asked}, consented as (
    select * from unnest($1::uuid[], $20::uuid[], $21::integer[], $22::text[]) as t(id, consent_id, epoch, consented)
  ), standing as materialized (
    select a.*, t.consent_id, t.epoch, t.consented ${standing('asked a join consented t on t.id = a.id')}
  ), held as (
    select s.* from standing s
     where s.consent_id is null
    union all
    select s.* from standing s cross join lateral (
      select g.revoked_at is null and g.epoch = s.epoch and g.scopes @> string_to_array(s.consented, ' ') as stands
        from consent_grants g where g.id = s.consent_id limit 1 for share of g skip locked) as g
     where g.stands
  ), written as (${inserted('held')} returning id)
  select id from written`;
