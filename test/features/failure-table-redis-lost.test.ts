/**
 * Redis is lost. Only what needs a replay check is refused, with 503; limits go on with a budget of the pod's own, never
 * without one; sign-ins are counted in PostgreSQL. `shared-state-redis-faults.test.ts` has the other ways in which it can fail.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { openRedis } from '@authserver/replay/redis';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { redis as findRedis } from '../support/services.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { type Answer, denied, ok, signIn } from '../support/test-app.ts';

const found = new URL((await findRedis()).url);
const proxy = await startTcpProxy({ host: found.hostname, port: Number(found.port || 6379) });
after(() => proxy.close());
const through = new URL(found);
through.hostname = '127.0.0.1';
through.port = String(proxy.port);

const env = {
  REDIS_URL: through.href,
  RATE_LIMIT_RPS: '1',
  RATE_LIMIT_BURST: '30',
  RATE_LIMIT_AUTH_FAIL_MAX: '3',
  SERVER_TRUSTED_PROXIES: '127.0.0.0/8,::1',
};
const server = await startAuthServer({ pods: 2, env });
proxy.cut();
const startedAlone = await startAuthServer({ env });
proxy.mend();
await server.resource();
const machine = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read'],
});
const key = await DpopKey.create(server);
let network = 0;
const newAddress = () => {
  network += 1;
  return `198.51.${network}.2`;
};
const from = (address = newAddress()) => ({ 'x-forwarded-for': address });

/** A token request bound to a key, which needs the replay store. */
const bound = async (proof: string, pod = 0): Promise<{ answer: Answer; ms: number }> => {
  const start = performance.now();
  const answer = await machine.clientCredentials({}, pod, { dpop: proof, ...from() });
  return { answer, ms: performance.now() - start };
};
const working = async (): Promise<void> => {
  const started = performance.now();
  while (
    (await bound(await key.proof())).answer.status !== 200 ||
    (await bound(await key.proof(), 1)).answer.status !== 200
  ) {
    assert.ok(performance.now() - started < 5_000, 'not back within five seconds');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

test('with Redis a proof is good once, on whichever pod', async () => {
  await working();
  const proof = await key.proof();
  const answers = await Promise.all([0, 1, 0, 1].map((pod) => bound(proof, pod)));
  assert.equal(answers.filter(({ answer }) => answer.status === 200).length, 1);
  for (const { answer } of answers) if (answer.status !== 200) denied(answer, 'invalid_dpop_proof');
});

for (const how of ['cut', 'hang'] as const)
  test(`while Redis is away (${how}) what needs it is refused with 503, and the rest goes on [threat M04]`, async () => {
    await working();
    const used = await key.proof();
    ok((await bound(used)).answer);
    proxy[how]();

    const refused = [];
    for (const proof of [used, await key.proof(), await key.proof(), used])
      for (const pod of [0, 1]) refused.push(await bound(proof, pod));
    for (const { answer, ms } of refused) {
      assert.equal(answer.status, 503, JSON.stringify(answer.body));
      assert.equal(answer.body.error, 'temporarily_unavailable');
      assert.ok(answer.headers.get('retry-after'));
      assert.ok(ms < 1_000, `${ms} ms`);
    }
    assert.ok(Math.max(...refused.slice(2).map(({ ms }) => ms)) < 250, 'only the first one waits for an answer');

    // No proof, no need of Redis.
    ok(await machine.clientCredentials({}, 0, from()));
    for (const path of ['/livez', '/ready', '/.well-known/jwks.json'])
      assert.equal((await fetch(`${server.issuer}${path}`, { headers: from() })).status, 200, path);

    // Limits go on with a budget of the pod's own.
    const statuses: number[] = [];
    const flood = from();
    for (let count = 0; count < 40; count += 1)
      statuses.push((await fetch(`${server.issuer}/.well-known/jwks.json`, { headers: flood })).status);
    assert.deepEqual([statuses[0], statuses[29]], [200, 200]);
    assert.ok(statuses.filter((status) => status === 429).length >= 8, 'never unlimited');

    // So does the lockout.
    const user = await server.user();
    const attempt = async (address: string, password: string) => {
      const browser = new TestBrowser(from(address));
      return (await signIn(browser, await browser.get(`${server.issuer}/login`), { ...user, password })).status;
    };
    const address = newAddress();
    const tries = [];
    for (let count = 0; count < 4; count += 1) tries.push(await attempt(address, 'wrong'));
    assert.deepEqual(tries, [422, 422, 422, 429]);
    assert.equal(await attempt(newAddress(), user.password), 303);

    proxy.mend();
    await working();
    denied((await bound(used)).answer, 'invalid_dpop_proof');
    assert.ok((await server.metric('authserver_redis_errors_total', { use: 'replay' })) > 0);
  });

test('a server starts while Redis is away, and uses it once it is there [threat M04]', async () => {
  proxy.cut();
  const { issuer } = startedAlone;
  assert.equal((await fetch(`${issuer}/livez`)).status, 200);
  assert.equal((await fetch(`${issuer}/.well-known/jwks.json`)).status, 200);
  proxy.mend();
  await startedAlone.resource();
  const client = await startedAlone.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const own = await DpopKey.create(startedAlone);
  const started = performance.now();
  for (;;) {
    const { status } = await client.clientCredentials({}, 0, { ...(await own.header()), ...from() });
    if (status === 200) break;
    assert.equal(status, 503);
    assert.ok(performance.now() - started < 5_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

test('what is told of a lost Redis is told once, and never holds the password', async () => {
  const password = 'canary-password';
  const told: unknown[] = [];
  const thrown: unknown[] = [];
  for (const scheme of ['redis', 'rediss']) {
    const lost: unknown[] = [];
    const connection = openRedis({
      // The Redis of the tests knows no such user; and it does not speak TLS.
      url: `${scheme}://somebody:${password}@${found.hostname}:${found.port || 6379}`,
      issuer: 'https://as.example.com',
      onLost: (...args) => lost.push(args),
      onBack: (...args) => told.push(args),
    });
    for (let count = 0; count < 60; count += 1) {
      await connection.run('replay', (client) => client.get('x')).catch((error: unknown) => thrown.push(error));
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    connection.close();
    assert.equal(lost.length, 1, `${scheme}: ${inspect(lost)}`);
    told.push(lost);
  }
  assert.equal(thrown.length, 120);
  for (const error of thrown) assert.equal((error as { status: number }).status, 503);
  assert.doesNotMatch(inspect([told, thrown], { depth: 20, showHidden: true }), /canary/);
});
