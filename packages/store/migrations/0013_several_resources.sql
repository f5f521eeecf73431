-- A grant for several resources (RFC 8707 §2), and where a remembered consent may be answered without asking again.

-- Null: the one target in the columns of the row. Else all of them, the first being in the columns as well:
-- [{resource_id, resource, consent_grant_id, consent_epoch, scopes}]. A release that does not know the column takes the
-- union of all scopes for those of the first resource and refuses.
alter table authorization_codes add column targets jsonb;
alter table token_families      add column targets jsonb;
create index token_families_by_target on token_families using gin (targets jsonb_path_ops) where targets is not null;

-- What stands after the first in `aud`: [{resource_id, resource, consent_grant_id}].
alter table issuances add column further_targets jsonb;
create index issuances_by_further_target on issuances using gin (further_targets jsonb_path_ops)
  where further_targets is not null;

-- Hosts (or private-use schemes) of the redirect URIs the user saw on the consent page when they allowed it.
alter table consent_grants add column redirect_hosts text[] not null default '{}';

-- As before, and one ended resource or consent among several ends the token.
create or replace function issuance_ended(token issuances) returns boolean
language sql stable as $$
  select token.revoked_at is not null
    or (token.family_id is not null and not exists (
          select 1 from token_families f where f.id = token.family_id and f.revoked_at is null))
    or (token.resource_id is not null and not exists (select 1 from resources r where r.id = token.resource_id))
    or not exists (select 1 from clients c where c.client_id = token.client_id and c.status = 'active')
    or (token.subject_user_id is not null and not exists (
          select 1 from users u where u.id = token.subject_user_id and u.status = 'active'))
    or exists (select 1 from revocation_markers m
                where (m.kind, m.key) in (('client', token.client_id), ('user', token.subject_user_id::text),
                                          ('consent', token.consent_grant_id::text))
                  and m.revoked_before >= token.issued_at)
    or (token.further_targets is not null and exists (
          select 1 from jsonb_to_recordset(token.further_targets) as t(resource_id uuid, consent_grant_id text)
           where not exists (select 1 from resources r where r.id = t.resource_id)
              or exists (select 1 from revocation_markers m
                          where m.kind = 'consent' and m.key = t.consent_grant_id
                            and m.revoked_before >= token.issued_at)))
$$;

-- Whether a token that was exchanged from `parent` must die for something further up: an ancestor was ended, has no row,
-- or lies further back than 32 steps. Nobody looks further, so nobody can vouch for it.
create function ancestors_ended(parent uuid) returns boolean
language sql stable as $$
  with recursive lineage as (
    select p as token, 1 as depth from issuances p where p.id = parent
    union all
    select p, l.depth + 1 from lineage l join issuances p on p.id = (l.token).parent_id where l.depth < 32)
  select coalesce(bool_or(issuance_ended(token)) or bool_and((token).parent_id is not null), true) from lineage
$$;
