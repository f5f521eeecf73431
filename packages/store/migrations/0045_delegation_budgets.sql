-- Budgets of delegation: how often who acted where since the user last gave the consent an exchange rests on.

-- How often and when a consent was given. Null: before this was kept, so the last decision stands for it. `asks_again`: a
-- budget under it is used up, so the next authorization request shows the page. A release that does not know the columns
-- leaves them as they are.
alter table consent_grants
  add column allowed_times integer not null default 1,
  add column allowed_at    timestamptz,
  add column asks_again    boolean not null default false;

-- One row for each consent, acting client and target whose uses are limited. No foreign keys: what is left of something that was
-- deleted counts for nobody, and is purged. A use that was not to be had is refused by the constraint where the statement is
-- about that one token, and takes back all it did.
create table delegation_uses (
  consent_grant_id uuid not null,
  client_id        text not null,          -- who asked or acted
  resource_id      uuid not null,          -- the target
  round            integer not null,       -- allowed_times of the consent; with another one counting begins anew
  uses             integer not null,
  taken            integer not null,       -- of them by the last statement
  max_uses         integer not null,       -- of the policy under which it counted
  used_at          timestamptz not null,
  primary key (consent_grant_id, client_id, resource_id),
  constraint delegation_uses_within_budget check (taken >= 0)
) with (fillfactor = 50);
