-- One row a token; a family is the chain that one authorization produced.

create table token_families (
  id               uuid primary key,
  client_id        text not null references clients on delete cascade,
  user_id          uuid not null references users on delete cascade,
  consent_grant_id uuid not null references consent_grants on delete cascade,
  user_epoch       integer not null,             -- of the user and the consent when the code was issued
  consent_epoch    integer not null,
  scopes           text[] not null,              -- what was consented to; a refresh may ask for less, never more
  resource_id      uuid references resources on delete cascade,
  resource         text,
  dpop_jkt         text,
  auth_time        timestamptz not null,
  created_at       timestamptz not null,
  expires_at       timestamptz not null,         -- absolute: no rotation moves it
  revoked_at       timestamptz,
  revoked_reason   text
);
create index token_families_by_user on token_families (user_id);
create index token_families_by_client on token_families (client_id);
create index token_families_by_consent on token_families (consent_grant_id);
create index token_families_live on token_families (expires_at) where revoked_at is null;

create table refresh_tokens (
  token_hash     bytea primary key,              -- SHA-256; the token itself is never stored
  family_id      uuid not null references token_families on delete cascade,
  issued_at      timestamptz not null,
  expires_at     timestamptz not null,           -- sliding, never past the family's end
  spent_at       timestamptz,                    -- set once, by spend()
  successor_hash bytea                           -- so that a repeat within the window can be told from a replay
);
create index refresh_tokens_by_family on refresh_tokens (family_id);
create index refresh_tokens_by_expiry on refresh_tokens (expires_at);
