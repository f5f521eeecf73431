/** Refresh tokens when pods restart, caches are empty and answers get lost. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { redis } from '../support/services.ts';
import { denied, ok, TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2, env: { REDIS_URL: (await redis()).url } });
const user = await server.user();
const resource = await server.resource();
const app = await server.client({ authMethod: 'client_secret_post' });
const wishes = { user, resource: resource.uri, scope: 'tools/read' };
const family = (token: string) =>
  server.sql<{ spent_at: Date | null }>(
    `select spent_at from refresh_tokens where family_id =
       (select family_id from refresh_tokens where token_hash = sha256($1::bytea))`,
    [token],
  );

/** Sends a refresh and is gone before the answer comes; waits until the server has done its part. */
const refreshAndVanish = async (token: string): Promise<void> => {
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: token,
    client_id: app.clientId,
    client_secret: app.clientSecret as string,
  }).toString();
  const socket = connect(Number(new URL(server.issuer).port), 'localhost');
  socket.on('error', () => {});
  const head = `POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
  await new Promise<void>((written) =>
    socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`, () => written()),
  );
  socket.pause();
  await soon('the token is spent', async () => (await family(token)).some(({ spent_at }) => spent_at !== null), 5_000);
  socket.destroy();
};

test('an answer that was lost with its connection is made good within the window, on another pod [threat D12]', async () => {
  const { refresh_token } = await app.authorize(wishes);
  await refreshAndVanish(refresh_token);
  const answers = [ok(await app.refresh(refresh_token, {}, 1)), ok(await app.refresh(refresh_token, {}, 0))];
  assert.equal(answers[0]?.refresh_token, answers[1]?.refresh_token);
  assert.equal((await family(refresh_token)).length, 2, 'one lineage');
  ok(await app.refresh(String(answers[0]?.refresh_token), {}, 1));
});

test('after the window a lost answer means signing in again, which nobody needs help for [threat D12]', async () => {
  const { refresh_token } = await app.authorize(wishes);
  await refreshAndVanish(refresh_token);
  server.clock.advance(11);
  denied(await app.refresh(refresh_token, {}, 1), 'invalid_grant');
  ok(await app.refresh((await app.authorize(wishes)).refresh_token, {}, 1));
});

test('reuse is found by a server that has just started, with nothing in Redis [threat D09]', async () => {
  const first = await app.authorize(wishes);
  const second = ok(await app.refresh(first.refresh_token));
  server.clock.advance(11);
  const restarted = await startAuthServer({
    env: { SIGNING_KEY_PATH: server.config.signing.key_path, SERVER_ISSUER: server.issuer },
    databaseThrough: async () => server.dsn,
  });
  restarted.clock.advance(40);
  const again = new TestApp([String(restarted.pods[0]?.url)], app);
  assert.equal(ok(await again.introspect(second.access_token)).active, true, 'it knows what was before');
  denied(await again.refresh(first.refresh_token), 'invalid_grant');
  denied(await again.refresh(second.refresh_token), 'invalid_grant');
  for (const { access_token } of [first, second]) {
    assert.deepEqual(ok(await again.introspect(access_token)), { active: false });
    for (const pod of [0, 1]) assert.deepEqual(ok(await app.introspect(access_token, pod)), { active: false });
  }
  const [event] = await server.sql(
    `select details from audit_events where action = 'family.revoked' and details->>'family' =
    (select family_id::text from refresh_tokens where token_hash = sha256($1::bytea))`,
    [first.refresh_token],
  );
  assert.ok(event);
});
