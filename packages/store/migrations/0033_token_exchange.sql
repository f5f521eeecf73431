-- What an exchanged token says of who acts (RFC 8693 §4.1), beside the token it comes of (parent_id).
alter table issuances add column act jsonb;

-- How many exchanges a token comes of whose parent this is; further than 32 nobody looks, as in ancestors_ended().
create function exchanges_before(parent uuid) returns integer
language sql stable as $$
  with recursive lineage as (
    select p.parent_id, 1 as depth from issuances p where p.id = parent
    union all
    select p.parent_id, l.depth + 1 from lineage l join issuances p on p.id = l.parent_id where l.depth < 32)
  select coalesce(max(depth), 1) from lineage
$$;
