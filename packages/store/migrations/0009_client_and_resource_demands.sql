-- What a client brings besides a secret, and what it or a resource demands of every request.

alter table clients
  add column jwks jsonb,                                      -- RFC 7591 §2: the keys themselves, or where they are
  add column jwks_uri text,
  add column dpop_bound_access_tokens boolean not null default false,               -- RFC 9449 §5.2
  add column require_pushed_authorization_requests boolean not null default false,  -- RFC 9126 §6
  add column refresh_token_policy text not null default 'registered'
    check (refresh_token_policy in ('registered', 'offline_access', 'always'));

alter table resources
  add column dpop_bound_access_tokens_required boolean not null default false;      -- RFC 9728 §2
