import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuthServer, type Pod, soon, startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';

const options = {
  pods: 2,
  housekeepingMs: 50,
  env: { SERVER_TRUSTED_PROXIES: '127.0.0.0/8,::1/128', RATE_LIMIT_AUTH_FAIL_MAX: '0' },
};
const server = await startAuthServer(options);
const windowMs = 5 * 60_000;

let addresses = 0;
const newAddress = () => {
  addresses += 1;
  return `198.51.100.${addresses}`;
};

/** A sign-in with a wrong password, at one of the pods. */
const fail = async (at: AuthServer, from: string, email: string, pod = 0) => {
  const url = `${at.pods[pod]?.url}/login`;
  const browser = new TestBrowser({ 'x-forwarded-for': from });
  const csrf_token = (await browser.get(url)).field('csrf_token');
  const { status } = await browser.post(url, { csrf_token, email, password: 'wrong' });
  assert.equal(status, 422);
};

type Row = { actor_id: string | null; ip: string | null; details: Record<string, unknown> };
const failures = (at: AuthServer, from: string) =>
  at.sql<Row>(
    `select actor_id, ip, details from audit_events where action = 'user.login_failed' and ip = $1 order by id`,
    [from],
  );
const countedIn = (rows: readonly Row[]) => rows.filter(({ details }) => details.count !== undefined);

test('the first failed sign-in of an account is written at once, the rest are counted and become one event', async () => {
  const [from, user] = [newAddress(), await server.user()];
  for (let n = 0; n < 30; n += 1) await fail(server, from, n % 2 ? user.email : user.email.toUpperCase());
  const [first, ...more] = await failures(server, from);
  assert.deepEqual(first, { actor_id: user.id, ip: from, details: { reason: 'invalid_credentials' } });
  assert.deepEqual(more, []);

  server.clock.advance(windowMs / 1000);
  await soon('the count', async () => countedIn(await failures(server, from)).length === 1, 5000);
  const [counted] = countedIn(await failures(server, from));
  assert.equal(counted?.actor_id, user.id, 'all were about one account');
  const { since, until, ...details } = counted?.details ?? {};
  assert.deepEqual(details, { reason: 'invalid_credentials', count: 29, distinct: 1 });
  assert.ok(Date.parse(String(since)) <= Date.parse(String(until)));

  await fail(server, from, user.email);
  assert.equal((await failures(server, from)).length, 3, 'after that it is news again');
});

test('one address that tries many accounts makes a handful of rows, and no guess is lost [threat H08]', async () => {
  const from = newAddress();
  for (let n = 0; n < 40; n += 1) await fail(server, from, `nobody-${n}@example.com`);
  assert.equal((await failures(server, from)).length, 5);
  server.clock.advance(windowMs / 1000);
  await soon('the count', async () => countedIn(await failures(server, from)).length === 1, 5000);
  const [counted] = countedIn(await failures(server, from));
  assert.equal(counted?.details.count, 35);
  assert.equal(counted?.details.distinct, 40);
  assert.equal(counted?.actor_id, null);
  assert.ok(!JSON.stringify(await failures(server, from)).includes('nobody-'), 'what was typed is not kept');
});

test('each pod counts for itself, and one that is stopped writes what it counted', async () => {
  const stopped = await startAuthServer({ ...options, housekeepingMs: 3_600_000 });
  const [from, user] = [newAddress(), await stopped.user()];
  for (let n = 0; n < 20; n += 1) await fail(stopped, from, user.email, n % 2);
  assert.equal((await failures(stopped, from)).length, 2, 'the first at each pod');
  const pods = (stopped.pods as Pod[]).splice(0); // nobody closes them again
  await Promise.all(pods.map(({ service }) => service.close()));
  const counts = countedIn(await failures(stopped, from)).map(({ details }) => details.count);
  assert.deepEqual(counts, [9, 9]);
});

test('a client that asks about a token of others for ever makes a handful of rows', async () => {
  const resource = await server.resource();
  const { access_token } = await (await server.client()).authorize({
    user: await server.user(),
    resource: resource.uri,
    scope: 'tools/read',
  });
  const stranger = await server.client({ authMethod: 'client_secret_post', grantTypes: ['client_credentials'] });
  for (let n = 0; n < 25; n += 1) await stranger.introspect(access_token);
  const denied = () =>
    server.sql<Row>(
      `select actor_id, ip, details from audit_events where action = 'token.introspect_denied' and client_id = $1 order by id`,
      [stranger.clientId],
    );
  assert.equal((await denied()).length, 1);
  server.clock.advance(windowMs / 1000);
  await soon('the count', async () => (await denied()).length === 2, 5000);
  const { details } = (await denied())[1] as Row;
  assert.equal(details.count, 24);
  assert.equal(details.reason, 'caller_not_authorized_for_token');
  assert.match(String(details.jti), /^[0-9a-f-]{36}$/);
});

test('a token endpoint that does well writes no audit event', async () => {
  const resource = await server.resource();
  const app = await server.client({
    authMethod: 'client_secret_post',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const person = await server.client();
  const tokens = await person.authorize({ user: await server.user(), resource: resource.uri, scope: 'tools/read' });
  const events = async () => (await server.sql('select count(*) as n from audit_events'))[0]?.n;
  const before = await events();
  const machine = await app.token({ grant_type: 'client_credentials', resource: resource.uri, scope: 'tools/read' });
  assert.equal(machine.status, 200, JSON.stringify(machine.body));
  assert.equal((await person.refresh(tokens.refresh_token)).status, 200);
  assert.equal(await events(), before);
});
