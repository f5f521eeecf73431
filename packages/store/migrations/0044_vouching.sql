-- Who an identity provider spoke of, and as whom they were resolved ('' where nobody had said: 0024). Tokens from before have
-- neither, and end with a policy but not with a mapping.
alter table issuances add column idp_subject text, add column mapped_to text;

-- The identity of a resource indicator, as `uri_key` has it: scheme and host in lower case, an empty path as '/'.
create function resource_key(uri text) returns text
language sql immutable as $$
  select lower(m[1]) || '://' || lower(m[2]) || coalesce(m[3], '/') || coalesce(m[4], '')
    from regexp_match(uri, '^([A-Za-z][A-Za-z0-9+.-]*)://([^/?#@\s\\]+)(/[^?#\s\\]*)?(\?[^#\s\\]*)?$') as m
$$;

-- Whether a token that an identity provider vouched for would not be given any more: its subject is somebody else here by now,
-- or the first policy about client and resource is missing or allows less. The same rules as where assertions are
-- judged (services/token/src/xaa). A mapping that says "nobody" changes nothing for a subject that nobody had mapped.
create function vouching_ended(token issuances) returns boolean
language plpgsql stable as $$
declare
  mapped text;
begin
  if token.idp_subject is not null then
    mapped := coalesce((select coalesce(m.local_user_id::text, 'nobody') from subject_mappings m
                         where m.idp_id = token.idp_id and m.idp_subject = token.idp_subject), '');
    if mapped <> token.mapped_to and not (token.mapped_to = '' and mapped = 'nobody') then
      return true;
    end if;
  end if;
  return exists (
    select 1
      from (select token.resource_id as id
             union all
            select t.resource_id
              from jsonb_to_recordset(coalesce(token.further_targets, '[]')) as t(resource_id uuid)) as target
      left join resources r on r.id = target.id
      left join lateral (
        select p.id, p.scopes from xaa_policies p
         where p.idp_id = token.idp_id and p.enabled
           and (p.client_ids is null or token.client_id = any(p.client_ids))
           and (p.resources is null
                or exists (select 1 from unnest(p.resources) as one where resource_key(one) = r.uri_key))
         order by p.priority, p.id limit 1) as policy on true
     where policy.id is null
        or exists (select 1 from unnest(token.scopes) as s
                    where s <> all(policy.scopes)
                      and (target.id is null or r.scopes @> jsonb_build_array(jsonb_build_object('name', s)))));
end $$;

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
        and ((select i.enabled from trusted_idps i where i.id = token.idp_id) is not true or vouching_ended(token)))
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
