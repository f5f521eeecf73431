/** The keys of identity providers, as the data plane fetches and keeps them. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { type ClientKey, newClientKey } from '../support/client-assertion.ts';
import { assertingClient, type TrustedIdp, trade, trustIdp } from '../support/id-jag.ts';
import { startIdentityProviders } from '../support/identity-provider.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2, admin: true });
const providers = await startIdentityProviders();
const { host } = providers;
const app = await assertingClient(server);
const { uri } = await server.resource();
const hour = 3600;

const claims = { resource: uri, scope: 'tools/read' };
const ask = async (idp: TrustedIdp, key = idp.key, pod = 0) =>
  trade(app, await idp.assertion(app.clientId, { claims, key }), {}, pod);
const publish = (idp: TrustedIdp, ...keys: ClientKey[]) =>
  host.publish(idp.keysPath, { keys: keys.map(({ jwk }) => jwk) });
const fetched = (idp: TrustedIdp) => host.count(idp.keysPath);
const goDown = (idp: TrustedIdp) => host.on(idp.keysPath, (_request, response) => response.writeHead(500).end());

test('a hundred assertions at once fetch the keys once, and later ones not at all', async () => {
  const idp = await trustIdp(server, providers);
  const before = fetched(idp);
  const misses = await server.metric('authserver_oidc_jwks_cache_misses_total');
  for (const answer of await Promise.all(Array.from({ length: 100 }, () => ask(idp)))) ok(answer);
  for (let n = 0; n < 5; n += 1) ok(await ask(idp));
  assert.equal(fetched(idp), before + 1);
  assert.ok((await server.metric('authserver_oidc_jwks_cache_misses_total')) > misses);
});

test('a new key is found by its kid, and one that is gone is refused from then on [EMA-06] [R7523-11]', async () => {
  const idp = await trustIdp(server, providers);
  ok(await ask(idp));
  const next = await newClientKey();
  publish(idp, next);
  // Made-up kids do not make us fetch more often than every half minute.
  const before = fetched(idp);
  for (let n = 0; n < 10; n += 1) denied(await ask(idp, { ...next, kid: randomUUID() }), 'invalid_grant');
  assert.equal(fetched(idp), before);
  denied(await ask(idp, next), 'invalid_grant');
  server.clock.advance(31);
  ok(await ask(idp, next));
  denied(await ask(idp), 'invalid_grant');
  assert.equal(fetched(idp), before + 1);
});

test('keys end with their time, also where the old one is still used', async () => {
  const idp = await trustIdp(server, providers);
  ok(await ask(idp));
  publish(idp, await newClientKey());
  server.clock.advance(hour - 60);
  ok(await ask(idp));
  server.clock.advance(61);
  denied(await ask(idp), 'invalid_grant');
});

test('while an identity provider is away its keys are good for as long again, and then it is our turn to be away', async () => {
  const idp = await trustIdp(server, providers);
  ok(await ask(idp));
  goDown(idp);
  server.clock.advance(hour + 1);
  const before = fetched(idp);
  for (let n = 0; n < 5; n += 1) ok(await ask(idp));
  assert.equal(fetched(idp), before + 1, 'it is asked every half minute');
  server.clock.advance(hour);
  const answer = await ask(idp);
  denied(answer, 'temporarily_unavailable', 503);
  assert.equal(answer.headers.get('retry-after'), '30');
  publish(idp, idp.key);
  denied(await ask(idp), 'temporarily_unavailable', 503);
  server.clock.advance(31);
  ok(await ask(idp));
});

test('refresh-keys makes every pod forget what it has, at once', async () => {
  const idp = await trustIdp(server, providers);
  for (const pod of [0, 1]) ok(await ask(idp, idp.key, pod));
  const next = await newClientKey();
  publish(idp, next);
  await server.admin.idp.refreshKeys({ id: idp.id });
  for (const pod of [0, 1]) {
    await soon('it is forgotten', async () => (await ask(idp, idp.key, pod)).status === 400, 5000);
    ok(await ask(idp, next, pod));
  }
});

test('keys that are forgotten while they are away are not brought back', async () => {
  const idp = await trustIdp(server, providers);
  ok(await ask(idp));
  goDown(idp);
  await server.admin.idp.update({ id: idp.id, body: { name: 'Renamed' } });
  await soon('they are forgotten', async () => (await ask(idp)).status === 503, 5000);
});
