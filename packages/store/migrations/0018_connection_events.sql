-- The flight recorder: what a client tried on its way in, kept for a day, for whoever asks why it did not get in.
-- It is no evidence (that is audit_events), so it need not survive a crash; writers bound how much they write.

create unlogged table connection_events (
  id         uuid primary key,                   -- UUIDv7: ordered by time
  at         timestamptz not null,
  reference  text not null,                      -- printed on error pages
  request_id text not null,
  step       text not null,
  outcome    text not null check (outcome in ('ok', 'refused', 'failed')),
  status     smallint not null,
  client_id  text,                               -- as presented; it may not exist
  ip         text,
  user_agent text,
  error      text,                               -- what the client was told
  reason     text,                               -- what it was not told
  details    jsonb not null default '{}'         -- what was asked for; no secrets, no codes, no state
);
create index connection_events_by_reference on connection_events (reference);
create index connection_events_by_client on connection_events (client_id, id) where client_id is not null;
create index connection_events_by_ip on connection_events (ip, id);
create index connection_events_by_age on connection_events (at);
