/**
 * What the statements of the hot path do on the first day of a database, when every table is empty: prepared statements
 * keep the plan they get then.
 */
import assert from 'node:assert/strict';
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
  'a code is stored': () => store.authorizationCodes.insert(code).catch(() => {}), // its user is not there
  'a code is redeemed': () => store.authorizationCodes.redeem({ ...redemption, issuance }, false),
  'a session is found': () => store.browserSessions.findLive(hash, now),
  'consents are found': () => store.consentGrants.listActive(id, 'client_x', [undefined, id]),
  'a token is looked up': () => store.issuances.isLive(id),
  'a subject is resolved': () => store.subjectMappings.resolve(id, '00u1'),
  'an assertion is redeemed': () =>
    store.assertions.redeem({
      ...{ issuer: 'https://idp.example.com', jti: 'x', usableUntil: now, idpId: id, rules: '' },
      ...{ idpSubject: '00u1', mappedTo: '', issuance },
    }),
  'an issuance is written': () => store.issuances.insert(issuance),
};

type Node = { 'Node Type': string; 'Relation Name'?: string; 'Index Cond'?: string; Plans?: Node[] };
const flatten = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(flatten)];

for (const [what, work] of Object.entries(hot))
  test(`${what} by a key, also when the plan was made for empty tables`, async () => {
    statements.length = 0;
    await work();
    const [first] = statements;
    assert.ok(first);
    const count = Math.max(...[...first.text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)));
    const run = (text: string) => database.query('plan', text, [], { planned: 'anew' });
    await run('set plan_cache_mode = force_generic_plan');
    await run(`prepare hot as ${first.text}`);
    const nulls = Array.from({ length: count }, () => 'null').join();
    const { rows } = await run(`explain (format json) execute hot(${nulls})`);
    await run('deallocate hot');
    const [planned] = (rows[0]?.['QUERY PLAN'] ?? []) as { Plan: Node }[];
    assert.ok(planned);
    for (const node of flatten(planned.Plan)) {
      assert.notEqual(
        node['Node Type'],
        'Seq Scan',
        `${node['Relation Name']} is read whole:\n${JSON.stringify(planned)}`,
      );
      if (/^(Bitmap )?Index/.test(node['Node Type'])) assert.ok(node['Index Cond'], JSON.stringify(node));
    }
  });
