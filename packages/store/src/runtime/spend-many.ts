import { bytea, columnsOf, text, timestamptz, uuid } from '../columns.ts';
import type { Queryable } from '../db.ts';
import { inOrder } from '../gather.ts';
import { ofFamily, type Spending } from './refresh-tokens.ts';

/**
 * Spends many refresh tokens, each of a family with one target, in one statement; says which. It does to each what `spend`
 * does, but it waits for nobody: where a revocation or another request holds a row, that token is passed over, and is
 * spent alone. So no request waits for somebody else's user, and there is no circle to wait in.
 *
 * Whoever spends a token here has its family for itself, so two do not meet at the token. Tokens are looked up one by one and
 * written where they lie (`ctid`), whatever the plan.
 */
export const spendRefreshTokens = async (db: Queryable, spendings: readonly Spending[]): Promise<boolean[]> => {
  const { rows } = await db.query(
    'refresh_spend_many',
    spendMany,
    columnsOf(
      spendings,
      bytea(({ tokenHash }) => tokenHash),
      uuid(({ familyId }) => familyId),
      bytea(({ successor }) => successor.hash),
      timestamptz(({ successor }) => successor.expiresAt),
      text(({ bindTo }) => bindTo),
      uuid(({ issuance }) => issuance.id),
      text(({ issuance }) => issuance.resource),
      text(({ issuance }) => issuance.scopes.join(' ')),
      timestamptz(({ issuance }) => issuance.issuedAt),
      timestamptz(({ issuance }) => issuance.expiresAt),
      text(({ issuance }) => issuance.agentId),
      text(({ issuance }) => issuance.dpopJkt),
      uuid(({ issuance }) => issuance.resourceId),
      uuid(({ issuance }) => issuance.consentGrantId),
    ),
  );
  return inOrder(rows, spendings).map((row) => row !== undefined);
};

const spendMany = `
  with asked as (
    select * from unnest($1::bytea[], $2::uuid[], $3::bytea[], $4::timestamptz[], $5::text[], $6::uuid[], $7::text[],
                         $8::text[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[], $13::uuid[],
                         $14::uuid[])
             with ordinality as a(token_hash, family_id, successor_hash, successor_expires_at, bind_to, id, resource, scope,
                                  issued_at, expires_at, agent_id, dpop_jkt, resource_id, consent_grant_id, n)
  ), family as materialized (
    select a.*, f.ctid as family_row, f.client_id, f.user_id from asked a cross join lateral (
      select f.ctid, f.client_id, f.user_id, f.revoked_at is null and u.status = 'active' and u.epoch = f.user_epoch
               and cl.status = 'active' and g.revoked_at is null and g.epoch = f.consent_epoch
               and g.scopes @> string_to_array(a.scope, ' ') as stands
        from token_families f
        join users u on u.id = f.user_id
        join clients cl on cl.client_id = f.client_id
        join consent_grants g on g.id = f.consent_grant_id
       where f.id = a.family_id limit 1
         for share of u, g skip locked for no key update of f skip locked) as f where f.stands
  ), spent as (
    update refresh_tokens t set spent_at = a.issued_at, successor_hash = a.successor_hash
      from family a cross join lateral (
        select ctid from refresh_tokens r where r.token_hash = a.token_hash and ${ofFamily('r', 'a.family_id')} limit 1) as found
     where t.ctid = found.ctid and t.spent_at is null
    returning a.*
  ), successor as (
    insert into refresh_tokens (token_hash, family_id, issued_at, expires_at)
    select successor_hash, family_id, issued_at, successor_expires_at from spent
  ), bound as (
    update token_families f set dpop_jkt = s.bind_to from spent s where f.ctid = s.family_row and s.bind_to is not null
  ), issuance as (
    insert into issuances (id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scopes, issued_at,
        expires_at, family_id, consent_grant_id, consent_client_id, agent_id, dpop_jkt)
    select id, 'refresh_token', client_id, user_id::text, user_id, resource_id, resource, string_to_array(scope, ' '),
           issued_at, expires_at, family_id, consent_grant_id, client_id, agent_id, dpop_jkt from spent
  )
  select n::int from spent`;
