import { createHash } from 'node:crypto';
import type pg from 'pg';

export const hash = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** The least that has to be kept: one row a token, and the one-time secrets by their hashes. */
export const createTables = (pool: pg.Pool): Promise<unknown> =>
  pool.query(`
    create table ceiling_issuances (
      id uuid primary key, client_id text not null, scope text not null, issued_at timestamptz not null,
      revoked_at timestamptz);
    create table ceiling_sessions (hash bytea primary key, user_id uuid not null, expires_at timestamptz not null);
    create table ceiling_codes (
      hash bytea primary key, user_id uuid not null, challenge text not null, expires_at timestamptz not null,
      redeemed_at timestamptz);
    create table ceiling_refresh_tokens (
      hash bytea primary key, user_id uuid not null, expires_at timestamptz not null, spent_at timestamptz)`);

/** Every statement does the same for many requests; `n` says which of them it did it for. */
export const statements = {
  issue: `insert into ceiling_issuances (id, client_id, scope, issued_at)
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])`,

  isLive: 'select id from ceiling_issuances where id = any($1::uuid[]) and revoked_at is null',

  /** A code for those who are signed in. */
  insertCodes: `with asked as (
      select * from unnest($1::bytea[], $2::bytea[], $3::text[]) with ordinality as t(session, code, challenge, n)
    ), live as (
      select s.user_id, a.code, a.challenge, a.n from asked a
        join ceiling_sessions s on s.hash = a.session and s.expires_at > now()
    ), written as (
      insert into ceiling_codes (hash, user_id, challenge, expires_at)
      select code, user_id, challenge, now() + interval '1 minute' from live)
    select n from live`,

  /** The code is spent, and there is a refresh token and a token. */
  redeem: `with asked as (
      select * from unnest($1::bytea[], $2::text[], $3::bytea[], $4::uuid[], $5::text[]) with ordinality
        as t(code, challenge, refresh, id, client_id, n)
    ), code as (
      update ceiling_codes c set redeemed_at = now() from asked a
       where c.hash = a.code and c.redeemed_at is null and c.challenge = a.challenge and c.expires_at > now()
      returning c.user_id, a.refresh, a.id, a.client_id, a.n
    ), refresh as (
      insert into ceiling_refresh_tokens (hash, user_id, expires_at)
      select refresh, user_id, now() + interval '30 days' from code
    ), issuance as (
      insert into ceiling_issuances (id, client_id, scope, issued_at) select id, client_id, 'tools/read', now() from code)
    select n, user_id from code`,

  /** The refresh token is spent, and there is a successor and a token. */
  rotate: `with asked as (
      select * from unnest($1::bytea[], $2::bytea[], $3::uuid[], $4::text[]) with ordinality
        as t(hash, successor, id, client_id, n)
    ), spent as (
      update ceiling_refresh_tokens r set spent_at = now() from asked a
       where r.hash = a.hash and r.spent_at is null and r.expires_at > now()
      returning r.user_id, a.successor, a.id, a.client_id, a.n
    ), successor as (
      insert into ceiling_refresh_tokens (hash, user_id, expires_at)
      select successor, user_id, now() + interval '30 days' from spent
    ), issuance as (
      insert into ceiling_issuances (id, client_id, scope, issued_at) select id, client_id, 'tools/read', now() from spent)
    select n, user_id from spent`,
};
