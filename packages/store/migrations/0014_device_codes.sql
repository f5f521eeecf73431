-- Devices that wait for a person to allow them elsewhere (RFC 8628). A row lives for minutes and is then deleted.
-- Once it is allowed, its authorization is a row of authorization_codes with the same hash, redeemed as any other.

create table device_codes (
  id               uuid primary key,
  device_code_hash bytea not null unique,        -- SHA-256; the code itself is never stored
  user_code        text not null unique,         -- in clear: it opens nothing, it only finds this row for who is signed in
  client_id        text not null,                -- no reference: a client known by its document has a row only later
  scope            text,                         -- as asked for, to be read again when a person looks at it
  resources        text[] not null,
  dpop_jkt         text,                         -- the key the device announced; no other gets the token
  ip               text not null,                -- where the device asked from, shown to the person
  ip_key           text not null,                -- the same as limits count it
  created_at       timestamptz not null,
  expires_at       timestamptz not null,
  interval_seconds integer not null,             -- grows with every poll that comes too soon (RFC 8628 §3.5)
  polled_at        timestamptz,
  decided_at       timestamptz,                  -- set once, by decide()
  allowed          boolean
) with (fillfactor = 70);                        -- polls rewrite a row in its page, without touching an index
create index device_codes_by_expiry on device_codes (expires_at);
create index device_codes_undecided on device_codes (ip_key) where decided_at is null;
