-- Identity providers whose assertions may become tokens here (ID-JAG), for whom, and who their people are.

create table trusted_idps (
  id                  uuid primary key,
  name                text not null,
  issuer              text not null,             -- compared byte for byte with `iss`
  jwks_uri            text,                      -- null: what its metadata says
  discovered_jwks_uri text,                      -- what its metadata said last
  audience            text,                      -- null: our own issuer
  enabled             boolean not null default true,
  keys_fetched_at     timestamptz,               -- when somebody last saw usable keys there
  version             integer not null default 1,
  created_at          timestamptz not null default now(),
  updated_at          timestamptz not null default now()
);
create unique index trusted_idps_issuer on trusted_idps (issuer);

create table xaa_policies (
  id         uuid primary key,
  idp_id     uuid not null references trusted_idps on delete cascade,
  name       text not null,
  priority   integer not null,                   -- lower ones are asked first, of equal ones the older
  client_ids text[],                             -- null: any
  scopes     text[],                             -- null: any; empty: none
  resources  text[],                             -- null: any
  enabled    boolean not null default true,
  version    integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index xaa_policies_in_order on xaa_policies (idp_id, priority, id);

-- A mapping outlives the account it names: its subject is then refused, and not somebody new.
create table subject_mappings (
  id            uuid primary key,
  idp_id        uuid not null references trusted_idps on delete cascade,
  idp_subject   text not null,                   -- compared byte for byte with `sub`
  local_user_id uuid,                            -- null: known, but nobody's account here
  version       integer not null default 1,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now()
);
create unique index subject_mappings_subject on subject_mappings (idp_id, idp_subject);
create index subject_mappings_by_user on subject_mappings (local_user_id);
