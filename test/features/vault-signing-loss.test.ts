/** Vault Transit away, slow or unwilling, while people and programs ask for tokens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { newKeyName, vaultSettings } from '../support/key-homes.ts';
import { type Answer, ok } from '../support/test-app.ts';
import { openFaultyVault } from '../support/vault-server.ts';

const vault = await openFaultyVault();
const { faults: away } = vault;
const keyName = newKeyName();
const server = await startAuthServer({
  admin: true,
  pods: 2,
  env: { ...vaultSettings(vault, keyName), VAULT_TIMEOUT: '1s' },
});
const job = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read'],
});
const resource = await server.resource({ runtimeClients: [job.clientId] });
const app = await server.client();
const user = await server.user();
const askToken = (pod = 0) => job.clientCredentials({ resource: resource.uri, scope: 'tools/read' }, pod);
const keys = createRemoteJWKSet(new URL(`${server.issuer}/.well-known/jwks.json`));
const issuances = async () => (await server.sql('select count(*)::int as n from issuances'))[0]?.n;
const isPassing = (answer: Answer<unknown>) => {
  assert.equal(answer.status, 503, JSON.stringify(answer.body));
  assert.equal((answer.body as { error?: string }).error, 'temporarily_unavailable');
  assert.ok(Number(answer.headers.get('retry-after')) >= 1);
};
const back = () =>
  soon(
    'both pods sign again',
    async () => (await Promise.all([askToken(0), askToken(1)])).every(({ status }) => status === 200),
    10_000,
  );

test('tokens are signed by Vault, with the key that the JWKS names', async () => {
  const { access_token } = await app.authorize({ user, resource: resource.uri, scope: 'tools/read' });
  const { protectedHeader } = await jwtVerify(access_token, keys, { issuer: server.issuer, typ: 'at+jwt' });
  assert.equal(protectedHeader.kid, `${keyName}-v1`);
});

test('while Vault is away no token is issued and nothing is spent; all else goes on [threat M10]', async () => {
  const held = await app.authorize({ user, resource: resource.uri, scope: 'tools/read' });
  const before = await issuances();
  away.seal();
  for (const answer of [await askToken(), await askToken(1), await app.refresh(held.refresh_token)]) isPassing(answer);
  isPassing(await app.refresh(held.refresh_token));
  assert.equal(await issuances(), before);

  assert.equal((await fetch(`${server.issuer}/.well-known/jwks.json`)).status, 200);
  assert.equal((await fetch(`${server.issuer}/ready`)).status, 200, 'a pod that cannot sign still verifies');
  assert.equal(ok(await job.introspect(held.access_token)).active, true);
  const trace = await traceOf(server, async () => {
    refused(await server.adminRequest('POST', '/admin/keys/rotate?force=true'), 'unavailable');
  });
  assert.deepEqual(trace, nothing);
  const signing = (await server.admin.system.status()).subsystems.find(({ name }) => name === 'signing');
  assert.deepEqual([signing?.status, signing?.driver], ['unhealthy', 'vault_transit']);
  assert.equal((await server.admin.key.list()).keys.length, 2);

  away.unseal();
  await back();
  server.clock.advance(60); // longer than a refresh token that is repeated is forgiven
  const again = ok(await app.refresh(held.refresh_token));
  assert.equal(ok(await job.introspect(again.access_token)).active, true);
  assert.ok((await server.metric('authserver_signing_failures_total', { reason: 'unreachable' })) >= 4);
  assert.ok((await server.metric('authserver_remote_signing_duration_seconds_count')) > 0);
});

test('a crowd that asks while Vault hangs is answered in bounded time, and later ones at once [threat M10]', async () => {
  away.delay(5_000);
  const started = performance.now();
  const crowd = await Promise.all(Array.from({ length: 200 }, (_, n) => askToken(n % 2)));
  for (const answer of crowd) isPassing(answer);
  assert.ok(performance.now() - started < 10_000, `${performance.now() - started} ms`);
  const asked = away.requests.length;
  for (const answer of await Promise.all(Array.from({ length: 50 }, () => askToken()))) isPassing(answer);
  assert.ok(away.requests.length - asked <= 5, 'Vault is left alone');
  away.delay(0);
  await back();
});

test('a Vault that is slow makes tokens slow, and no more than that [threat M10]', async () => {
  away.delay(300);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => askToken(n % 2)));
  for (const answer of answers) ok(answer);
  away.delay(0);
});

test('a token that Vault refuses is answered 503, not 401: the client has done nothing wrong [threat M10]', async () => {
  away.failNext(1, 403, '1 error occurred: permission denied');
  const answers = [await askToken(), await askToken()];
  const denied = answers.filter(({ status }) => status !== 200);
  for (const answer of denied) isPassing(answer);
  await back();
});

test('a rotation reaches the pods, and tokens of the key before it verify', async () => {
  const old = ok(await askToken()).access_token;
  server.clock.advance(301);
  const { kid } = await server.admin.key.rotate({ query: {} });
  assert.equal(kid, `${keyName}-v2`);
  await soon('both pods sign with the new key', async () => {
    const tokens = await Promise.all([0, 1].map(async (pod) => ok(await askToken(pod)).access_token));
    return tokens.every((token) => decodeProtectedHeader(token).kid === kid);
  });
  await jwtVerify(old, keys, { issuer: server.issuer, currentDate: server.clock.now() });
  const { keys: listed } = await server.admin.key.list();
  assert.deepEqual(
    listed.map(({ kid: name, status }) => `${status} ${name.replace(keyName, '')}`),
    ['current -v2', 'next -v3', 'retiring -v1'],
  );
  const retired = await server.adminRequest('POST', `/admin/keys/${keyName}-v1/retire`, { force: true });
  assert.equal(retired.status, 200);
  await soon('its tokens end', async () => !ok(await job.introspect(old)).active);
});
