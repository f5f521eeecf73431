-- Upstream providers and what users connected there, links between resources, and resources that are over but remembered.

create table broker_providers (
  id                 uuid primary key,
  slug               text not null unique,
  display_name       text not null,
  protocol           text not null check (protocol in ('oauth', 'api_key', 'service_account')),
  config_data        jsonb not null default '{}', -- a secret is named here, never written
  enc_secret_data    bytea,                      -- the secret itself, encrypted, for one that is not in the environment
  enc_secret_backend text,                       -- what encrypted it
  version            integer not null default 1,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  check ((enc_secret_data is null) = (enc_secret_backend is null))
);

-- One row a user and provider; taking it back and connecting again keeps the row and moves its version on.
create table broker_grants (
  id                 uuid primary key,
  user_id            uuid not null references users on delete cascade,
  broker_provider_id uuid not null references broker_providers,
  scopes_granted     text[] not null default '{}', -- in the words of the provider
  enc_credential     bytea,                      -- null once it is revoked: nobody may use it any more
  enc_backend        text not null,              -- what encrypted it
  version            integer not null default 1,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  revoked_at         timestamptz,
  unique (user_id, broker_provider_id),
  check ((enc_credential is null) = (revoked_at is not null))
);
create index broker_grants_by_provider on broker_grants (broker_provider_id);

-- An archived resource is over, but consents and issuances still name it. It gives slug and URI back: from then on its
-- slug is its id and its URI null, so that no constraint and no process of the release before finds it under its names.
alter table resources
  add column archived_at   timestamptz,
  add column archived_slug text,
  add column archived_uri  text,
  add constraint resources_archived check ((archived_at is null) = (archived_slug is null)
                                           and (archived_at is null or (uri is null and uri_key is null))),
  add constraint resources_provider check (archived_at is not null
                                           or (backend_kind = 'broker') = (broker_provider_id is not null)),
  add constraint resources_broker_provider_id_fkey foreign key (broker_provider_id)
    references broker_providers on delete set null;
create index resources_by_provider on resources (broker_provider_id) where broker_provider_id is not null;

-- What a token for the source may become at the target: source scope to target scopes. Source and target are two.
create table fronting_links (
  source_id  uuid not null references resources,
  target_id  uuid not null references resources,
  scope_map  jsonb not null,                     -- {source scope: [target scope]}
  created_by text not null,                      -- who, as the audit trail names them
  version    integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (source_id, target_id),
  check (source_id <> target_id)
);
create index fronting_links_by_target on fronting_links (target_id);

-- A consent cannot be given, or given again, at a resource that is archived: to whoever tries, the resource is gone. It
-- locks in the order of everybody, the consent and then its resource.
create function require_live_resource() returns trigger
language plpgsql as $$
begin
  perform 1 from resources where id = new.resource_id and archived_at is null for key share;
  if not found then
    raise exception 'the resource is archived' using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;
create trigger consent_grants_need_a_live_resource after insert on consent_grants
  for each row when (new.resource_id is not null and new.revoked_at is null) execute function require_live_resource();
create trigger revived_consents_need_a_live_resource after update of revoked_at on consent_grants
  for each row when (new.resource_id is not null and old.revoked_at is not null and new.revoked_at is null)
  execute function require_live_resource();

-- As before, and an archived resource ends what was issued for it, as a deleted one does.
create or replace function issuance_ended(token issuances) returns boolean
language sql stable as $$
  select token.revoked_at is not null
    or (token.family_id is not null and not exists (
          select 1 from token_families f where f.id = token.family_id and f.revoked_at is null))
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
