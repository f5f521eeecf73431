-- Which objects are declared in files, under which label, and what the files said when they were last applied.

create table configuration_owners (
  kind       text not null,
  key        text not null,                      -- what the files call it: client_id, e-mail address, slug, issuer
  owner      text not null,
  identity   text not null,                      -- tells this object from another that came to bear the same name
  applied    jsonb not null,                     -- the declaration, without secrets: what differs now was changed by hand
  applied_at timestamptz not null,
  primary key (kind, key)
);
create index configuration_owners_by_owner on configuration_owners (owner, kind, key);
