-- Who may ask. The ceiling is the upper bound of what a client may ever be given, not a source of scopes.

create table clients (
  client_id                  text primary key,
  client_name                text not null,
  redirect_uris              text[] not null default '{}',
  grant_types                text[] not null,
  response_types             text[] not null default '{code}',
  token_endpoint_auth_method text not null,
  application_type           text not null default 'web' check (application_type in ('web', 'native')),
  ceiling                    text[] not null default '{}',
  status                     text not null default 'active' check (status in ('active', 'suspended', 'revoked')),
  registration_source        text not null check (registration_source in ('admin', 'dcr', 'cimd')),
  cimd_url                   text unique,
  agent                      boolean not null default false,
  agent_description          text not null default '',
  version                    integer not null default 1,
  created_at                 timestamptz not null default now(),
  updated_at                 timestamptz not null default now()
);
create index clients_by_age on clients (created_at, client_id);

-- The secret itself is never stored: HMAC-SHA-256 under the pepper, SHA-256 without one.
create table client_secrets (
  client_id   text not null references clients on delete cascade,
  secret_hash bytea not null,
  created_at  timestamptz not null default now(),
  expires_at  timestamptz,
  primary key (client_id, secret_hash)
);
