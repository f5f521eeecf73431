import { columnsOf, integer, jsonb, text, uuid } from '../columns.ts';
import type { Queryable, Row } from '../db.ts';
import { inOrder } from '../gather.ts';
import { isUuid } from '../uuid.ts';

/** One exchange, counted against what a policy lets `clientId` do at a target since the consent was last given. */
export type BudgetUse = { consentId: string; clientId: string; resourceId: string; maxUses: number };

/** A consent that budgets may rest on, and what was used of them since it was last given. */
export type BudgetConsent = {
  id: string;
  clientId: string;
  resourceId: string | undefined;
  scopes: readonly string[];
  /** How often it was given. */
  round: number;
  allowedAt: Date;
  /** The subject token comes of it. */
  isOrigin: boolean;
  /** The user is asked again already. */
  asksAgain: boolean;
  uses: readonly { clientId: string; resourceId: string; uses: number }[];
};

export type BudgetQuestion = {
  /** `jti` of the subject token. It comes of its consents, or else of those of the nearest token it descends from. */
  subjectId?: string | undefined;
  /** Instead: the consents a token that nobody has would come of, and those of its user and client at the targets. */
  described?: { origins: readonly string[]; atTargets: readonly string[] } | undefined;
  clientIds: readonly string[];
  /** The targets. */
  resourceIds: readonly string[];
};

export const delegationUses = (db: Queryable) => ({
  /** The consents that stand, of its origin and at the targets; first the origin, in the order of its own targets. */
  find: async (question: BudgetQuestion): Promise<BudgetConsent[]> =>
    (await findDelegationUses(db, [question]))[0] ?? [],
});

/** For each question, in one read. */
export const findDelegationUses = async (
  db: Queryable,
  questions: readonly BudgetQuestion[],
): Promise<BudgetConsent[][]> => {
  const { rows } = await db.query(
    'delegation_uses_find',
    findMany,
    columnsOf(
      questions,
      uuid(({ subjectId }) => (subjectId !== undefined && isUuid(subjectId) ? subjectId : null)),
      text(({ described }) => (described?.origins ?? []).join(' ')),
      text(({ described }) => (described?.atTargets ?? []).join(' ')),
      jsonb(({ clientIds }) => JSON.stringify(clientIds)),
      text(({ resourceIds }) => resourceIds.join(' ')),
    ),
  );
  return inOrder(rows, questions).map((row) => ((row?.consents ?? []) as Row[]).map(toBudgetConsent));
};

/** What a token rests on, in the order of its targets. */
const consentsOf = (token: string): string => `
       select array_remove(array[${token}.consent_grant_id] || array(
                select (t ->> 'consent_grant_id')::uuid
                  from jsonb_array_elements(coalesce(${token}.further_targets, '[]')) as t), null) as consents`;
const uuids = (column: string): string => `string_to_array(${column}, ' ')::uuid[]`;
/** Behind all that a token can come of. */
const notOrigin = 1000;

/** The line ends where a token rests on consents; further than 32 steps nobody looks, as in ancestors_ended(). */
const findMany = `
  select a.n::int, found.consents
    from unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::text[])
         with ordinality as a(subject_id, origins, at_targets, clients, resources, n)
   cross join lateral (
     with recursive line as (
       select i.parent_id, c.consents, 1 as depth
         from issuances i cross join lateral (${consentsOf('i')}) as c where i.id = a.subject_id
       union all
       select p.parent_id, c.consents, l.depth + 1
         from line l
        cross join lateral (
          select parent_id, consent_grant_id, further_targets from issuances where id = l.parent_id limit 1) as p
        cross join lateral (${consentsOf('p')}) as c
        where l.depth < 32 and cardinality(l.consents) = 0
     ), named as (
       select o.id, o.n from line cross join lateral unnest(line.consents) with ordinality as o(id, n)
       union all
       select o.id, o.n from unnest(${uuids('a.origins')}) with ordinality as o(id, n)
       union all
       select t.id, ${notOrigin} from unnest(${uuids('a.at_targets')}) as t(id)
       union all
       select g.id, ${notOrigin}
         from issuances s cross join lateral unnest(${uuids('a.resources')}) as t(resource_id)
        cross join lateral (
          select id from consent_grants
           where user_id = s.subject_user_id and client_id = s.client_id and resource_id = t.resource_id limit 1) as g
        where s.id = a.subject_id
     ), bases as (select id, min(n) as n from named group by id)
     select json_agg(json_build_object(
              'id', g.id, 'clientId', g.client_id, 'resourceId', g.resource_id, 'scopes', g.scopes, 'round', g.allowed_times, 'asksAgain', g.asks_again,
              'allowedAt', coalesce(g.allowed_at, g.updated_at), 'isOrigin', b.n < ${notOrigin},
              'uses', (select json_agg(json_build_object('clientId', u.client_id, 'resourceId', u.resource_id,
                                                         'uses', u.uses))
                         from delegation_uses u
                        where u.consent_grant_id = g.id and a.clients ? u.client_id
                          and u.resource_id = any(${uuids('a.resources')}) and u.round = g.allowed_times))
              order by b.n, g.id) as consents
       from bases b
      cross join lateral (
        select id, client_id, resource_id, scopes, allowed_times, asks_again, allowed_at, updated_at
          from consent_grants where id = b.id and revoked_at is null limit 1) as g) as found`;

const toBudgetConsent = (row: Row): BudgetConsent => ({
  id: row.id as string,
  clientId: row.clientId as string,
  resourceId: (row.resourceId as string | null) ?? undefined,
  scopes: row.scopes as string[],
  round: row.round as number,
  allowedAt: new Date(row.allowedAt as string),
  isOrigin: row.isOrigin as boolean,
  asksAgain: row.asksAgain as boolean,
  uses: (row.uses ?? []) as BudgetConsent['uses'],
});

/** Four parameters: consents, clients, targets and limits. */
export const useColumns = (uses: readonly (BudgetUse | undefined)[]): Buffer[] =>
  columnsOf(
    uses,
    uuid((use) => use?.consentId),
    text((use) => use?.clientId),
    uuid((use) => use?.resourceId),
    integer((use) => use?.maxUses),
  );

/** Who saw the consent as it was before it was given again is counted as one of the new round. */
const counted = (taken: string): string => `
        on conflict (consent_grant_id, client_id, resource_id) do update
       set round = greatest(held.round, excluded.round), taken = ${taken}, uses = ${soFar} + ${taken},
           max_uses = excluded.max_uses, used_at = excluded.used_at`;
const soFar = '(case when excluded.round > held.round then 0 else held.uses end)';
const columns = 'consent_grant_id, client_id, resource_id, round, uses, taken, max_uses, used_at';

/**
 * Counts one more under each of several budgets, if there is a row of `source`. Whoever comes at the same time waits for the row
 * and counts on from there. One that is used up fails by the check, and with it the whole statement. `first` is the number
 * of the first parameter of `useColumns`.
 */
export const countAlone = (first: number, source: string): string => `
    insert into delegation_uses as held (${columns})
    select t.consent_id, t.client_id, t.resource_id, g.allowed_times, 1, 1, t.max_uses, s.issued_at
      from unnest($${first}::uuid[], $${first + 1}::text[], $${first + 2}::uuid[], $${first + 3}::integer[])
           as t(consent_id, client_id, resource_id, max_uses)
     cross join lateral (select allowed_times from consent_grants where id = t.consent_id limit 1) as g
     cross join ${source} s order by 1, 2, 3
      ${counted(`(case when ${soFar} < excluded.max_uses then 1 else -1 end)`)}`;

/**
 * Parts of a statement about many tokens, each of which counts under one budget: of those in `source`, with their place in
 * the order they came in, as many are `admitted` as the budget has left. Another statement that counts under the same
 * budgets takes them in the same order, so it waits and never in a circle.
 */
export const countMany = (first: number, source: string): string => `
  used as materialized (
    select s.id, s.issued_at, u.basis, u.client_id, u.resource_id, u.max_uses, g.allowed_times,
           row_number() over (partition by u.basis, u.client_id, u.resource_id order by s.n) as nth
      from ${source} s
      join unnest($1::uuid[], $${first}::uuid[], $${first + 1}::text[], $${first + 2}::uuid[], $${first + 3}::integer[])
           as u(id, basis, client_id, resource_id, max_uses) on u.id = s.id
     cross join lateral (
       select allowed_times from consent_grants g where g.id = u.basis and g.revoked_at is null limit 1) as g
  ), counted as (
    insert into delegation_uses as held (${columns})
    select basis, client_id, resource_id, max(allowed_times), least(count(*), min(max_uses)),
           least(count(*), min(max_uses)), min(max_uses), max(issued_at)
      from used group by 1, 2, 3 order by 1, 2, 3
      ${counted(`least(excluded.taken, greatest(0, excluded.max_uses - ${soFar}))`)}
    returning consent_grant_id, client_id, resource_id, taken
  ), admitted as materialized (
    select s.* from ${source} s join used u on u.id = s.id
      join counted c
        on c.consent_grant_id = u.basis and c.client_id = u.client_id and c.resource_id = u.resource_id and u.nth <= c.taken
  )`;
