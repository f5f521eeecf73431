-- What a user allowed a client at a resource, and the authorization codes that come of it.

create table consent_grants (
  id          uuid primary key,
  user_id     uuid not null references users on delete cascade,
  client_id   text not null references clients on delete cascade,
  resource_id uuid references resources on delete cascade,   -- null: the authorization server itself
  scopes      text[] not null,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  revoked_at  timestamptz,
  epoch       integer not null default 1,        -- moves on when it is revoked; what was issued before stays dead
  unique nulls not distinct (user_id, client_id, resource_id)
);
create index consent_grants_by_client on consent_grants (client_id);
create index consent_grants_by_resource on consent_grants (resource_id);

create table authorization_codes (
  code_hash        bytea primary key,            -- SHA-256; the code itself is never stored
  client_id        text not null references clients on delete cascade,
  user_id          uuid not null references users on delete cascade,
  consent_grant_id uuid not null references consent_grants on delete cascade,
  user_epoch       integer not null,             -- of the user and the consent when the code was issued
  consent_epoch    integer not null,
  redirect_uri     text not null,
  scopes           text[] not null,
  resource_id      uuid references resources on delete cascade,
  resource         text,                         -- as registered
  code_challenge   text not null,
  auth_time        timestamptz not null,
  created_at       timestamptz not null,
  expires_at       timestamptz not null,
  failed_attempts  integer not null default 0,   -- wrong verifiers by the right client; a few, and the code is dead
  redeemed_at      timestamptz,                  -- set once, by redeem()
  family_id        uuid                          -- what the redemption produced, for the day the code is replayed
);
create index authorization_codes_by_expiry on authorization_codes (expires_at);
create index authorization_codes_by_client on authorization_codes (client_id);
create index authorization_codes_by_user on authorization_codes (user_id);
create index authorization_codes_by_consent on authorization_codes (consent_grant_id);
