/** The device authorization grant (RFC 8628) in the wrong hands, twice, or too often. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { deviceGrantType, devicesOf, manyAddresses, person, TestDevice } from '../support/device.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2, env: manyAddresses });
const resource = await server.resource({ slug: 'notes', scopes: ['tools/read', 'tools/write'] });
const wish = { scope: 'tools/read tools/write', resource: resource.uri };

const device = devicesOf(server);

test('a device code is worth nothing to another client, which cannot slow the right one down either [R8628-07] [threat H13]', async () => {
  const user = await server.user();
  const [tv, thief] = [await device(), await device()];
  const asked = await tv.start(wish);
  for (let turn = 0; turn < 3; turn += 1) denied(await thief.poll(asked.device_code), 'invalid_grant');
  denied(await tv.poll(asked.device_code), 'authorization_pending');
  const browser = person();
  await tv.answer(browser, await tv.question(user, asked.user_code, browser), 'allow');
  denied(await thief.poll(asked.device_code, {}, 1), 'invalid_grant');
  ok(await tv.poll(asked.device_code));
  for (const code of ['', 'x', 'y'.repeat(43), asked.user_code]) {
    const answer = await tv.poll(code);
    denied(answer, code === '' ? 'invalid_request' : 'invalid_grant');
  }
});

test('of many redemptions over two pods one succeeds, and what it produced dies with the others [R8628-07] [threat H13]', async () => {
  const user = await server.user();
  const tv = await device({ authMethod: 'client_secret_basic' });
  const { device_code } = await tv.allowed(user, wish);
  const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => tv.poll(device_code, {}, index % 2)));
  const [won] = answers.filter(({ status }) => status === 200);
  assert.ok(won);
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  for (const answer of answers) if (answer !== won) denied(answer, 'invalid_grant');
  assert.deepEqual((await tv.app.introspect(won.body.access_token, 1)).body, { active: false });
  assert.equal((await server.sql('select 1 from token_families where user_id = $1', [user.id])).length, 1);
});

test('a device code used again later revokes what it produced', async () => {
  const user = await server.user();
  const tv = await device();
  const { device_code } = await tv.allowed(user, wish);
  const tokens = ok(await tv.poll(device_code));
  server.clock.advance(60);
  denied(await tv.poll(device_code, {}, 1), 'invalid_grant');
  denied(await tv.app.refresh(tokens.refresh_token), 'invalid_grant');
  const [event] = await server.sql(
    "select details from audit_events where actor_id = $1 and action = 'auth_code.reused'",
    [user.id],
  );
  assert.ok(event);
});

test('what was allowed for a device is no authorization code for anybody, and still good where it belongs', async () => {
  const user = await server.user();
  const tv = await device({
    grantTypes: ['authorization_code', deviceGrantType, 'refresh_token'],
    redirectUris: ['https://app.example.com/cb'],
  });
  const { device_code } = await tv.allowed(user, wish);
  for (const redirect_uri of [undefined, '', 'https://app.example.com/cb'])
    for (const code_verifier of ['v'.repeat(43), 'w'.repeat(43), ''])
      assert.equal(
        (await tv.app.token({ grant_type: 'authorization_code', code: device_code, redirect_uri, code_verifier }))
          .status,
        400,
      );
  ok(await tv.poll(device_code));
});

test('what the person takes back, and who is blocked, gets no tokens after all', async () => {
  const tv = await device();
  const consents = async (userId: string) => {
    for (const { id } of await server.store.consentGrants.listOfUser(userId))
      await server.store.consentGrants.revoke(id, server.clock.now());
  };
  for (const end of [
    consents,
    (userId: string) => server.store.users.moveEpoch(userId),
    (userId: string) => server.store.users.setStatus(userId, 'disabled'),
  ]) {
    const user = await server.user();
    const { device_code } = await tv.allowed(user, wish);
    await end(user.id);
    denied(await tv.poll(device_code), 'invalid_grant');
    assert.equal((await server.sql('select 1 from token_families where user_id = $1', [user.id])).length, 0);
  }
});

test('a stranger cannot fill the table: an address has a hundred waiting devices at most', async () => {
  const [tv, more] = [await device(), await device()];
  server.clock.advance(700); // what waited before has expired
  await Promise.all(Array.from({ length: 100 }, (_, index) => tv.start(wish, index % 2)));
  for (const client of [tv, more]) {
    const answer = await client.request(wish, 1);
    denied(answer, 'slow_down', 429);
    assert.equal(answer.headers.get('retry-after'), '60');
  }
  server.clock.advance(601);
  await tv.start(wish);
});

test('requests that are over are deleted', async () => {
  const fresh = await startAuthServer({ housekeepingMs: 100 });
  const tv = new TestDevice(await fresh.client({ grantTypes: [deviceGrantType], ceiling: ['x'] }));
  await fresh.resource({ scopes: ['x'] });
  await tv.start({ scope: 'x' });
  const rows = async () => (await fresh.sql('select 1 from device_codes')).length;
  fresh.clock.advance(660);
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.equal(await rows(), 1, 'it still hears that its code has expired');
  fresh.clock.advance(660);
  for (let tries = 0; (await rows()) > 0; tries += 1) {
    assert.ok(tries < 100, 'the row stays');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
