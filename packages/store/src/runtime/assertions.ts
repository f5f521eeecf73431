import { createHash } from 'node:crypto';
import { bytea, columnsOf, jsonb, text, timestamptz, uuid } from '../columns.ts';
import { mappedTo, rulesOf } from '../control/trust.ts';
import type { Queryable } from '../db.ts';
import { inOrder } from '../gather.ts';
import type { Issuance } from './issuances.ts';
import { furtherTargetsColumn } from './targets.ts';

/** What a token for an assertion of an identity provider (ID-JAG) rests on. */
export type AssertionRedemption = {
  /** Whose assertion, and its `jti` there: what one identity provider uses up is still free at another. */
  issuer: string;
  jti: string;
  /** So long it could be used again, by the clock of the database. */
  usableUntil: Date;
  idpId: string;
  /** The identity provider and its policies as they were when they were asked. */
  rules: string;
  idpSubject: string;
  /** As the subject was resolved. */
  mappedTo: string;
  issuance: Issuance;
};

/**
 * `moved`: the identity provider, a policy, the mapping or the account is another than when it was asked; nothing was spent.
 */
export type RedemptionOutcome = 'done' | 'replayed' | 'moved' | 'client_not_active';

/**
 * Spends assertions and writes the tokens they became, in one statement for many. What cannot be granted any more spends
 * nothing, and what is spent has its token: a client whose answer was our fault may send the same assertion again.
 *
 * The rows asked about are read and not locked. Whoever changes one so that a token would not be given any more ends it at
 * introspection as well, so one that was granted a moment before is as dead as one granted a minute before. Of equal assertions in one batch the first
 * is sent. Keys are taken in one order everywhere, so two batches never wait in a circle.
 */
export const redeemAssertions = async (
  db: Queryable,
  redemptions: readonly AssertionRedemption[],
): Promise<RedemptionOutcome[]> => {
  const { rows } = await db.query<{ n: number; outcome: RedemptionOutcome }>(
    'assertion_redeem_many',
    redeemMany,
    columnsOf(
      redemptions,
      bytea(keyHash),
      timestamptz(({ usableUntil }) => usableUntil),
      uuid(({ idpId }) => idpId),
      text(({ rules }) => rules),
      text(({ idpSubject }) => idpSubject),
      text(({ mappedTo }) => mappedTo),
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
      text(({ issuance }) => issuance.dpopJkt),
      text(({ issuance }) => issuance.agentId),
      jsonb(({ issuance }) => furtherTargetsColumn(issuance.furtherTargets)),
      jsonb(({ issuance }) => issuance.act && JSON.stringify(issuance.act)),
    ),
  );
  return inOrder(rows, redemptions).map((row) => row?.outcome ?? 'moved');
};

const keyHash = ({ issuer, jti }: AssertionRedemption): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([issuer, jti]))
    .digest();

const redeemMany = `
  with asked as materialized (
    select a.*,
           case when (select i.enabled and ${rulesOf('i')} = a.rules from trusted_idps i where i.id = a.idp_id) is not true
                  or coalesce((select ${mappedTo('m')} from subject_mappings m
                                where m.idp_id = a.idp_id and m.idp_subject = a.idp_subject), '') <> a.mapped_to
                  or (a.subject_user_id is not null
                      and (select u.status = 'active' from users u where u.id = a.subject_user_id) is not true)
                then 'moved'
                when (select c.status = 'active' from clients c where c.client_id = a.client_id) is not true
                then 'client_not_active' end as objection
      from unnest($1::bytea[], $2::timestamptz[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[],
                  $9::text[], $10::text[], $11::uuid[], $12::uuid[], $13::text[], $14::text[], $15::timestamptz[],
                  $16::timestamptz[], $17::text[], $18::text[], $19::jsonb[],
                  $20::jsonb[])
             with ordinality as a(key_hash, usable_until, idp_id, rules, idp_subject, mapped_to, id, grant_type, client_id,
                                  subject, subject_user_id, resource_id, resource, scope, issued_at, expires_at, dpop_jkt,
                                  agent_id, further_targets, act, n)
  ), first as (
    select distinct on (key_hash) * from asked where objection is null order by key_hash, n
  ), spent as (
    insert into single_use (kind, key_hash, expires_at)
    select 'id_jag', key_hash, usable_until from first where usable_until > statement_timestamp() order by key_hash
    on conflict (kind, key_hash) do update set expires_at = excluded.expires_at
     where single_use.expires_at <= statement_timestamp()
    returning key_hash
  ), issuance as (
    insert into issuances (id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scopes, issued_at,
        expires_at, dpop_jkt, agent_id, further_targets, act, idp_id, idp_subject, mapped_to)
    select id, grant_type, client_id, subject, subject_user_id, resource_id, resource, string_to_array(scope, ' '),
           issued_at, expires_at, dpop_jkt, agent_id, further_targets, act, idp_id, idp_subject, mapped_to
      from first join spent using (key_hash)
    returning id
  )
  select a.n::int, coalesce(a.objection, case when i.id is null then 'replayed' else 'done' end) as outcome
    from asked a left join issuance i on i.id = a.id`;
