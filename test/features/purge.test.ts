import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { singleUseKinds } from '@authserver/replay';
import { uuidv7, verifyAuditChain } from '@authserver/store';
import { purgeTargetNames } from '@authserver/telemetry';
import { startAuthServer } from '../support/auth-server.ts';
import { runCli } from '../support/command-line.ts';
import { purgeNow } from '../support/purge.ts';
import { ok } from '../support/test-app.ts';

const day = 86_400;
const server = await startAuthServer({
  admin: true,
  env: { RETENTION_AUDIT_EVENTS: '90d', CLIENT_CREDENTIALS_TOKEN_EXPIRY: '1h' },
});
const user = await server.user();
const resource = await server.resource();
const ago = (seconds: number): Date => new Date(server.clock.now().getTime() - seconds * 1000);
const hash = () => randomBytes(32);

/** What a family and what hangs on it refer to. */
const owner = await server.client();
const { clientId } = owner;
const consentId = uuidv7(new Date());
await server.sql('insert into consent_grants (id, user_id, client_id, scopes) values ($1, $2, $3, $4)', [
  consentId,
  user.id,
  clientId,
  [],
]);

const family = async ({ expiresAt, revokedAt }: { expiresAt: Date; revokedAt?: Date }): Promise<string> => {
  const id = uuidv7(ago(200 * day));
  await server.sql(
    `insert into token_families (id, client_id, user_id, consent_grant_id, user_epoch, consent_epoch, scopes, auth_time,
       created_at, expires_at, revoked_at) values ($1, $2, $3, $4, 1, 1, '{}', $5, $5, $6, $7)`,
    [id, clientId, user.id, consentId, ago(200 * day), expiresAt, revokedAt ?? null],
  );
  return id;
};

const refreshToken = async (familyId: string, expiresAt: Date): Promise<void> => {
  await server.sql(
    'insert into refresh_tokens (token_hash, family_id, issued_at, expires_at) values ($1, $2, $3, $4)',
    [hash(), familyId, ago(100 * day), expiresAt],
  );
};

const issuance = async (row: {
  issuedAt: Date;
  expiresAt: Date;
  grantType?: string;
  familyId?: string;
  parentId?: string;
}): Promise<string> => {
  const id = uuidv7(row.issuedAt);
  await server.sql(
    `insert into issuances (id, grant_type, client_id, subject, resource, scopes, issued_at, expires_at, family_id, parent_id)
     values ($1, $2, $3, 'somebody', 'https://mcp.example.com', '{}', $4, $5, $6, $7)`,
    [
      id,
      row.grantType ?? 'refresh_token',
      clientId,
      row.issuedAt,
      row.expiresAt,
      row.familyId ?? null,
      row.parentId ?? null,
    ],
  );
  return id;
};

const count = async (table: string, where = 'true'): Promise<number> =>
  Number((await server.sql<{ n: string }>(`select count(*) as n from ${table} where ${where}`))[0]?.n);
const deletedBy = async (target: (typeof purgeTargetNames)[number]) => {
  const [result] = await purgeNow(server, [target]);
  assert.equal(result?.outcome, 'completed', String(result?.error));
  return result?.deleted;
};
const isThere = async (table: string, id: string) => (await count(table, `id = '${id}'`)) === 1;

/** The months of a table that end at `before` or earlier. */
const monthsOf = async (table: string) =>
  (
    await server.sql<{ name: string }>(
      `select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = '${table}'::regclass order by 1`,
    )
  ).map(({ name }) => name);
const monthName = (of: Date) => of.toISOString().slice(0, 7).replace('-', '_');
const makeMonths = async (table: string, from: Date) => {
  if (table === 'audit_events') await server.sql('select ensure_audit_chain($1, 1)', [from]);
  await server.sql(`select ensure_partitions($1, $2, 1)`, [table, from]);
};

const simple: Record<
  string,
  { target: (typeof purgeTargetNames)[number]; table: string; insert: (over: Date) => Promise<unknown> }
> = {
  'assertion-jti: client assertions that were used': {
    target: 'assertion-jti',
    table: `single_use where kind = 'client_assertion'`,
    insert: (over) => server.sql(`insert into single_use values ('client_assertion', $1, $2)`, [hash(), over]),
  },
  'assertion-jti: assertions of identity providers that were used': {
    target: 'assertion-jti',
    table: `single_use where kind = 'id_jag'`,
    insert: (over) => server.sql(`insert into single_use values ('id_jag', $1, $2)`, [hash(), over]),
  },
  'dpop-nonces: DPoP proofs that were used': {
    target: 'dpop-nonces',
    table: `single_use where kind = 'dpop_proof'`,
    insert: (over) => server.sql(`insert into single_use values ('dpop_proof', $1, $2)`, [hash(), over]),
  },
  'connect-pending-states: people who never came back from a provider': {
    target: 'connect-pending-states',
    table: 'connect_pending_states',
    insert: (over) =>
      server.sql(
        `insert into connect_pending_states (state_hash, user_id, broker_provider_id, created_at, expires_at)
         values ($1, $2, gen_random_uuid(), $3, $3)`,
        [hash(), user.id, over],
      ),
  },
  'refresh-tokens: spent or not': {
    target: 'refresh-tokens',
    table: 'refresh_tokens',
    insert: async (over) => refreshToken(await family({ expiresAt: ago(-day) }), over),
  },
  'sessions: of browsers': {
    target: 'sessions',
    table: 'browser_sessions',
    insert: (over) =>
      server.sql(
        `insert into browser_sessions (id_hash, user_id, user_epoch, auth_time, expires_at) values ($1, $2, 1, $3, $3)`,
        [hash(), user.id, over],
      ),
  },
  'sessions: pushed requests': {
    target: 'sessions',
    table: 'pushed_requests',
    insert: (over) =>
      server.sql(
        `insert into pushed_requests (request_hash, client_id, query, created_at, expires_at, kept_until)
         values ($1, $2, '', $3, $3, $3)`,
        [hash(), clientId, over],
      ),
  },
  'sessions: answers on the consent page': {
    target: 'sessions',
    table: `single_use where kind = 'consent_answer'`,
    insert: (over) => server.sql(`insert into single_use values ('consent_answer', $1, $2)`, [hash(), over]),
  },
  'sessions: answers of the OpenID provider': {
    target: 'sessions',
    table: `single_use where kind = 'provider_answer'`,
    insert: (over) => server.sql(`insert into single_use values ('provider_answer', $1, $2)`, [hash(), over]),
  },
};
for (const [name, { target, table, insert }] of Object.entries(simple))
  test(`${name}: what is over goes, what is not stays`, async () => {
    const left = async () => Number((await server.sql<{ n: string }>(`select count(*) as n from ${table}`))[0]?.n);
    const before = await left();
    for (const seconds of [40 * day, day, 61]) await insert(ago(seconds));
    for (const seconds of [30, -60, -day]) await insert(ago(seconds));
    await deletedBy(target);
    assert.equal((await left()) - before, 3, 'the clocks of pods differ, so the last minute stays too');
    assert.equal(await deletedBy(target), 0);
  });

test('every kind of thing that may be used once has a target', async () => {
  await server.sql('delete from single_use');
  for (const kind of singleUseKinds)
    await server.sql('insert into single_use values ($1, $2, $3)', [kind, hash(), ago(day)]);
  await purgeNow(server);
  assert.equal(await count('single_use'), 0);
});

test('sessions: an authorization code is remembered for a day, a device code for as long as it lived', async () => {
  const code = (over: Date) =>
    server.sql(
      `insert into authorization_codes (code_hash, client_id, user_id, consent_grant_id, user_epoch, consent_epoch,
         redirect_uri, scopes, code_challenge, auth_time, created_at, expires_at)
       values ($1, $2, $3, $4, 1, 1, 'https://app.example.com/cb', '{}', 'c', $5, $5, $5)`,
      [hash(), clientId, user.id, consentId, over],
    );
  const device = (over: Date) =>
    server.sql(
      `insert into device_codes (id, device_code_hash, user_code, client_id, resources, ip, ip_key, created_at, expires_at,
         interval_seconds) values (gen_random_uuid(), $1, $2, $3, '{}', '::1', '::1', $4, $4, 5)`,
      [hash(), randomBytes(6).toString('hex'), clientId, over],
    );
  for (const seconds of [25 * 3600, 23 * 3600, -60]) await code(ago(seconds));
  for (const seconds of [server.config.device.code_ttl + 10, server.config.device.code_ttl - 10, -60])
    await device(ago(seconds));
  assert.equal(await deletedBy('sessions'), 2);
  assert.deepEqual([await count('authorization_codes'), await count('device_codes')], [2, 2]);
});

test('delegation-uses: what counts for nobody goes after a day, and what counts stays for ever', async () => {
  const { id: resourceId } = await server.resource();
  const use = (change: { consent?: string; client?: string; resource?: string; round?: number; seconds?: number }) =>
    server.sql('insert into delegation_uses values ($1, $2, $3, $4, 1, 1, 5, $5)', [
      change.consent ?? consentId,
      change.client ?? clientId,
      change.resource ?? resourceId,
      change.round ?? 1,
      ago(change.seconds ?? 400 * day),
    ]);
  await server.sql('update consent_grants set allowed_times = 1 where id = $1', [consentId]);
  await use({});
  for (const change of [{ consent: randomUUID() }, { client: 'gone' }, { resource: randomUUID() }]) {
    await use(change);
    await use({ ...change, client: change.client ? 'gone too' : clientId, resource: randomUUID(), seconds: 3600 });
  }
  assert.equal(await deletedBy('delegation-uses'), 3);
  assert.equal(await count('delegation_uses'), 4);
  await server.sql('update consent_grants set allowed_times = 2 where id = $1', [consentId]);
  assert.equal(await deletedBy('delegation-uses'), 1, 'the user has consented again');
});

test('families: those that ended long ago go with their tokens, in bounded batches', async () => {
  await server.sql('delete from refresh_tokens');
  await server.sql('delete from token_families');
  const old = await family({ expiresAt: ago(31 * day) });
  const revoked = await family({ expiresAt: ago(-50 * day), revokedAt: ago(31 * day) });
  const lately = await family({ expiresAt: ago(29 * day) });
  const revokedLately = await family({ expiresAt: ago(-50 * day), revokedAt: ago(29 * day) });
  const live = await family({ expiresAt: ago(-day) });
  for (const one of [old, revoked, lately, revokedLately, live])
    for (let n = 0; n < 25; n += 1) await refreshToken(one, ago(-day));

  const batches: number[] = [];
  const [result] = await purgeNow(server, ['families'], {
    pace: { first: 10, least: 10, most: 10 },
    onDeleted: (rows) => batches.push(rows),
  });
  assert.equal(result?.outcome, 'completed', String(result?.error));
  assert.equal(result?.deleted, 52);
  assert.ok(Math.max(...batches) <= 20, `batches of ${batches}`);
  const left = await server.sql<{ id: string }>('select id from token_families order by id');
  assert.deepEqual(left.map(({ id }) => id).sort(), [lately, revokedLately, live].sort());
  assert.equal(await count('refresh_tokens'), 75);
});

test('families: one whose access token is still alive stays, because without it the token would be dead', async () => {
  const kept = await family({ expiresAt: ago(40 * day) });
  const jti = await issuance({ issuedAt: ago(41 * day), expiresAt: ago(-day), familyId: kept });
  const gone = await family({ expiresAt: ago(40 * day) });
  const expired = await issuance({ issuedAt: ago(41 * day), expiresAt: ago(day), familyId: gone });
  assert.equal(await deletedBy('families'), 1);
  assert.equal(await isThere('token_families', kept), true);
  assert.equal(await server.store.issuances.isLive(jti), true);
  // What is said of a token that was over long ago does not change.
  const shown = await server.adminRequest('GET', `/admin/issuances/${expired}`);
  assert.equal(ok(shown).status, 'expired');
});

test('issuances: whole months go when all is over; a live token and what it descends from stay', async () => {
  await server.sql('delete from issuances');
  const months = [24, 23, 22, 21].map((n) => {
    const now = server.clock.now();
    return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - n, 10));
  });
  for (const month of months) await makeMonths('issuances', month);
  const [first, second, third] = months as [Date, Date, Date, Date];
  for (let n = 0; n < 30; n += 1) await issuance({ issuedAt: first, expiresAt: first });
  // Alive after two years, and exchanged for others along the way.
  const grandparent = await issuance({ issuedAt: second, expiresAt: second });
  const parent = await issuance({ issuedAt: third, expiresAt: third, parentId: grandparent });
  const child = await issuance({ issuedAt: ago(day), expiresAt: ago(-day), parentId: parent });
  const alive = await issuance({ issuedAt: third, expiresAt: ago(-day) });
  for (const month of [second, third])
    for (let n = 0; n < 30; n += 1) await issuance({ issuedAt: month, expiresAt: month });
  const lately = await issuance({ issuedAt: ago(300 * day), expiresAt: ago(299 * day) });
  // Of a month that nobody made.
  const stray = await issuance({ issuedAt: ago(500 * day), expiresAt: ago(499 * day) });

  const [result] = await purgeNow(server, ['issuances'], { pace: { first: 7, least: 7, most: 7 } });
  assert.equal(result?.outcome, 'completed', String(result?.error));
  assert.equal(result?.deleted, 91);
  for (const id of [grandparent, parent, child, alive, lately]) assert.equal(await isThere('issuances', id), true, id);
  assert.equal(await isThere('issuances', stray), false);
  assert.equal(await server.store.issuances.isLive(child), true);
  const left = await monthsOf('issuances');
  assert.deepEqual(
    months.map((month) => left.includes(`issuances_${monthName(month)}`)),
    [false, true, true, false],
  );

  server.clock.advance(2 * day); // now the tokens are over, and nothing holds the months any more
  await deletedBy('issuances');
  const end = await monthsOf('issuances');
  for (const month of months) assert.ok(!end.includes(`issuances_${monthName(month)}`), monthName(month));
});

test('machine-tokens: only theirs, of the months that issuances would take', async () => {
  await server.sql('delete from issuances');
  const machine = await issuance({
    issuedAt: ago(460 * day),
    expiresAt: ago(459 * day),
    grantType: 'client_credentials',
  });
  const alive = await issuance({ issuedAt: ago(460 * day), expiresAt: ago(-day), grantType: 'client_credentials' });
  const recent = await issuance({ issuedAt: ago(30 * day), expiresAt: ago(29 * day), grantType: 'client_credentials' });
  const person = await issuance({ issuedAt: ago(460 * day), expiresAt: ago(459 * day) });
  assert.equal(await deletedBy('machine-tokens'), 1);
  assert.equal(await isThere('issuances', machine), false);
  for (const id of [alive, recent, person]) assert.equal(await isThere('issuances', id), true);
});

test('jti: a marker goes when no token is left that it could say something about', async () => {
  await server.sql('delete from issuances');
  await server.sql('delete from revocation_markers');
  await issuance({ issuedAt: ago(50 * day), expiresAt: ago(49 * day) });
  for (const [key, days] of [
    ['older', 60],
    ['covers it', 40],
  ] as const)
    await server.store.revocationMarkers.set('user', key, ago(days * day));
  assert.equal(await deletedBy('jti'), 1);
  const left = await server.sql<{ key: string }>('select key from revocation_markers');
  assert.deepEqual(
    left.map(({ key }) => key),
    ['covers it'],
  );
});

test('audit-events: a month goes with its part of the hash chain, and what is left still verifies', async () => {
  const old = ago(200 * day);
  await makeMonths('audit_events', old);
  for (let n = 0; n < 5; n += 1)
    await server.store.auditEvents.insert({ action: 'user.created', at: new Date(old.getTime() + n), details: { n } });
  // Of a month that nobody made.
  const stray = ago(300 * day);
  await server.store.auditEvents.insert({ action: 'user.created', at: stray, details: {} });
  const oldEvents = `at < now() - interval '150 days'`;
  assert.equal(await count('audit_events', oldEvents), 6);
  assert.equal(await deletedBy('audit-events'), 6);
  assert.equal(await count('audit_events', oldEvents), 0);
  assert.equal(await count('audit_chain', `day < current_date - 150`), 0);
  assert.ok(!(await monthsOf('audit_events')).includes(`audit_events_${monthName(old)}`));
  assert.ok((await count('audit_days', `day < current_date - 150 and forgotten = events`)) >= 1);
  const [first] = await server.sql<{ day: Date }>('select min(day)::text as day from audit_days');
  const verified = verifyAuditChain(server.store.auditChain, {
    from: String(first?.day),
    to: new Date().toISOString().slice(0, 10),
    expected: new Map(),
  });
  for await (const { day: verifiedDay, problem } of verified) assert.equal(problem, undefined, verifiedDay);
  const months = await monthsOf('audit_events');
  assert.ok(months.includes(`audit_events_${monthName(new Date())}`), 'this month stays');
});

test('unused-clients: as the configuration says, and an operator’s own client stays', async () => {
  const unused = await server.client({ source: 'dcr' });
  const made = await server.client();
  await server.sql(`update clients set created_at = $2 where client_id = any($1)`, [
    [unused.clientId, made.clientId],
    ago(8 * day),
  ]);
  assert.equal(await deletedBy('unused-clients'), 1);
  assert.equal(await count('clients', `client_id = '${unused.clientId}'`), 0);
  assert.equal(await count('clients', `client_id = '${made.clientId}'`), 1);
});

test('a token that was just issued survives every target, and its family too', async () => {
  const app = await server.client();
  const tokens = await app.authorize({ user, resource: resource.uri });
  const results = await purgeNow(server);
  assert.deepEqual(
    results.map(({ target }) => target),
    purgeTargetNames,
  );
  assert.deepEqual(
    results.filter(({ outcome }) => outcome !== 'completed'),
    [],
  );
  assert.ok(ok(await app.refresh(tokens.refresh_token)).access_token);
});

test('retention of 0 keeps everything', async () => {
  const file = await server.configFile({ retention: { issuances: 0, audit_events: 0, families: 0 } });
  const id = await issuance({ issuedAt: ago(900 * day), expiresAt: ago(899 * day) });
  const old = await family({ expiresAt: ago(800 * day) });
  const result = await runCli(['purge', '--config', file, '--only', 'issuances,machine-tokens,families,audit-events']);
  assert.equal(result.code, 0, result.stderr);
  assert.equal(await isThere('issuances', id), true);
  assert.equal(await isThere('token_families', old), true);
});
