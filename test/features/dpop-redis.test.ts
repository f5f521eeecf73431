/** Used proofs in Redis, when there is one: seen by all pods, and failing closed when it is away (RFC 9449 §11.1). */
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { openRedis } from '@authserver/replay/redis';
import { startAuthServer } from '../support/auth-server.ts';
import { askWith, newClientKey, signAssertion } from '../support/client-assertion.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { registered } from '../support/registration.ts';
import { redis } from '../support/services.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { denied, ok } from '../support/test-app.ts';

const found = new URL((await redis()).url);
const proxy = await startTcpProxy({ host: found.hostname, port: Number(found.port || 6379) });
after(() => proxy.close());
const server = await startAuthServer({
  pods: 2,
  env: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` },
});
const user = await server.user();
const resource = await server.resource();
const app = await server.client();
const key = await DpopKey.create(server);

test('a used client assertion is remembered beyond its end, for pods whose clocks are behind (RFC 7523 §3)', async () => {
  const signing = await newClientKey();
  const { client_id } = await registered(server, {
    token_endpoint_auth_method: 'private_key_jwt',
    grant_types: ['client_credentials'],
    jwks: { keys: [signing.jwk] },
  });
  const claims = { jti: randomUUID(), exp: Math.floor(server.clock.now().getTime() / 1000) + 60 };
  denied(await askWith(server, await signAssertion(server, client_id, signing, { claims })), 'invalid_scope');
  const store = openRedis({ url: found.href, issuer: server.issuer, onLost: () => {}, onBack: () => {} });
  after(() => store.close());
  const keyOf = createHash('sha256')
    .update(JSON.stringify([client_id, claims.jti]))
    .digest('base64url');
  const left = await store.run('replay', async (client) => {
    if (client.status !== 'ready') await once(client, 'ready');
    return client.pttl(`${store.prefix}once:client_assertion:${keyOf}`);
  });
  assert.ok(left > 120_000, `${left} ms`);
});

test('of fifty uses of one proof over two pods, one succeeds, and PostgreSQL hears nothing [R9449-11] [threat E01]', async () => {
  const machine = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const header = await key.header();
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => machine.clientCredentials({}, index % 2, header)),
  );
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  for (const answer of answers) if (answer.status !== 200) denied(answer, 'invalid_dpop_proof');
  assert.deepEqual(await server.sql('select 1 from single_use'), []);
});

test('while Redis is away a proof is refused with 503 and nothing is spent; a bearer request is served [threat M04]', async () => {
  const grant = await app.code({ user, resource: resource.uri, scope: 'tools/read' });
  const plain = await app.authorize({ user, resource: resource.uri, scope: 'tools/read' });
  proxy.cut();
  const answer = await app.redeem(grant, {}, 0, await key.header());
  denied(answer, 'temporarily_unavailable', 503);
  assert.ok(answer.headers.get('retry-after'));
  ok(await app.refresh(plain.refresh_token, {}, 1));
  proxy.mend();
  for (let tries = 0; ; tries++) {
    const again = await app.redeem(grant, {}, tries % 2, await key.header());
    if (again.status === 200) break;
    denied(again, 'temporarily_unavailable', 503);
    assert.ok(tries < 100, 'Redis is back, and still nothing is served');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
