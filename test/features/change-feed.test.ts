import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashClientSecret, newClientSecret } from '@authserver/oauth';
import { type AuthServer, startAuthServer } from '../support/auth-server.ts';
import { denied, deniedByPage, ok, read, type TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
/** Its pods hear of changes by the interval alone: nothing notifies them. */
const deaf = await startAuthServer({ pods: 2, env: { CHANGES_RECONCILE_INTERVAL: '300ms' } });
await deaf.sql(`create or replace function record_change(change_kind text, change_key text) returns bigint
  language sql as $$ insert into changes (kind, key) values (change_kind, change_key) returning version $$`);

const machine = (of: AuthServer) =>
  of.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'], ceiling: ['tools/read'] });
const suspend = (of: AuthServer, { clientId }: TestApp) =>
  of.change('client', clientId, (tx) => tx.clients.setStatus(clientId, ['active'], 'suspended'));
const register = async (of: AuthServer, pod: number) =>
  read(
    await fetch(`${of.pods[pod]?.url}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'x', redirect_uris: ['https://app.example.com/cb'] }),
    }),
  );

test('a suspended client stops working on every pod, and works again when it may', async () => {
  const app = await machine(server);
  for (const pod of [0, 1]) ok(await app.clientCredentials({}, pod));
  await suspend(server, app);
  for (const pod of [0, 1]) denied(await app.clientCredentials({}, pod), 'invalid_client');
  deniedByPage(await app.start(), 403);
  await server.change('client', app.clientId, (tx) => tx.clients.setStatus(app.clientId, ['suspended'], 'active'));
  for (const pod of [0, 1]) ok(await app.clientCredentials({}, pod));
});

test('a changed secret counts at once, and the old one no longer does', async () => {
  const app = await machine(server);
  for (const pod of [0, 1]) ok(await app.clientCredentials({}, pod));
  await server.change('client', app.clientId, (tx) =>
    tx.clients.replaceSecret(app.clientId, hashClientSecret(newClientSecret())),
  );
  for (const pod of [0, 1]) denied(await app.clientCredentials({}, pod), 'invalid_client');
});

test('a redirect URI that was taken away stops working', async () => {
  const app = await server.client();
  assert.equal((await app.start()).status, 303);
  await server.change('client', app.clientId, async (tx) => {
    const client = await tx.clients.find(app.clientId);
    assert.ok(client);
    await tx.clients.update({ ...client, redirectUris: ['https://moved.example.com/cb'] });
  });
  deniedByPage(await app.start());
});

test('a resource comes and goes on every pod', async () => {
  const app = await machine(server);
  const { id, uri } = await server.resource();
  for (const pod of [0, 1]) ok(await app.clientCredentials({ resource: uri }, pod));
  await server.change('resource', id, (tx) => tx.resources.delete(id));
  for (const pod of [0, 1]) denied(await app.clientCredentials({ resource: uri }, pod), 'invalid_target');
});

test('the registration mode is switched while the pods run, and survives what the configuration says', async () => {
  const switchTo = (mode: 'open' | 'admin_only') =>
    server.change('dcr_mode', 'dcr_mode', (tx) => tx.settings.setDcrMode(mode));
  for (const pod of [0, 1]) assert.equal((await register(server, pod)).status, 201);
  await switchTo('admin_only');
  for (const pod of [0, 1]) denied(await register(server, pod), 'access_denied', 403);
  await switchTo('open');
  for (const pod of [0, 1]) assert.equal((await register(server, pod)).status, 201);
});

test('a pod that hears nothing is at most the reconcile interval late', async () => {
  const app = await machine(deaf);
  for (const pod of [0, 1]) ok(await app.clientCredentials({}, pod));
  await suspend(deaf, app);
  await new Promise((resolve) => setTimeout(resolve, 600));
  for (const pod of [0, 1]) denied(await app.clientCredentials({}, pod), 'invalid_client');
});

test('a forged, doubled, reordered or malformed message costs a read and nothing else', async () => {
  const app = await machine(server);
  for (const pod of [0, 1]) ok(await app.clientCredentials({}, pod));
  for (const payload of [
    JSON.stringify({ version: 999_999_999, kind: 'client', key: app.clientId }),
    JSON.stringify({ version: 1, kind: 'client', key: app.clientId, status: 'revoked' }),
    JSON.stringify({ version: 'x', kind: 7 }),
    JSON.stringify({ version: -1, kind: 'dcr_mode', key: 'x'.repeat(7_000) }),
    JSON.stringify({ __proto__: null, version: 1e308, kind: '__proto__', key: 'constructor' }),
    'null',
    '{',
    '',
  ])
    for (let n = 0; n < 2; n += 1) await server.sql('select pg_notify($1, $2)', ['authserver_changes', payload]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (const pod of [0, 1]) ok(await app.clientCredentials({}, pod));
  await suspend(server, app); // and the feed still works
  for (const pod of [0, 1]) denied(await app.clientCredentials({}, pod), 'invalid_client');
});

test('a change of a kind nobody knows does not stop the ones after it', async () => {
  const app = await machine(server);
  ok(await app.clientCredentials());
  await server.change('a_kind_of_a_later_release', 'x', async () => {});
  await suspend(server, app);
  for (const pod of [0, 1]) denied(await app.clientCredentials({}, pod), 'invalid_client');
});

test('how long a change took is measured, by kind', async () => {
  assert.ok((await server.metric('authserver_change_propagation_seconds_count', { kind: 'client' })) > 0);
});
