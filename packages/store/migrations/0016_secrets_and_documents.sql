-- Two secrets may be alive while one replaces the other. The id is what an operator sees; the hash is shown to nobody.

alter table client_secrets
  add column id uuid not null default gen_random_uuid(),
  add column last_used_at timestamptz;                  -- to about a minute
create unique index client_secrets_by_id on client_secrets (id);

-- A client that is known by its metadata document has a row from its first consent on. It may push a request before that,
-- and such a request ends by itself within minutes.
alter table pushed_requests drop constraint if exists pushed_requests_client_id_fkey;
