-- Who may use the admin API beside the bearer of the configured key, and who tried to without a key that is good.

create table admin_keys (
  id           uuid primary key,
  label        text not null,
  key_hash     bytea not null unique,            -- SHA-256, or HMAC under the pepper of client secrets; the key is never stored
  role         text not null check (role in ('viewer', 'operator', 'owner')),
  version      integer not null default 1,
  created_by   text not null,                    -- actor of the audit trail
  created_at   timestamptz not null,
  expires_at   timestamptz,                      -- null: until it is revoked
  last_used_at timestamptz,                      -- to the minute
  revoked_at   timestamptz
);

-- When each actor last opened the admin UI, so that the audit trail is told once an hour and not with every page.
create table admin_logins (
  actor_id text primary key,
  at       timestamptz not null
);

-- Wrong keys, counted by client address for all processes. When its window is over a row becomes one audit event.
create table admin_key_failures (
  address    text primary key,                   -- IPv4, or the /64 of IPv6
  started_at timestamptz not null,
  ends_at    timestamptz not null,
  attempts   integer not null,                   -- with a key that was looked at and is not good
  reasons    jsonb not null,                     -- how often for which reason; {"unknown": 3}
  key_ids    uuid[] not null,                    -- keys that were expired or revoked, some of them
  ip         text not null,                      -- of the latest
  user_agent text
);
create index admin_key_failures_by_end on admin_key_failures (ends_at);
