import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, ok } from '../support/test-app.ts';

const hour = 3600;
const server = await startAuthServer({
  pods: 2,
  env: { OAUTH_REFRESH_ABSOLUTE_LIFETIME: '24h', DCR_DEFAULT_REFRESH_EXPIRY: '4h' },
});
const user = await server.user();
const resource = await server.resource();
const app = await server.client();

test('however often it is renewed, a family ends at its absolute age (RFC 9700 §4.14.2) [threat D08]', async () => {
  let { refresh_token } = await app.authorize({ user, resource: resource.uri });
  for (let elapsed = 0; elapsed < 23; elapsed += 1) {
    server.clock.advance(hour);
    refresh_token = ok(await app.refresh(refresh_token, {}, elapsed % 2)).refresh_token;
  }
  server.clock.advance(hour);
  denied(await app.refresh(refresh_token), 'invalid_grant');
});

test('a token that lies idle expires, and use makes it last longer (RFC 9700 §4.14.2) [O21-54] [threat D08]', async () => {
  const first = await app.authorize({ user, resource: resource.uri });
  server.clock.advance(3 * hour);
  const second = ok(await app.refresh(first.refresh_token));
  server.clock.advance(3 * hour);
  const third = ok(await app.refresh(second.refresh_token));
  server.clock.advance(4 * hour);
  denied(await app.refresh(third.refresh_token), 'invalid_grant');
});

test('an expired access token is inactive while its refresh token lives (RFC 7662 §2.2) [MCP-22 R7662-04]', async () => {
  const confidential = await server.client({ authMethod: 'client_secret_basic' });
  const { access_token, refresh_token } = await confidential.authorize({ user, resource: resource.uri });
  server.clock.advance(14 * 60);
  assert.equal(ok(await confidential.introspect(access_token)).active, true);
  server.clock.advance(60);
  assert.equal(ok(await confidential.introspect(access_token)).active, false);
  ok(await confidential.refresh(refresh_token));
});

test('reuse is found long after the rotation, by a pod that never saw it (RFC 9700 §4.14.2) [threat D09]', async () => {
  const first = await app.authorize({ user, resource: resource.uri });
  const second = ok(await app.refresh(first.refresh_token, {}, 0));
  server.clock.advance(3 * hour);
  denied(await app.refresh(first.refresh_token, {}, 1), 'invalid_grant');
  denied(await app.refresh(second.refresh_token, {}, 0), 'invalid_grant');
});

test('oauth.refresh_reuse_window: 0 is strict: of refreshes that race one succeeds, and the family ends [threat D03]', async () => {
  const strict = await startAuthServer({ pods: 2, env: { OAUTH_REFRESH_REUSE_WINDOW: '0' } });
  const app = await strict.client();
  const { uri: resource } = await strict.resource();
  const user = await strict.user();
  for (let round = 0; round < 5; round += 1) {
    const { refresh_token } = await app.authorize({ user, resource });
    const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => app.refresh(refresh_token, {}, n % 2)));
    const good = answers.filter(({ status }) => status === 200);
    assert.equal(good.length, 1);
    denied(await app.refresh(good[0]?.body.refresh_token as string), 'invalid_grant');
  }
});
