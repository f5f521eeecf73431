/**
 * What the statements of the hot path do on the first day of a database, when every table is empty, and a little later:
 * prepared statements keep the plan they get then.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { createStore, ensurePartitions, type Issuance, migrate, openDatabase, uuidv7 } from '@authserver/store';
import { createEmptyDatabase } from '../support/database.ts';
import { recording } from '../support/explain.ts';

const now = new Date();
const { dsn, drop } = await createEmptyDatabase();
await migrate(dsn);
const database = openDatabase({
  dsn,
  maxConnections: 1,
  applicationName: 'authserver test',
  byKey: true,
  queryTimeoutMs: 60_000,
});
after(async () => {
  await database.end();
  await drop();
});
await ensurePartitions(database, now);
const { db, statements } = recording(database);
const store = createStore(db);

const [id, hash] = [uuidv7(now), Buffer.alloc(32)];
const issuance: Issuance = {
  id,
  grantType: 'refresh_token',
  clientId: 'client_x',
  subject: id,
  subjectUserId: id,
  resourceId: undefined,
  resource: 'https://mcp.example.com/mcp',
  scopes: ['tools/read'],
  issuedAt: now,
  expiresAt: now,
  familyId: id,
  consentGrantId: id,
  parentId: undefined,
  dpopJkt: undefined,
  agentId: undefined,
};
const target = { resourceId: undefined, resource: undefined, consentGrantId: id, consentEpoch: 1, scopes: ['a'] };
const code = {
  codeHash: hash,
  clientId: 'client_x',
  userId: id,
  userEpoch: 1,
  redirectUri: 'https://app.example.com/cb',
  targets: [target] as const,
  codeChallenge: '',
  authTime: now,
  acr: undefined,
  offlineAccess: false,
  dpopJkt: undefined,
  createdAt: now,
  expiresAt: now,
};
const spending = {
  tokenHash: hash,
  familyId: id,
  several: false,
  successor: { hash, expiresAt: now },
  bindTo: undefined,
};
const redemption = {
  codeHash: hash,
  now,
  familyId: id,
  familyExpiresAt: now,
  dpopJkt: undefined,
  refreshToken: undefined,
};

const hot: Record<string, () => Promise<unknown>> = {
  'a refresh token is found': () => store.refreshTokens.find(hash),
  'a refresh token is spent': () => store.refreshTokens.spend({ ...spending, issuance }),
  'a code is found': () => store.authorizationCodes.find(hash),
  'a code is stored': () => store.authorizationCodes.insert({ ...code, codeHash: randomBytes(32) }),
  'a code is redeemed': () => store.authorizationCodes.redeem({ ...redemption, issuance }, false),
  'a session is found': () => store.browserSessions.findLive(hash, now),
  'a session is found with consents': () =>
    store.browserSessions.findLiveWithConsents({
      idHash: hash,
      now,
      clientId: 'client_x',
      resourceIds: [undefined, id],
    }),
  'consents are found': () => store.consentGrants.listActive(id, 'client_x', [undefined, id]),
  'a token is looked up': () => store.issuances.isLive(id),
  'a subject is resolved': () => store.subjectMappings.resolve(id, '00u1'),
  'an assertion is redeemed': () =>
    store.assertions.redeem({
      ...{ issuer: 'https://idp.example.com', jti: 'x', usableUntil: now, idpId: id, rules: '' },
      ...{ idpSubject: '00u1', mappedTo: '', issuance },
    }),
  'an exchange is looked at': () =>
    store.exchanges.find({ subjectId: id, actorId: id, resourceIds: [id], mostChildren: 1 }),
  'an exchange is written': () =>
    store.exchanges.insert({
      issuance: { ...issuance, parentId: id },
      ...{ actorId: id, consents: [{ id, epoch: 1, scopes: ['a'] }], mostChildren: 1, uses: [] },
    }),
  'an exchange is written and counted': () =>
    store.exchanges.insert({
      issuance: { ...issuance, parentId: id },
      ...{ actorId: id, consents: [{ id, epoch: 1, scopes: ['a'] }], mostChildren: 1 },
      uses: [{ consentId: id, clientId: 'client_x', resourceId: id, maxUses: 1 }],
    }),
  'what is used of budgets is found': () =>
    store.delegationUses.find({ subjectId: id, clientIds: ['client_x'], resourceIds: [id] }),
  'a user is to be asked again': () => store.consentGrants.askAgain([{ id, round: 1 }]),
  'an issuance is written': () => store.issuances.insert({ ...issuance, id: uuidv7(new Date()) }),
};

type Node = {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  Plans?: Node[];
};
const flatten = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(flatten)];

/** Plans the first statement of some work as a connection does that will keep the plan, whatever the values. */
const keptPlan = async (work: () => Promise<unknown>): Promise<Node[]> => {
  statements.length = 0;
  await work();
  const [first] = statements;
  assert.ok(first);
  const count = Math.max(...[...first.text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)));
  const run = (text: string) => database.query('plan', text, [], { planned: 'anew' });
  await run(`prepare hot as ${first.text}`);
  const nulls = Array.from({ length: count }, () => 'null').join();
  const { rows } = await run(`explain (format json) execute hot(${nulls})`);
  await run('deallocate hot');
  const [planned] = (rows[0]?.['QUERY PLAN'] ?? []) as { Plan: Node }[];
  assert.ok(planned);
  return flatten(planned.Plan);
};

const requireByKey = (nodes: Node[]): void => {
  for (const node of nodes) {
    assert.notEqual(node['Node Type'], 'Seq Scan', `${node['Relation Name']} is read whole`);
    if (/^(Bitmap )?Index/.test(node['Node Type'])) assert.ok(node['Index Cond'], JSON.stringify(node));
  }
};

for (const [what, work] of Object.entries(hot))
  test(`${what} by a key, also when the plan was made for empty tables`, async () =>
    requireByKey(await keptPlan(work)));

test('nothing that is shared is planned anew for the few who share it', async () => {
  for (let n = 0; n < 6; n += 1) await hot['a refresh token is found']?.();
  const { rows } = await database.query(
    'kept_plans',
    'select name, custom_plans, generic_plans from pg_prepared_statements',
  );
  assert.ok(rows.some(({ name, generic_plans: kept }) => name === 'refresh_find' && Number(kept) > 5));
  assert.deepEqual(
    rows.filter(({ custom_plans: anew }) => Number(anew) > 0),
    [],
  );
});

/** Those that get a row with each request. What there is one of, such as a client, may be looked at whole. */
const growing = [
  'authorization_codes',
  'refresh_tokens',
  'token_families',
  'browser_sessions',
  'consent_grants',
  'users',
];

/** A source of six texts. */
const few = 'generate_series(1, 6) as s(i), lateral (select i::text as n) as t';

test('what grows is looked up by a key, also when the plan was made for a handful of rows', async () => {
  await database.query('few_users', `insert into users (id, email, name) select gen_random_uuid(), n, n from ${few}`);
  await database.query(
    'few_clients',
    `insert into clients (client_id, client_name, token_endpoint_auth_method, registration_source, grant_types, redirect_uris)
     values ('client_x', 'x', 'none', 'admin', '{}', '{}')`,
  );
  await database.query(
    'few_consents',
    `insert into consent_grants (id, user_id, client_id, scopes) select gen_random_uuid(), id, 'client_x', '{}' from users`,
  );
  await database.query(
    'few_sessions',
    `insert into browser_sessions (id_hash, user_id, user_epoch, auth_time, expires_at)
     select sha256(id::text::bytea), id, 1, now(), now() from users`,
  );
  await database.query(
    'few_families',
    `insert into token_families (id, client_id, user_id, consent_grant_id, user_epoch, consent_epoch, scopes, auth_time,
       created_at, expires_at)
     select gen_random_uuid(), client_id, user_id, id, 1, 1, '{}', now(), now(), now() from consent_grants`,
  );
  await database.query(
    'few_tokens',
    `insert into refresh_tokens (token_hash, family_id, issued_at, expires_at)
     select sha256(id::text::bytea), id, now(), now() from token_families`,
  );
  for (let n = 0; n < 6; n += 1) await hot['a code is stored']?.();
  await database.query('few_analyze', 'analyze', [], { planned: 'anew' });
  for (const work of Object.values(hot))
    requireByKey((await keptPlan(work)).filter((node) => growing.includes(node['Relation Name'] ?? '')));
});

test('a refresh token is spent by its hash, also where most families have a single one', async () => {
  await database.query(
    'many_tokens',
    `insert into refresh_tokens (token_hash, family_id, issued_at, expires_at)
     select sha256(n::text::bytea), gen_random_uuid(), now(), now() from generate_series(1, 5000) as n`,
  );
  await database.query('many_analyze', 'vacuum analyze refresh_tokens', [], { planned: 'anew' });
  for (const several of [false, true]) {
    const nodes = await keptPlan(() => store.refreshTokens.spend({ ...spending, several, issuance }));
    const indexes = nodes
      .filter((node) => node['Relation Name'] === 'refresh_tokens')
      .map((node) => node['Index Name']);
    assert.deepEqual(new Set(indexes.filter((name) => name !== undefined)), new Set(['refresh_tokens_pkey']));
  }
});
