-- What may be used once until it expires: DPoP proofs, client assertions. Kept here when there is no Redis.

create table single_use (
  kind       text not null,
  key_hash   bytea not null,                     -- SHA-256: keys are long and chosen by strangers
  expires_at timestamptz not null,
  primary key (kind, key_hash)
);
create index single_use_by_expiry on single_use (expires_at);
