-- Failed sign-ins, counted for all pods: by identity and address together, and by address alone.
-- An attempt is taken before the password is looked at and given back when it was right.

create table login_attempts (
  key_hash       bytea primary key,              -- HMAC under the session secret: neither name nor address can be read
  attempts_left  integer not null,               -- in this window; the one that takes the last also locks
  window_ends_at timestamptz not null,
  locked_until   timestamptz
);
create index login_attempts_by_window on login_attempts (window_ends_at);
