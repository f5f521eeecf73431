-- What changed, for every token pod to follow; and the settings an operator may change at run time.

create table changes (
  version bigint generated always as identity primary key,
  kind    text not null,
  key     text not null,
  at      timestamptz not null default clock_timestamp()
);

-- Writes one change inside the caller's transaction and returns its version.
-- The lock is held to the end of the transaction, so version order is commit order: a reader that has seen version n
-- will never find a smaller one appearing later.
create function record_change(change_kind text, change_key text) returns bigint
language plpgsql as $$
declare
  new_version bigint;
begin
  perform pg_advisory_xact_lock(7237912384501);
  insert into changes (kind, key) values (change_kind, change_key) returning version into new_version;
  perform pg_notify('authserver_changes',
    json_build_object('version', new_version, 'kind', change_kind, 'key', change_key)::text);
  return new_version;
end $$;

create table settings (
  name       text primary key,
  value      jsonb not null,
  updated_at timestamptz not null default now()
);
