-- One row for every token that ever left this server, kept by month; and the markers that end many tokens at once.
-- The id is the token's jti, a UUIDv7, so its first 48 bits are the time and a look-up by id touches one partition.
-- No foreign keys: the row is evidence and outlives what it names.

create table issuances (
  id                uuid not null primary key,
  grant_type        text not null,
  client_id         text not null,
  subject           text not null,
  subject_user_id   uuid,
  resource_id       uuid,
  resource          text not null,               -- the token's aud
  scopes            text[] not null,
  backend_kind      text not null default 'mint',
  issued_at         timestamptz not null,
  expires_at        timestamptz not null,
  revoked_at        timestamptz,
  family_id         uuid,
  consent_grant_id  uuid,
  consent_client_id text,
  parent_id         uuid,                        -- the token this one was exchanged from
  dpop_jkt          text,
  agent_id          text,
  agent_chain       text[]
) partition by range (id);
create index issuances_by_client on issuances (client_id, id);
create index issuances_by_user on issuances (subject_user_id, id) where subject_user_id is not null;
create index issuances_by_resource on issuances (resource_id, id) where resource_id is not null;
create table issuances_default partition of issuances default;

-- A token is live iff its own row says so and no marker covers it or an ancestor: family, consent, client or user.
create table revocation_markers (
  kind           text not null check (kind in ('consent', 'client', 'user')),
  key            text not null,
  revoked_before timestamptz not null,
  primary key (kind, key)
);

-- Whether something ended this token before its time: its own revocation, its family, a marker, or the end of what it
-- names. Its ancestors are another question.
create function issuance_ended(token issuances) returns boolean
language sql stable as $$
  select token.revoked_at is not null
    or (token.family_id is not null and not exists (
          select 1 from token_families f where f.id = token.family_id and f.revoked_at is null))
    or (token.resource_id is not null and not exists (select 1 from resources r where r.id = token.resource_id))
    or not exists (select 1 from clients c where c.client_id = token.client_id and c.status = 'active')
    or (token.subject_user_id is not null and not exists (
          select 1 from users u where u.id = token.subject_user_id and u.status = 'active'))
    or exists (select 1 from revocation_markers m
                where (m.kind, m.key) in (('client', token.client_id), ('user', token.subject_user_id::text),
                                          ('consent', token.consent_grant_id::text))
                  and m.revoked_before >= token.issued_at)
$$;

create table audit_events (
  id         uuid not null primary key,
  at         timestamptz not null,
  action     text not null,
  actor_id   text,
  client_id  text,
  ip         text,
  user_agent text,
  request_id text,
  trace_id   text,
  details    jsonb not null default '{}'
) partition by range (id);
create index audit_events_by_action on audit_events (action, id);
create index audit_events_by_actor on audit_events (actor_id, id) where actor_id is not null;
create index audit_events_by_client on audit_events (client_id, id) where client_id is not null;
create table audit_events_default partition of audit_events default;

-- The smallest UUIDv7 of an instant.
create function uuidv7_floor(instant timestamptz) returns uuid
language sql immutable as $$
  select (substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-0000-0000-000000000000')::uuid
    from (select lpad(to_hex((extract(epoch from instant) * 1000)::bigint), 12, '0') as hex) as t
$$;

-- Makes the partitions from the month of `start` on, as many months as asked; those that exist stay as they are.
-- A table is made apart and then attached, which does not block readers or writers of the parent. Rows that came while
-- their month was missing wait in the default partition; they move first, or the month could never be attached.
create function ensure_partitions(parent text, start timestamptz, months integer) returns void
language plpgsql set timezone = 'UTC' as $$
declare
  month timestamptz;
  child text;
begin
  perform pg_advisory_xact_lock(7237912384502);  -- several processes start at once
  for n in 0 .. months - 1 loop
    month := date_trunc('month', start) + make_interval(months => n);
    child := parent || to_char(month, '_YYYY_MM');
    if to_regclass(child) is null then
      execute format('create table %I (like %I including defaults including constraints)', child, parent);
      execute format('with late as (delete from %I where id >= %L and id < %L returning *) insert into %I select * from late',
        parent || '_default', uuidv7_floor(month), uuidv7_floor(month + interval '1 month'), child);
      execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, child,
        uuidv7_floor(month), uuidv7_floor(month + interval '1 month'));
    end if;
  end loop;
end $$;
