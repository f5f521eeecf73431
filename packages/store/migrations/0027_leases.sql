-- What one process at a time does for all. Kept here when there is no Redis.

create table leases (
  name    text primary key,
  owner   uuid not null,                         -- made anew for each time it is taken
  token   bigint not null,                       -- greater than that of every earlier owner
  ends_at timestamptz not null                   -- by the clock of this database, as all times here
);
create sequence lease_tokens;
