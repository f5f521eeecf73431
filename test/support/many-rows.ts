/** Very many rows, made in the database itself and the same each time: for lists that have to be read at scale. */
import { type Database, ensurePartitions } from '@authserver/store';

export type Sizes = { clients: number; users: number; families: number; issuances: number };

const day = 24 * 3600 * 1000;

/**
 * Fills an empty database, up to `now`. Clients are a year old, nine of ten registered themselves, one of a hundred is
 * suspended. The first client is used by every second user and got every second issuance of the last thirty days; one
 * issuance of five belongs to no family.
 */
export const makeManyRows = async (
  db: Database,
  sizes: Sizes,
  now: Date,
  tell: (what: string, milliseconds: number) => void = () => {},
): Promise<void> => {
  for (let month = 12; month >= 0; month -= 1) await ensurePartitions(db, new Date(now.getTime() - month * 30 * day));
  for (const [what, statement, count] of [
    ['resources', resources, 20],
    ['clients', clients, sizes.clients],
    ['users', users, sizes.users],
    ['consents', consents, sizes.families],
    ['families', families, sizes.families],
    ['issuances', issuances, sizes.issuances],
  ] as const) {
    const started = performance.now();
    await db.query(`many_${what}`, statement, what === 'resources' ? [] : [now, count], { planned: 'anew' });
    tell(`${count} ${what}`, performance.now() - started);
  }
  await db.query('many_vacuum', 'vacuum analyze clients, users, consent_grants, token_families, issuances');
};

/** A UUIDv7 of an instant, the same one for the same number. */
const id = (instant: string, kind: string, n: string): string => `(
  left(uuidv7_floor(${instant})::text, 14) || '7' || substr(md5(${kind} || ${n}), 1, 3) || '-8'
  || substr(md5(${kind} || ${n}), 4, 3) || '-' || substr(md5(${kind} || ${n}), 7, 12))::uuid`;

const resourceId = (n: string) => id(`'2026-01-01'::timestamptz`, `'resource'`, n);
const clientId = (n: string) => `'client_' || left(md5('client' || ${n}), 22)`;
const userAt = (n: string) => `($1::timestamptz - interval '365 days' + (${n}) * interval '365 days' / $2)`;

const resources = `
  insert into resources (id, slug, uri, uri_key, backend_kind, display_name)
  select ${resourceId('n')}, 'mcp-' || n, 'https://mcp-' || n || '.example.com/', 'https://mcp-' || n || '.example.com/', 'mint', ''
    from generate_series(1, 20) as n`;

const clients = `
  insert into clients (client_id, client_name, redirect_uris, grant_types, token_endpoint_auth_method, ceiling, status,
      registration_source, agent, created_at, last_used_at)
  select ${clientId('n')},
         (array['Claude', 'ChatGPT', 'Cursor', 'Inspector', 'Nightly report'])[1 + n % 5] || ' ' || left(md5('name' || n), 8),
         array['https://app-' || n % 5000 || '.example.com/callback', 'http://localhost/callback'],
         case when n % 500 = 0 then '{client_credentials}'::text[] else '{authorization_code,refresh_token}' end, 'none',
         case when n % 1000 = 0 then '{reports/write}'::text[] else '{tools/read,tools/write}' end,
         case when n % 100 = 0 then 'suspended' when n % 1000 = 1 then 'revoked' else 'active' end,
         case when n % 10 = 0 then 'admin' else 'dcr' end, n % 200 = 0,
         $1::timestamptz - interval '365 days' + n * interval '365 days' / $2,
         case when n % 50 = 0 then null else $1::timestamptz - (n % 90) * interval '1 day' end
    from generate_series(1, $2::integer) as n`;

const users = `
  insert into users (id, email, name, role, status, provider, created_at)
  select ${id(userAt('n'), `'user'`, 'n')}, 'user-' || n || '.' || left(md5('mail' || n), 6) || '@example-' || n % 3000 || '.com',
         (array['Ada', 'Grace', 'Alan', 'Edsger', 'Barbara'])[1 + n % 5] || ' ' || initcap(left(md5('surname' || n), 9)),
         case when n % 10000 = 0 then 'admin' else 'user' end, case when n % 500 = 0 then 'disabled' else 'active' end,
         case when n % 100 = 0 then 'oidc' else 'local' end, ${userAt('n')}
    from generate_series(1, $2::integer) as n`;

/** One of each of the first users: every second one for the first client. */
const consents = `
  insert into consent_grants (id, user_id, client_id, resource_id, scopes, created_at, updated_at)
  select ${id(`$1::timestamptz - interval '60 days'`, `'consent'`, 'u.n')}, u.id, c.client_id,
         ${resourceId('(1 + u.n % 20)')}, '{tools/read}', $1::timestamptz - interval '60 days', $1
    from (select id, row_number() over (order by id) as n from users order by id limit $2) as u
    join (select client_id, row_number() over (order by created_at, client_id) as n from clients) as c
      on c.n = case when u.n % 2 = 0 then 1 else 2 + u.n % ((select count(*) from clients) - 1) end`;

const families = `
  insert into token_families (id, client_id, user_id, consent_grant_id, user_epoch, consent_epoch, scopes, resource_id,
      resource, auth_time, created_at, expires_at, revoked_at)
  select ${id('at', `'family'`, 'n')}, client_id, user_id, consent_id, 1, 1, scopes, resource_id, 'https://mcp.example.com/',
         at, at, at + interval '90 days', case when n % 50 = 0 then at + interval '1 hour' end
    from (select g.*, g.id as consent_id, $1::timestamptz - interval '60 days' + g.n * interval '60 days' / $2 as at
            from (select *, row_number() over (order by user_id) as n from consent_grants) as g) as f`;

const issuances = `
  insert into issuances (id, grant_type, client_id, subject, subject_user_id, resource_id, resource, scopes, issued_at,
      expires_at, revoked_at, family_id, consent_grant_id, consent_client_id)
  select ${id('at', `'issuance'`, 'n')}, 'refresh_token', client_id, user_id::text, user_id, resource_id,
         'https://mcp.example.com/', '{tools/read}'::text[], at, at + interval '1 hour',
         case when n % 1000 = 1 then at + interval '1 minute' end, f.id, consent_grant_id, client_id
    from (select n, $1::timestamptz - interval '30 days' + n * interval '30 days' / $2 as at
            from generate_series(1, $2::integer) as n where n % 5 <> 0) as i
    join (select *, row_number() over (order by id) as number from token_families) as f
      on f.number = 1 + i.n * 7919::bigint % (select count(*) from token_families)
  union all
  select ${id('at', `'issuance'`, 'n')}, 'client_credentials', ${clientId('(500 + n % 2500)')},
         ${clientId('(500 + n % 2500)')}, null::uuid, ${resourceId('(1 + n % 20)')}, 'https://mcp.example.com/',
         '{tools/read}'::text[], at, at + interval '1 hour', null::timestamptz, null::uuid,
         null::uuid, null
    from (select n, $1::timestamptz - interval '30 days' + n * interval '30 days' / $2 as at
            from generate_series(1, $2::integer) as n where n % 5 = 0) as i`;
