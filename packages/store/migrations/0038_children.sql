-- How many live tokens come of one by an exchange, directly (token_exchange.max_children). Ids grow with time: a child is looked
-- for among those made since its parent, by whatever clock. Who only asks counts as it finds things; who writes counts alone.

create index issuances_by_parent on issuances (parent_id, id) where parent_id is not null;

-- In plpgsql a connection keeps the plan.
create function live_children(parent uuid, since timestamptz, most integer) returns integer
language plpgsql stable as $$
begin
  return (select count(*) from (
            select 1 from issuances c
             where c.parent_id = parent and c.id >= uuidv7_floor(since - interval '1 hour')
               and c.revoked_at is null and c.expires_at > statement_timestamp() limit most) as counted);
end $$;

create function children_lock(parent uuid) returns bigint
language sql immutable as $$ select hashtextextended(parent::text, 0) $$;

-- Waits for the transaction that counted before, and counts what it wrote: a volatile function sees what was committed since
-- its statement began. Whoever counts for several tokens does so in the order of their locks.
create function live_children_alone(parent uuid, since timestamptz, most integer) returns integer
language plpgsql volatile as $$
begin
  perform pg_advisory_xact_lock(children_lock(parent));
  return live_children(parent, since, most);
end $$;
