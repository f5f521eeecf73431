import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { appOf, type ClientInformation, manage, register, registered } from '../support/registration.ts';
import { denied, deniedByPage, ok } from '../support/test-app.ts';

const day = 86_400;
const unlimited = { DCR_RATE_LIMIT: '0', RATE_LIMIT_ENABLED: 'false' };
const server = await startAuthServer({ pods: 2, admin: true, env: unlimited });
/** Deletes what is over several times a second. */
const tidy = await startAuthServer({ pods: 2, env: unlimited, housekeepingMs: 60 });
const small = await startAuthServer({ env: { ...unlimited, DCR_UNUSED_CLIENT_LIMIT: '5' }, housekeepingMs: 60 });
const never = await startAuthServer({
  env: { ...unlimited, DCR_UNUSED_CLIENT_TTL: '0', DCR_IDLE_CLIENT_TTL: '0' },
  housekeepingMs: 60,
});
const resource = await server.resource();

const publicApp = (name: string, port = 1) => ({
  client_name: name,
  redirect_uris: [`http://127.0.0.1:${port}/cb`],
  token_endpoint_auth_method: 'none',
});
const named = (of: typeof server, name: string) =>
  of.sql('select client_id, registration_token_hash is null as shared from clients where client_name = $1', [name]);
const exists = async (of: typeof server, { client_id }: ClientInformation) =>
  (await of.sql('select 1 from clients where client_id = $1', [client_id])).length === 1;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('a hundred and fifty registrations of one app, over two pods, make few rows and refuse nobody [threat G11]', async () => {
  const answers = [];
  for (let wave = 0; wave < 15; wave += 1)
    answers.push(
      ...(await Promise.all(
        Array.from({ length: 10 }, (_, n) => register(server, publicApp('flood', 10 * wave + n + 1), { pod: n % 2 })),
      )),
    );
  const strange = answers.filter(({ status }) => status !== 201);
  assert.deepEqual(
    strange.map(({ body }) => body),
    [],
  );
  const rows = await named(server, 'flood');
  // Twenty of their own and one for all others; those that came in at once may be a few more.
  assert.ok(rows.length <= 40, `${rows.length} rows`);
  assert.equal(rows.filter(({ shared }) => shared).length, 1);
  // From here on it is one client.
  const later = await Promise.all(
    [0, 1, 0, 1].map((pod) => register(server, publicApp('flood', 40_000 + pod), { pod })),
  );
  assert.equal(new Set(later.map(({ body }) => body.client_id)).size, 1);
  assert.equal((await named(server, 'flood')).length, rows.length);
});

test('a shared registration works like any other, and nobody manages it [threat G12]', async () => {
  for (let count = 0; count < 20; count += 1) await registered(server, publicApp('shared'));
  const first = await registered(server, publicApp('shared', 50_001));
  const second = await registered(server, publicApp('shared', 50_002));
  assert.equal(first.client_id, second.client_id);
  assert.deepEqual(second.redirect_uris, ['http://127.0.0.1:50002/cb']);
  for (const client of [first, second])
    assert.ok(!('registration_access_token' in client) && !('registration_client_uri' in client));
  for (const token of [undefined, 'x', Buffer.alloc(32).toString('base64url')])
    denied(await manage('GET', `${server.issuer}/oauth/register/${first.client_id}`, token), 'invalid_token', 401);
  const tokens = await appOf(server, second).authorize({ user: await server.user(), resource: resource.uri });
  assert.equal(tokens.token_type, 'Bearer');
  // Somebody uses it now: who comes next gets another one.
  const third = await registered(server, publicApp('shared', 50_003));
  assert.notEqual(third.client_id, first.client_id);
});

test('who registers first never comes to hold what others share [threat G12]', async () => {
  const mine = await registered(server, publicApp('trap'));
  for (let count = 0; count < 25; count += 1) {
    const other = await registered(server, publicApp('trap'));
    assert.notEqual(other.client_id, mine.client_id);
    if (other.registration_access_token)
      denied(await manage('GET', other.registration_client_uri, mine.registration_access_token), 'invalid_token', 401);
  }
});

test('what an operator suspended is handed to nobody, and can be reactivated', async () => {
  for (let count = 0; count < 20; count += 1) await registered(server, publicApp('stopped'));
  const { client_id: id } = await registered(server, publicApp('stopped'));
  await server.admin.client.suspend({ id });
  const other = await registered(server, publicApp('stopped'));
  assert.notEqual(other.client_id, id);
  await server.admin.client.reactivate({ id });
  assert.equal((await registered(server, publicApp('stopped'))).client_id, other.client_id);
});

test('clients with credentials, or of other metadata, never share', async () => {
  const many = await Promise.all(
    Array.from({ length: 25 }, () =>
      registered(server, { client_name: 'secret', redirect_uris: ['https://a.example.com/cb'] }),
    ),
  );
  assert.equal(new Set(many.map(({ client_id }) => client_id)).size, 25);
  for (let count = 0; count < 21; count += 1) await registered(server, publicApp('near'));
  const near = { ...publicApp('near'), redirect_uris: ['http://127.0.0.1:1/other'] };
  assert.ok((await registered(server, near)).registration_access_token);
});

test('a client nobody came to use goes after a week, and its id leads to an answer [threat G11]', async () => {
  const client = await registered(tidy, publicApp('unused'));
  await pause(250);
  assert.ok(await exists(tidy, client));
  tidy.clock.advance(7 * day + 60);
  await soon('the end of the client', async () => !(await exists(tidy, client)), 15_000);
  await pause(50);
  const app = appOf(tidy, client);
  denied(await app.token({ grant_type: 'refresh_token', refresh_token: 'x' }), 'invalid_client');
  const page = await app.start();
  deniedByPage(page);
  assert.match(page.html, /add it again/);
});

test('a client that is used stays for a year, and goes after one without use; people are told', async () => {
  const client = await registered(tidy, publicApp('used'));
  const app = appOf(tidy, client);
  const user = await tidy.user();
  const { uri } = await tidy.resource();
  const tokens = await app.authorize({ user, resource: uri });
  tidy.clock.advance(6 * day);
  const renewed = ok(await app.refresh(tokens.refresh_token));
  await soon(
    'the note of its use',
    async () => {
      const [row] = await tidy.sql('select last_used_at from clients where client_id = $1', [client.client_id]);
      return Math.abs(Number(row?.last_used_at) - tidy.clock.now().getTime()) < 10_000;
    },
    15_000,
  );
  tidy.clock.advance(360 * day);
  await pause(300);
  assert.ok(await exists(tidy, client));
  tidy.clock.advance(6 * day);
  await soon('the end of the client', async () => !(await exists(tidy, client)), 15_000);
  await soon('the news of it', async () => (await app.start()).status === 400);
  const page = await app.start();
  deniedByPage(page);
  assert.match(page.html, /nobody had used it for a long time/);
  denied(await app.refresh(renewed.refresh_token, {}, 1), 'invalid_client');
  const events = await tidy.sql(`select action from audit_events where client_id = $1 and action = 'client.expired'`, [
    client.client_id,
  ]);
  assert.equal(events.length, 1);
});

test('what is alive or wanted by an operator outlasts any time', async () => {
  const unused = await registered(tidy, { client_name: 'job', grant_types: ['client_credentials'] });
  await tidy.sql(`update clients set ceiling = '{tools/read}' where client_id = $1`, [unused.client_id]);
  const reader = await registered(tidy, { client_name: 'reader', grant_types: ['client_credentials'] });
  await tidy.resource({ runtimeClients: [reader.client_id] });
  const suspended = await registered(tidy, publicApp('evidence'));
  await tidy.sql(`update clients set status = 'suspended' where client_id = $1`, [suspended.client_id]);
  const live = await registered(tidy, publicApp('live'));
  const { uri } = await tidy.resource();
  await appOf(tidy, live).authorize({ user: await tidy.user(), resource: uri });
  const gone = await registered(tidy, publicApp('gone'));
  const byAdmin = await tidy.client();
  await tidy.sql(`update token_families set expires_at = expires_at + interval '2 years' where client_id = $1`, [
    live.client_id,
  ]);
  tidy.clock.advance(400 * day);
  await soon('the end of the unused client', async () => !(await exists(tidy, gone)), 15_000);
  await pause(200);
  for (const client of [unused, reader, suspended, live, { client_id: byAdmin.clientId } as ClientInformation])
    assert.ok(await exists(tidy, client), client.client_name as string);
});

test('consent at the last moment saves a client', async () => {
  const client = await registered(tidy, publicApp('last moment'));
  const user = await tidy.user();
  const { uri } = await tidy.resource();
  tidy.clock.advance(7 * day - 30);
  await appOf(tidy, client).authorize({ user, resource: uri });
  tidy.clock.advance(30 * day);
  await pause(300);
  assert.ok(await exists(tidy, client));
});

test('a shared client that is wanted again does not expire under those who wait', async () => {
  for (let count = 0; count < 20; count += 1) await registered(tidy, publicApp('waiting'));
  const first = await registered(tidy, publicApp('waiting'));
  tidy.clock.advance(6.9 * day);
  const again = await registered(tidy, publicApp('waiting'));
  assert.equal(again.client_id, first.client_id);
  tidy.clock.advance(day);
  await soon('the end of the others', async () => (await named(tidy, 'waiting')).length === 1, 15_000);
  assert.ok(await exists(tidy, first));
});

test('too many unused clients: the oldest go first, new ones are let in, and fresh ones are left alone [threat G11]', async () => {
  const old = await Promise.all(Array.from({ length: 8 }, (_, index) => registered(small, publicApp(`old ${index}`))));
  await pause(250);
  for (const client of old) assert.ok(await exists(small, client));
  small.clock.advance(3700);
  const fresh = await registered(small, publicApp('fresh'));
  await small.sql(
    `update clients set last_registered_at = last_registered_at + interval '3700 seconds' where client_id = $1`,
    [fresh.client_id],
  );
  await soon('room', async () => (await small.sql('select 1 from clients')).length === 5, 15_000);
  assert.ok(await exists(small, fresh));
});

test('0 is never', async () => {
  const client = await registered(never, publicApp('forever'));
  never.clock.advance(4000 * day);
  await pause(300);
  assert.ok(await exists(never, client));
});

test('an operator sees who used a client first, and when it was used last', async () => {
  const client = await registered(server, publicApp('seen'));
  const before = await server.admin.client.get({ id: client.client_id });
  assert.deepEqual([before.first_user_id, before.last_used_at], [undefined, undefined]);
  const [alice, bob] = [await server.user(), await server.user()];
  for (const user of [alice, bob]) await appOf(server, client).authorize({ user, resource: resource.uri });
  const after = await server.admin.client.get({ id: client.client_id });
  assert.equal(after.first_user_id, alice.id);
  assert.ok(Math.abs(Date.parse(after.last_used_at ?? '') - Date.now()) < 10_000);
});
