import { columnsOf, integer, jsonb, text, timestamptz, uuid } from '../columns.ts';
import type { Queryable, Row } from '../db.ts';
import { CheckFailed } from '../errors.ts';
import { inOrder } from '../gather.ts';
import { isUuid } from '../uuid.ts';
import { type BudgetUse, countAlone, countMany, useColumns } from './delegation-uses.ts';
import type { Issuance } from './issuances.ts';
import { furtherTargetsColumn } from './targets.ts';

/** What a token exchange (RFC 8693) has to know of the tokens it is shown. */
export type ExchangeQuestion = {
  /** The `jti` of the subject token, and of the actor token if there is one. */
  subjectId: string;
  actorId: string | undefined;
  /** The targets. */
  resourceIds: readonly string[];
  /** So far the children of the subject token are counted. */
  mostChildren: number;
};

export type ExchangeFound = {
  subjectLive: boolean;
  actorLive: boolean;
  userId: string | undefined;
  /** How many exchanges the subject token comes of. */
  exchanges: number;
  /** How many live tokens were exchanged from it, up to as many as were asked for. */
  children: number;
  /** What its user allows its client at the targets. */
  consents: readonly { id: string; resourceId: string; epoch: number; scopes: readonly string[] }[];
};

/** A token that comes of another, and what must still hold when it is written. */
export type Exchange = {
  issuance: Issuance;
  actorId: string | undefined;
  /** The consents it rests on, with what of each the token takes. */
  consents: readonly { id: string; epoch: number; scopes: readonly string[] }[];
  /** It is one of that many live children of the subject token at most; 0: of any number. */
  mostChildren: number;
  /** What it takes of budgets. */
  uses: readonly BudgetUse[];
};

export const exchanges = (db: Queryable) => ({
  find: async (question: ExchangeQuestion): Promise<ExchangeFound | undefined> =>
    (await findExchanges(db, [question]))[0],

  /**
   * False when something it rests on has ended, the user allows less, the subject token has children enough, or a budget is
   * used up. Waits for whoever is just ending a consent, or counting.
   */
  async insert(exchange: Exchange): Promise<boolean> {
    const { consents, uses } = exchange;
    const values = [
      ...exchangeColumns([exchange]),
      consents.map(({ id }) => id),
      consents.map(({ epoch }) => epoch),
      consents.map(({ scopes }) => scopes.join(' ')),
    ];
    if (uses.length === 0) return (await db.query('exchange_insert', insertOne, values)).rowCount === 1;
    try {
      const { rowCount } = await db.query('exchange_insert_counted', insertCounted, [...values, ...useColumns(uses)]);
      return rowCount === 1;
    } catch (error) {
      if (error instanceof CheckFailed) return false; // one too many
      throw error;
    }
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
      uuid(({ subjectId }) => (isUuid(subjectId) ? subjectId : null)),
      uuid(({ actorId }) => (actorId !== undefined && isUuid(actorId) ? actorId : null)),
      text(({ resourceIds }) => resourceIds.join(' ')),
      integer(({ mostChildren }) => mostChildren),
    ),
  );
  return inOrder(rows, questions).map((row) => row && toFound(row));
};

const findMany = `
  select q.*, max(case when q.nth = 1 then live_children(q.id, q.issued_at, q.most_children) end)
                over (partition by q.id) as children
    from (
  select a.n::int, a.most_children, row_number() over (partition by found.id order by a.n) as nth, found.*,
         a.actor_id is not null and exists (
           select 1 from ${live('t')} where t.id = a.actor_id and ${stands('t')}) as actor_live
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::integer[])
           with ordinality as a(subject_id, actor_id, resources, most_children, n)
   cross join lateral (
     select s.id, s.issued_at, s.subject_user_id, ${stands('s')} as subject_live,
            case when s.parent_id is null then 0 else exchanges_before(s.parent_id) end as exchanges,
            (select json_agg(json_build_object('id', g.id, 'resourceId', g.resource_id, 'epoch', g.epoch,
                                               'scopes', g.scopes))
               from consent_grants g
              where g.user_id = s.subject_user_id and g.client_id = s.client_id and g.revoked_at is null
                and g.resource_id = any(string_to_array(a.resources, ' ')::uuid[])) as consents
       from ${live('s')} where s.id = a.subject_id limit 1) as found) as q`;

const toFound = (row: Row): ExchangeFound => ({
  subjectLive: row.subject_live as boolean,
  actorLive: row.actor_live as boolean,
  userId: (row.subject_user_id as string | null) ?? undefined,
  exchanges: row.exchanges as number,
  children: row.children as number,
  consents: (row.consents ?? []) as ExchangeFound['consents'],
});

const exchangeColumns = (exchanges: readonly Exchange[]): Buffer[] =>
  columnsOf(
    exchanges,
    uuid(({ issuance }) => issuance.id),
    text(({ issuance }) => issuance.grantType),
    text(({ issuance }) => issuance.clientId),
    text(({ issuance }) => issuance.subject),
    uuid(({ issuance }) => issuance.subjectUserId),
    uuid(({ issuance }) => issuance.resourceId),
    text(({ issuance }) => issuance.resource),
    text(({ issuance }) => issuance.scopes.join(' ')),
    timestamptz(({ issuance }) => issuance.issuedAt),
    timestamptz(({ issuance }) => issuance.expiresAt),
    uuid(({ issuance }) => issuance.parentId),
    uuid(({ issuance }) => issuance.consentGrantId),
    text(({ issuance }) => issuance.consentClientId),
    text(({ issuance }) => issuance.dpopJkt),
    text(({ issuance }) => issuance.agentId),
    jsonb(({ issuance }) => issuance.agentChain && JSON.stringify(issuance.agentChain)),
    jsonb(({ issuance }) => issuance.act && JSON.stringify(issuance.act)),
    jsonb(({ issuance }) => furtherTargetsColumn(issuance.furtherTargets)),
    uuid(({ actorId }) => actorId),
    integer(({ mostChildren }) => mostChildren),
  );

const asked = `asked as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
                         $9::timestamptz[], $10::timestamptz[], $11::uuid[], $12::uuid[], $13::text[], $14::text[],
                         $15::text[], $16::jsonb[], $17::jsonb[], $18::jsonb[], $19::uuid[], $20::integer[])
             with ordinality as a(id, grant_type, client_id, subject, user_id, resource_id, resource, scope, issued_at,
                                  expires_at, parent_id, consent_grant_id, consent_client_id, dpop_jkt, agent_id,
                                  agent_chain, act, further_targets, actor_id, most_children, n)
  )`;

/**
 * Both tokens stand, and the client that asks is active. No lock is needed for that: whatever ends a token ends what
 * descends from it, before or after.
 */
const standing = (asked = 'asked a'): string => `
    from ${asked}
    join clients c on c.client_id = a.client_id and c.status = 'active'
   cross join lateral (
     select p.issued_at from ${live('p')} where p.id = a.parent_id and ${stands('p')} limit 1) as parent
   where (a.actor_id is null or exists (select 1 from ${live('t')} where t.id = a.actor_id and ${stands('t')}))`;

const inserted = (source: string): string => `
    insert into issuances (id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scopes, issued_at,
        expires_at, parent_id, consent_grant_id, consent_client_id, dpop_jkt, agent_id, agent_chain, act, further_targets)
    select id, grant_type, client_id, subject, user_id, resource_id, resource, string_to_array(scope, ' '), issued_at,
           expires_at, parent_id, consent_grant_id, consent_client_id, dpop_jkt, agent_id,
           (select array_agg(e) from jsonb_array_elements_text(agent_chain) as e), act, further_targets
      from ${source}`;

/**
 * All consents are locked for sharing, in the order of their ids as everybody does: who ends one later finds this token. Only
 * then the children of the subject token are counted, by one statement after the other.
 */
const roomy = (condition = 'true'): string => `
  with ${asked}, consents as (
    select g.id
      from unnest($21::uuid[], $22::integer[], $23::text[]) as t(id, epoch, scope)
      join consent_grants g on g.id = t.id
     where g.revoked_at is null and g.epoch = t.epoch and g.scopes @> string_to_array(t.scope, ' ')
     order by g.id for share of g
  ), standing as materialized (
    select a.*, parent.issued_at as parent_issued_at ${standing()} and (select count(*) from consents) = cardinality($21::uuid[])
       and ${condition}
  ), roomy as materialized (
    select * from standing
     where most_children = 0 or live_children_alone(parent_id, parent_issued_at, most_children) < most_children
  )`;

const insertOne = `${roomy()} ${inserted('roomy')}`;

/** The same, and it counts as a use of each budget: all of it or nothing (decision 0033). */
const insertCounted = `${roomy(`not exists (
         select 1 from unnest($24::uuid[]) as t(id)
          where (select g.revoked_at is null from consent_grants g where g.id = t.id) is not true)`)},
  counted as (${countAlone(24, 'roomy')}
  ) ${inserted('roomy')}`;

/** `crowded`: the subject token has children enough. `spent`: a budget is used up. */
type Outcome = 'written' | 'crowded' | 'spent' | undefined;

/**
 * Many at once, each resting on one consent or none; says what became of each. It waits for no row: where somebody is just
 * ending a consent, that token is passed over and written alone. For another statement with a child of the same token it
 * does wait: those count one after the other, so that no two take the last place.
 */
export const insertExchanges = async (db: Queryable, exchanges: readonly Exchange[]): Promise<Outcome[]> => {
  const { rows } = await db.query('exchange_insert_many', insertMany, manyColumns(exchanges));
  return outcomesOf(exchanges, rows);
};

/** The same for tokens that each count under one budget, for whose row it waits as well (decision 0033). */
export const insertCountedExchanges = async (db: Queryable, exchanges: readonly Exchange[]): Promise<Outcome[]> => {
  const { rows } = await db.query('exchange_insert_counted_many', insertCountedMany, [
    ...manyColumns(exchanges),
    ...useColumns(exchanges.map(({ uses }) => uses[0])),
  ]);
  return outcomesOf(exchanges, rows);
};

const manyColumns = (exchanges: readonly Exchange[]): Buffer[] => [
  ...exchangeColumns(exchanges),
  ...columnsOf(
    exchanges,
    uuid(({ consents }) => consents[0]?.id),
    integer(({ consents }) => consents[0]?.epoch),
    text(({ consents }) => consents[0]?.scopes.join(' ')),
  ),
];

const outcomesOf = (exchanges: readonly Exchange[], rows: readonly Row[]): Outcome[] => {
  const outcomes = new Map(rows.map(({ id, outcome }) => [id, outcome as Outcome]));
  return exchanges.map(({ issuance }) => outcomes.get(issuance.id));
};

const heldOfMany = `
  with ${asked}, consented as (
    select * from unnest($1::uuid[], $21::uuid[], $22::integer[], $23::text[]) as t(id, consent_id, epoch, consented)
  ), standing as materialized (
    select a.*, t.consent_id, t.epoch, t.consented, parent.issued_at as parent_issued_at,
           row_number() over (partition by a.parent_id order by a.n) as nth
      ${standing('asked a join consented t on t.id = a.id')}
  ), placed as materialized (
    select s.*, coalesce(
             max(case when s.nth = 1 and s.most_children > 0
                      then live_children_alone(s.parent_id, s.parent_issued_at, s.most_children) end)
               over (partition by children_lock(s.parent_id), s.parent_id) + s.nth > s.most_children, false) as crowded
      from standing s
  ), held as (
    select s.* from placed s
     where not s.crowded and s.consent_id is null
    union all
    select s.* from placed s cross join lateral (
      select g.revoked_at is null and g.epoch = s.epoch and g.scopes @> string_to_array(s.consented, ' ') as stands
        from consent_grants g where g.id = s.consent_id limit 1 for share of g skip locked) as g
     where not s.crowded and g.stands
  )`;
const written = "select id, 'written' as outcome from written union all select id, 'crowded' from placed where crowded";

const insertMany = `${heldOfMany}, written as (${inserted('held')} returning id) ${written}`;

const insertCountedMany = `${heldOfMany},${countMany(24, 'held')}, written as (${inserted('admitted')} returning id) ${written}
   union all select id, 'spent' from used where id not in (select id from admitted)`;
