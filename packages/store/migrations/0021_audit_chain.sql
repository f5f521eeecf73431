-- The audit trail chains its events: each day (UTC) is a chain of hashes, and each day starts from the one before it.
-- Whoever changes, removes or slips in an event breaks the chain, and whoever makes a new chain changes the heads that
-- somebody may have noted. See docs/audit.md.

-- One row a day that has events. `base` is what its chain starts from: made from the day before as it was when the first
-- event came, or, once the oldest `forgotten` events of the day are kept no longer, the hash of the last of those.
create table audit_days (
  day             date primary key,
  previous_day    date,
  previous_events bigint,
  forgotten       bigint not null default 0,
  base            bytea not null,
  events          bigint not null,
  head            bytea not null
) with (fillfactor = 40);                        -- its last row is updated by every commit that has an event

create table audit_chain (
  day      date not null,
  position bigint not null,
  event_id uuid not null,
  hash     bytea not null,                       -- sha256 of the hash before it and the text of the event
  primary key (day, position),
  unique (day, event_id)
) partition by range (day);
create table audit_chain_default partition of audit_chain default;

-- Events before this day are older than the chain.
create table audit_chain_start (day date primary key);

-- Everything an event says, as one text that no other event has.
create function audit_event_text(event audit_events) returns text
language sql stable as $$
  select jsonb_build_array(1, event.id, to_char(event.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                           event.action, event.actor_id, event.client_id, event.ip, event.user_agent, event.request_id,
                           event.trace_id, event.details)::text
$$;

-- Puts an event at the end of its day. Whoever comes here waits for all others of the day that have not committed, so it
-- has to be the last thing a transaction does.
create function append_to_audit_chain(event audit_events) returns void
language plpgsql as $$
declare
  its_day constant date := (event.at at time zone 'UTC')::date;
  its_position bigint;
  its_hash bytea;
begin
  loop
    update audit_days set events = events + 1, head = sha256(head || convert_to(audit_event_text(event), 'UTF8'))
     where day = its_day
    returning events, head into its_position, its_hash;
    exit when found;
    insert into audit_days (day, previous_day, previous_events, base, events, head)
    select its_day, before.day, before.events, start.hash, 0, start.hash
      from (select 1) as one
      left join (select day, events, head from audit_days where day < its_day order by day desc limit 1) as before on true
     cross join lateral (select sha256(convert_to(jsonb_build_array(
             to_char(its_day, 'YYYY-MM-DD'), to_char(before.day, 'YYYY-MM-DD'), before.events, encode(before.head, 'hex')
           )::text, 'UTF8')) as hash) as start
    on conflict do nothing;
  end loop;
  insert into audit_chain (day, position, event_id, hash) values (its_day, its_position, event.id, its_hash);
end $$;

create function chain_audit_event() returns trigger
language plpgsql as $$
begin
  -- Read again: a row of a partition has another type than one of its parent.
  perform append_to_audit_chain(event) from audit_events event where id = new.id;
  return null;
end $$;

-- Deferred to the commit: there the row of the day is the last lock a transaction takes, and the shortest it can be held.
create constraint trigger audit_events_are_chained after insert on audit_events
  deferrable initially deferred for each row execute function chain_audit_event();

-- The chain begins with the day of this migration, whole.
set local timezone = 'UTC';
insert into audit_chain_start (day) values (current_date);
do $$
declare
  today date;
  its audit_days;
  event audit_events;
begin
  for today in select distinct at::date from audit_events
                where id >= uuidv7_floor(current_date - 1) and at >= current_date order by 1 loop
    its := null;
    for event in select * from audit_events
                  where id >= uuidv7_floor(today - 1) and at >= today and at < today + 1 order by id loop
      if its.day is null then
        perform append_to_audit_chain(event);
        select * into its from audit_days where day = today;
      else
        -- The row of the day once and not for each event: a transaction looks through all the versions it makes of a row.
        its.events := its.events + 1;
        its.head := sha256(its.head || convert_to(audit_event_text(event), 'UTF8'));
        insert into audit_chain (day, position, event_id, hash) values (today, its.events, event.id, its.head);
      end if;
    end loop;
    update audit_days set events = its.events, head = its.head where day = today;
  end loop;
end $$;

-- Makes the partitions of the chain, as `ensure_partitions` does for the events.
create function ensure_audit_chain(start timestamptz, months integer) returns void
language plpgsql set timezone = 'UTC' as $$
declare
  month date;
  child text;
begin
  perform pg_advisory_xact_lock(7237912384502);
  for n in 0 .. months - 1 loop
    month := (date_trunc('month', start) + make_interval(months => n))::date;
    child := 'audit_chain' || to_char(month, '_YYYY_MM');
    if to_regclass(child) is null then
      execute format('create table %I (like audit_chain including defaults including constraints)', child);
      execute format('with late as (delete from audit_chain_default where day >= %L and day < %L returning *)
                      insert into %I select * from late', month, month + interval '1 month', child);
      execute format('alter table audit_chain attach partition %I for values from (%L) to (%L)', child, month,
                     month + interval '1 month');
    end if;
  end loop;
end $$;

-- Drops the events of a month (any day of it) that is over, with their part of the chain, and returns how many there were.
-- The rows of its days stay, with number and head: what is gone was forgotten and not removed by somebody.
-- It needs both tables for itself for a moment, and fails rather than let all others queue behind it.
create function forget_audit_month(month date) returns bigint
language plpgsql set timezone = 'UTC' set lock_timeout = '100ms' as $$
declare
  first constant date := date_trunc('month', month)::date;
  next constant date := (first + interval '1 month')::date;
  gone bigint;
begin
  if next > (clock_timestamp() at time zone 'UTC')::date then
    raise exception 'the month of % is not over', first using errcode = 'invalid_parameter_value';
  end if;
  select count(*) into gone from audit_events where id >= uuidv7_floor(first) and id < uuidv7_floor(next);
  lock table audit_events, audit_chain in access exclusive mode;
  execute format('drop table if exists %I, %I', 'audit_events' || to_char(first, '_YYYY_MM'),
                 'audit_chain' || to_char(first, '_YYYY_MM'));
  -- What came while its month had no partition of its own.
  delete from audit_events where id >= uuidv7_floor(first) and id < uuidv7_floor(next);
  delete from audit_chain where day >= first and day < next;
  update audit_days set forgotten = events, base = head where day >= first and day < next;
  return gone;
end $$;

-- What an operator asks for besides.
create index audit_events_by_ip on audit_events (ip, id) where ip is not null;
create index audit_events_by_request on audit_events (request_id, id) where request_id is not null;
