-- Tokens for assertions of identity providers (ID-JAG): the row says who vouched, and the token ends when that one is no
-- longer trusted. What ends a token is otherwise as it was (0028).

alter table issuances add column idp_id uuid;
create index issuances_by_idp on issuances (idp_id, id) where idp_id is not null;

create or replace function issuance_end(token issuances) returns table (ended boolean)
language sql stable as $$
  select token.revoked_at is not null
    or (token.family_id is not null and not coalesce(
          (select f.revoked_at is null from token_families f where f.id = token.family_id), token.expires_at <= now()))
    or (token.resource_id is not null
        and (select r.archived_at is null from resources r where r.id = token.resource_id) is not true)
    or (select c.status = 'active' from clients c where c.client_id = token.client_id) is not true
    or (token.subject_user_id is not null
        and (select u.status = 'active' from users u where u.id = token.subject_user_id) is not true)
    or (token.idp_id is not null
        and (select i.enabled from trusted_idps i where i.id = token.idp_id) is not true)
    or exists (select 1 from revocation_markers m
                where (m.kind, m.key) in (('client', token.client_id), ('user', token.subject_user_id::text),
                                          ('consent', token.consent_grant_id::text))
                  and m.revoked_before >= token.issued_at)
    or (token.further_targets is not null and exists (
          select 1 from jsonb_to_recordset(token.further_targets) as t(resource_id uuid, consent_grant_id text)
           where (select r.archived_at is null from resources r where r.id = t.resource_id) is not true
              or exists (select 1 from revocation_markers m
                          where m.kind = 'consent' and m.key = t.consent_grant_id
                            and m.revoked_before >= token.issued_at)))
$$;
