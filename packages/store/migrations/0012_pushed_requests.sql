-- Authorization requests that were pushed (RFC 9126), and what an authorization knows of the sign-in behind it.

create table pushed_requests (
  request_hash bytea primary key,                -- SHA-256 of the random part of the request_uri
  client_id    text not null,                    -- no reference: a client known by its document has a row only later
  query        text not null,                    -- the request as a form, without the client's credentials
  created_at   timestamptz not null,
  expires_at   timestamptz not null,             -- until then a browser may come with it
  kept_until   timestamptz not null,             -- and until then the person may take their time
  answered_at  timestamptz                       -- set once, by answer(): with a code or an error
);
create index pushed_requests_by_end on pushed_requests (kept_until);

-- How the person proved who they are (OpenID Connect Core §2 `acr`); null for sign-ins of an older release.
alter table browser_sessions    add column acr text;
alter table authorization_codes add column acr text;
alter table token_families      add column acr text;

-- `offline_access` was asked for and allowed (OpenID Connect Core §11).
alter table authorization_codes add column offline_access boolean not null default false;
