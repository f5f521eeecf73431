-- What deleting expired rows needs: indexes that lead to them, and a word about when it was last done.

-- What each costs those who write: the first a few bytes for every 128 pages of tokens, none for a row. The second
-- nothing for a token that was not exchanged. The third is written when a family is revoked, the fourth when a consent, a
-- client or a user is.
create index issuances_by_expiry on issuances using brin (expires_at) with (autosummarize = on);
create index issuances_exchanged on issuances (expires_at) where parent_id is not null;
create index token_families_revoked on token_families (revoked_at) where revoked_at is not null;
create index revocation_markers_by_time on revocation_markers (revoked_before);

-- In the place of the index by time alone, along which one kind is reached only past all others. As many entries as before.
create index single_use_by_kind on single_use (kind, expires_at);
drop index single_use_by_expiry;

-- When each target was last done with, by whichever process: for metrics, and so that many pods do not repeat each other.
create table purge_runs (
  target      text primary key,
  finished_at timestamptz not null,
  deleted     bigint not null,
  seconds     double precision not null
);

-- People who were sent to an upstream provider and have not come back (RFC 6749 §10.12, RFC 7636).
create table connect_pending_states (
  state_hash         bytea primary key,          -- SHA-256 of the state that travels
  user_id            uuid not null references users on delete cascade,
  client_id          text,                       -- who asked for the connection; no reference: it outlives no client
  broker_provider_id uuid not null,
  resource_id        uuid,
  enc_verifier       bytea,                      -- the PKCE verifier, sealed
  enc_backend        text,
  return_url         text,
  created_at         timestamptz not null,
  expires_at         timestamptz not null
);
create index connect_pending_states_by_expiry on connect_pending_states (expires_at);
create index connect_pending_states_by_user on connect_pending_states (user_id);

-- As before, except for families that were deleted since: a token that is over was not ended by that, it was over.
create or replace function issuance_ended(token issuances) returns boolean
language sql stable as $$
  select token.revoked_at is not null
    or (token.family_id is not null and not exists (
          select 1 from token_families f where f.id = token.family_id and f.revoked_at is null)
        and (token.expires_at > now() or exists (select 1 from token_families f where f.id = token.family_id)))
    or (token.resource_id is not null and not exists (
          select 1 from resources r where r.id = token.resource_id and r.archived_at is null))
    or not exists (select 1 from clients c where c.client_id = token.client_id and c.status = 'active')
    or (token.subject_user_id is not null and not exists (
          select 1 from users u where u.id = token.subject_user_id and u.status = 'active'))
    or exists (select 1 from revocation_markers m
                where (m.kind, m.key) in (('client', token.client_id), ('user', token.subject_user_id::text),
                                          ('consent', token.consent_grant_id::text))
                  and m.revoked_before >= token.issued_at)
    or (token.further_targets is not null and exists (
          select 1 from jsonb_to_recordset(token.further_targets) as t(resource_id uuid, consent_grant_id text)
           where not exists (select 1 from resources r where r.id = t.resource_id and r.archived_at is null)
              or exists (select 1 from revocation_markers m
                          where m.kind = 'consent' and m.key = t.consent_grant_id
                            and m.revoked_before >= token.issued_at)))
$$;

-- Drops a month of issuances. That takes the parent for itself for a moment: it fails rather than let tokens queue behind
-- somebody who reads for long. Whether the month may go, the caller has found out.
create function forget_issuance_month(partition text) returns void
language plpgsql set lock_timeout = '100ms' as $$
begin
  if partition !~ '^issuances_[0-9]{4}_[0-9]{2}$' then
    raise exception 'no month of issuances' using errcode = 'invalid_parameter_value';
  end if;
  execute format('drop table if exists %I', partition);
end $$;
