import { bytea, columnsOf, text, timestamptz, uuid } from '../columns.ts';
import type { Queryable } from '../db.ts';
import { inOrder } from '../gather.ts';
import { allowedFailures, type Redemption } from './authorization-codes.ts';

/**
 * Redeems many codes, each of one target, in one statement; says which. It does to each what `redeem` does, but it waits
 * for nobody: where a revocation or another request holds a row, that code is passed over, and is redeemed alone.
 *
 * A code that is locked is written where it lies (`ctid`): nobody moves it meanwhile, and no plan can make a search of it.
 */
export const redeemCodes = async (db: Queryable, redemptions: readonly Redemption[]): Promise<boolean[]> => {
  const { rows } = await db.query(
    'code_redeem_many',
    redeemMany,
    columnsOf(
      redemptions,
      bytea(({ codeHash }) => codeHash),
      timestamptz(({ now }) => now),
      uuid(({ familyId }) => familyId),
      timestamptz(({ familyExpiresAt }) => familyExpiresAt),
      text(({ dpopJkt }) => dpopJkt),
      bytea(({ refreshToken }) => refreshToken?.hash),
      timestamptz(({ refreshToken }) => refreshToken?.expiresAt),
      uuid(({ issuance }) => issuance.id),
      text(({ issuance }) => issuance.grantType),
      text(({ issuance }) => issuance.resource),
      text(({ issuance }) => issuance.scopes.join(' ')),
      timestamptz(({ issuance }) => issuance.expiresAt),
      text(({ issuance }) => issuance.agentId),
      text(({ issuance }) => issuance.dpopJkt),
      uuid(({ issuance }) => issuance.resourceId),
      uuid(({ issuance }) => issuance.consentGrantId),
    ),
  );
  return inOrder(rows, redemptions).map((row) => row !== undefined);
};

const redeemMany = `
  with asked as (
    select * from unnest($1::bytea[], $2::timestamptz[], $3::uuid[], $4::timestamptz[], $5::text[], $6::bytea[],
                         $7::timestamptz[], $8::uuid[], $9::text[], $10::text[], $11::text[], $12::timestamptz[], $13::text[],
                         $14::text[], $15::uuid[], $16::uuid[])
             with ordinality as a(code_hash, now, family_id, family_expires_at, family_jkt, refresh_hash, refresh_expires_at,
                                  id, grant_type, resource, scope, expires_at, agent_id, dpop_jkt, resource_id,
                                  consent_grant_id, n)
  ), held as materialized (
    select a.*, c.ctid as code_row from asked a cross join lateral (
      select c.ctid, c.redeemed_at is null and c.failed_attempts < ${allowedFailures} and u.status = 'active'
               and u.epoch = c.user_epoch and cl.status = 'active' and g.revoked_at is null and g.epoch = c.consent_epoch
               and g.scopes @> string_to_array(a.scope, ' ') as stands
        from authorization_codes c
        join users u on u.id = c.user_id
        join clients cl on cl.client_id = c.client_id
        join consent_grants g on g.id = c.consent_grant_id
       where c.code_hash = a.code_hash limit 1
         for share of u, g skip locked for no key update of c skip locked) as c where c.stands
  ), code as (
    update authorization_codes c set redeemed_at = a.now, family_id = a.family_id
      from held a where c.ctid = a.code_row and c.redeemed_at is null
    returning a.*, c.client_id, c.user_id, c.consent_grant_id as family_consent_id, c.user_epoch, c.consent_epoch,
              c.scopes as family_scopes, c.resource_id as family_resource_id, c.resource as family_resource, c.auth_time,
              c.acr
  ), family as (
    insert into token_families (id, client_id, user_id, consent_grant_id, user_epoch, consent_epoch, scopes, resource_id,
        resource, dpop_jkt, auth_time, acr, created_at, expires_at)
    select family_id, client_id, user_id, family_consent_id, user_epoch, consent_epoch, family_scopes, family_resource_id,
           family_resource, family_jkt, auth_time, acr, now, family_expires_at from code
  ), token as (
    insert into refresh_tokens (token_hash, family_id, issued_at, expires_at)
    select refresh_hash, family_id, now, refresh_expires_at from code where refresh_hash is not null
  ), issuance as (
    insert into issuances (id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scopes, issued_at,
        expires_at, family_id, consent_grant_id, consent_client_id, dpop_jkt, agent_id)
    select id, grant_type, client_id, user_id::text, user_id, resource_id, resource, string_to_array(scope, ' '), now,
           expires_at, family_id, consent_grant_id, client_id, dpop_jkt, agent_id from code
  )
  select n::int from code`;
