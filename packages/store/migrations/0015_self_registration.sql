-- Clients that register themselves (RFC 7591) and look after their registration (RFC 7592): who may, how often the same
-- one is kept, and when one that nobody uses goes.

alter table clients
  add column registration_token_hash bytea,      -- SHA-256; null: nobody manages it but the operator
  add column metadata_fingerprint    bytea,      -- SHA-256 of a public client's metadata: equal clients have equal ones
  add column self_description        jsonb not null default '{}', -- its own word, read by nobody but itself
  add column first_user_id           uuid,       -- who consented first; evidence, so it outlives the user
  add column last_used_at            timestamptz,  -- a token or a consent, to the hour
  add column last_registered_at      timestamptz,  -- or handed out again, when it is shared
  add column identity_changed_at     timestamptz;  -- consents from before are asked for again

-- Many registrations of the same metadata that nobody came to use share one client, which nobody manages.
create unique index clients_shared_registration on clients (metadata_fingerprint)
  where registration_source = 'dcr' and registration_token_hash is null and first_user_id is null;
create index clients_equal_registrations on clients (metadata_fingerprint)
  where registration_source = 'dcr' and first_user_id is null;
create index clients_never_used on clients (coalesce(last_registered_at, created_at))
  where registration_source = 'dcr' and first_user_id is null and last_used_at is null;
create index clients_idle on clients (last_used_at) where registration_source = 'dcr';

update clients c set first_user_id = used.first_user_id, last_used_at = used.last_used_at
  from (select g.client_id, (array_agg(g.user_id order by g.created_at))[1] as first_user_id,
               greatest(max(g.updated_at), max(f.created_at)) as last_used_at
          from consent_grants g left join token_families f on f.consent_grant_id = g.id
         group by g.client_id) as used
 where used.client_id = c.client_id;

-- Clients that were used and then went: people still come with their ids, and should be told what to do.
create table client_tombstones (
  client_id text primary key,
  reason    text not null check (reason in ('idle', 'deleted')),
  ended_at  timestamptz not null
);
create index client_tombstones_by_age on client_tombstones (ended_at);

-- What lets somebody register who otherwise might not (RFC 7591 §3).
create table initial_access_tokens (
  id           uuid primary key,
  label        text not null,
  token_hash   bytea not null unique,            -- SHA-256; the token itself is shown once and never stored
  max_uses     integer not null check (max_uses > 0),
  uses         integer not null default 0 check (uses <= max_uses),
  created_at   timestamptz not null,
  expires_at   timestamptz not null,
  last_used_at timestamptz,
  revoked_at   timestamptz
);
create index initial_access_tokens_by_age on initial_access_tokens (created_at, id);
