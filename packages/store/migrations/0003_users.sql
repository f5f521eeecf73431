-- The people, and the browsers they are signed in with.

create table users (
  id              uuid primary key,
  email           text,
  name            text not null default '',
  password_hash   text,                          -- argon2id, PHC string; null for a federated account
  role            text not null default 'user' check (role in ('admin', 'user')),
  status          text not null default 'active' check (status in ('active', 'disabled')),
  provider        text not null default 'local',
  provider_issuer text,
  provider_sub    text,
  epoch           integer not null default 1,    -- moves on when everything the user held is ended
  version         integer not null default 1,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  unique (provider_issuer, provider_sub)
);
create unique index users_by_email on users (lower(email));
create index users_by_age on users (created_at, id);

create table browser_sessions (
  id_hash    bytea primary key,                  -- SHA-256 of the cookie value
  user_id    uuid not null references users on delete cascade,
  user_epoch integer not null,                   -- of the user when it began; another epoch ends it
  auth_time  timestamptz not null,
  expires_at timestamptz not null,
  ended_at   timestamptz,                        -- logout, force-logout, disable or password reset
  ip         text,
  user_agent text
);
create index browser_sessions_by_user on browser_sessions (user_id);
create index browser_sessions_by_expiry on browser_sessions (expires_at);
