-- What ends a token, as a table of one row: PostgreSQL then plans it as a part of the statement that asks, where a scalar
-- function is a statement of its own for each token. Each thing a token names is looked up by its key, in a subquery that
-- yields one value; of `exists` the planner may make a hash of the whole table.
create function issuance_end(token issuances) returns table (ended boolean)
language sql stable as $$
  select token.revoked_at is not null
    or (token.family_id is not null and not coalesce(
          (select f.revoked_at is null from token_families f where f.id = token.family_id), token.expires_at <= now()))
    or (token.resource_id is not null
        and (select r.archived_at is null from resources r where r.id = token.resource_id) is not true)
    or (select c.status = 'active' from clients c where c.client_id = token.client_id) is not true
    or (token.subject_user_id is not null
        and (select u.status = 'active' from users u where u.id = token.subject_user_id) is not true)
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

create or replace function issuance_ended(token issuances) returns boolean
language sql stable as $$ select ended from issuance_end(token) $$;
