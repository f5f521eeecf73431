-- What a token may be for: the MCP servers. The policy lists are stored whole; features that read them come later.

create table resources (
  id                 uuid primary key,
  slug               text not null unique,
  uri                text,                       -- as registered; the token's `aud`, byte for byte
  uri_key            text unique,                -- scheme and host in lower case, empty path as '/': what we compare
  backend_kind       text not null check (backend_kind in ('mint', 'broker')),
  broker_provider_id uuid,
  display_name       text not null default '',
  scopes             jsonb not null default '[]', -- [{name, description, upstream, default}]
  policy             jsonb not null default '{}',
  version            integer not null default 1,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now()
);
