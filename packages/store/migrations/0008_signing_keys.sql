-- Signing keys kept in the database. `next` is in the JWKS before it signs; `retiring` stays until its tokens ended.

create table signing_keys (
  kid          text primary key,
  alg          text not null,
  state        text not null check (state in ('next', 'current', 'retiring')),
  public_jwk   jsonb not null,
  enc_private  bytea,
  enc_backend  text,
  created_at   timestamptz not null default now(),
  activated_at timestamptz,
  retired_at   timestamptz,
  gone_after   timestamptz
);
create unique index signing_keys_one_next on signing_keys (state) where state = 'next';
create unique index signing_keys_one_current on signing_keys (state) where state = 'current';
