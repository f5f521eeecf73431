/**
 * NATS is lost: nothing a user notices, and no operator waits. The control plane is lost: nothing for anybody but operators.
 * What a pod hears over NATS alone, and what it makes of forged messages, is in `change-feed-nats.test.ts`.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { feedsHear, natsSettings } from '../support/nats.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { denied, ok } from '../support/test-app.ts';

const settings = await natsSettings();
const nats = new URL(settings.NATS_URL);
const proxy = await startTcpProxy({ host: nats.hostname, port: Number(nats.port || 4222) });
after(() => proxy.close());
nats.hostname = '127.0.0.1';
nats.port = String(proxy.port);
const server = await startAuthServer({
  pods: 2,
  admin: true,
  env: { ...settings, NATS_URL: nats.href, LOG_STDOUT: 'false' },
});
await soon('everybody is connected to NATS', () => feedsHear(server, 'nats'), 10_000);

const resource = await server.resource();
const user = await server.user();
const app = await server.client();
const machine = () =>
  server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'], ceiling: ['tools/read'] });
const both = [0, 1];
const everythingWorks = async (): Promise<void> => {
  const { access_token, refresh_token } = await app.authorize({ user, scope: 'tools/read', resource: resource.uri });
  const asking = await machine();
  for (const pod of both) {
    ok(await asking.clientCredentials({}, pod));
    ok(await asking.introspect(access_token, pod));
  }
  const next = ok(await app.refresh(refresh_token, {}, 1));
  assert.equal((await app.revoke(next.refresh_token, 0)).status, 200);
  denied(await app.refresh(next.refresh_token, {}, 1), 'invalid_grant');
  for (const { url } of server.pods) assert.equal((await fetch(`${url}/ready`)).status, 200);
};

for (const how of ['cut', 'hang'] as const)
  test(`NATS is away (${how}): users notice nothing, operators do not wait, and changes arrive [threat M06]`, async () => {
    const suspended = await machine();
    for (const pod of both) ok(await suspended.clientCredentials({}, pod));
    proxy[how]();
    await everythingWorks();
    const started = performance.now();
    await server.admin.client.suspend({ id: suspended.clientId });
    assert.ok(performance.now() - started < 2_000, 'a change does not wait for NATS');
    const isOut = async (pod: number) => (await suspended.clientCredentials({}, pod)).status === 401;
    await soon('both pods know', async () => (await Promise.all(both.map(isOut))).every(Boolean), 5_000);
    proxy.mend();
    await soon('everybody is back at NATS', () => feedsHear(server, 'nats'), 30_000);
  });

test('the control plane is away: tokens, sign-ins, revocation and readiness go on', async () => {
  await server.stopAdmins();
  await everythingWorks();
});
