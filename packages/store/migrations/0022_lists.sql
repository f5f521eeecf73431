-- What lists are read by when there are very many rows: an index for every filter, in the order of the list.
-- Building them keeps writers of a table waiting: some ten seconds for 100,000 clients, half a minute for a million users,
-- a second or two for a million families or issuances.

-- Every three bytes in a row that a text has, as numbers, for an index that finds what contains a part. It is all we need
-- of the extension pg_trgm, which not every operator may install. A part of less than three bytes has none and is found
-- without the index.
create function search_trigrams(haystack text) returns integer[]
language plpgsql immutable strict parallel safe cost 500 as $$
declare
  bytes constant bytea := convert_to(haystack, 'UTF8');
  found integer[] := '{}';
  trigram integer := 0;
begin
  for n in 0 .. length(bytes) - 1 loop
    trigram := ((trigram << 8) | get_byte(bytes, n)) & x'ffffff'::integer;
    if n > 1 then
      found := found || trigram;
    end if;
  end loop;
  return found;
end $$;

-- Where a search looks: in small letters, and with line breaks between, which nobody can search for.
create function client_search_text(client_id text, client_name text, redirect_uris text[]) returns text
language plpgsql immutable parallel safe cost 20 as $$
begin
  return lower(client_id || E'\n' || client_name || E'\n' || array_to_string(redirect_uris, E'\n'));
end $$;
create function user_search_text(email text, name text) returns text
language plpgsql immutable parallel safe cost 20 as $$
begin
  return lower(coalesce(email, '') || E'\n' || name);
end $$;

create index clients_by_text on clients using gin (search_trigrams(client_search_text(client_id, client_name, redirect_uris)));
create index clients_by_metadata on clients using gin (grant_types, ceiling);
create index clients_by_status on clients (status, created_at, client_id);
create index clients_by_source on clients (registration_source, created_at, client_id);
create index clients_of_agents on clients (created_at, client_id) where agent;
create index clients_by_use on clients (coalesce(last_used_at, created_at));

create index users_by_text on users using gin (search_trigrams(user_search_text(email, name)));
create index users_by_status on users (status, id);
create index users_by_role on users (role, id);
create index users_by_provider on users (provider, id);

-- These serve whatever the two they replace did.
create index token_families_of_client on token_families (client_id, id);
create index token_families_of_user on token_families (user_id, id);
drop index token_families_by_client, token_families_by_user;

-- Tokens that belong to no family are listed one by one while they live. A token of a family costs this nothing, and
-- the second index no token until it is revoked.
create index issuances_without_family on issuances (id, expires_at) where family_id is null and revoked_at is null;
create index issuances_revoked on issuances (id) where revoked_at is not null;
