/** Pods whose clocks are an hour wrong, beside one that is right. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { newClientKey, registerWithKeys, signAssertion } from '../support/client-assertion.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { redis } from '../support/services.ts';
import { denied, ok, postForm, signIn } from '../support/test-app.ts';

const hour = 3_600;
const [right, late, early] = [0, 1, 2];
const env = {
  SERVER_TRUSTED_PROXIES: '127.0.0.0/8,::1',
  RATE_LIMIT_AUTH_FAIL_MAX: '5',
  LOG_STDOUT: 'false',
};
const options = { pods: 3, wrongBy: [0, -hour, hour], admin: true, housekeepingMs: 50 };
let network = 0;
const newAddress = () => {
  network += 1;
  return `198.51.${network}.3`;
};

for (const [store, server] of [
  ['PostgreSQL', await startAuthServer({ ...options, env })],
  ['Redis', await startAuthServer({ ...options, env: { ...env, REDIS_URL: (await redis()).url } })],
] as const) {
  await server.resource();
  const machine = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const now = () => Math.floor(Date.now() / 1000);

  test(`${store}: a proof that the others have forgotten is not good again where it is an hour earlier [threat E02]`, async () => {
    const key = await DpopKey.create(server);
    const ask = (proof: string, pod: number) => machine.clientCredentials({}, pod, { dpop: proof });
    const captured = await key.proof({ claims: { iat: now() - hour } });
    denied(await ask(captured, right), 'invalid_dpop_proof');
    denied(await ask(captured, late), 'invalid_dpop_proof');
    const fresh = await key.proof();
    ok(await ask(fresh, right));
    for (const pod of [right, late, early]) denied(await ask(fresh, pod), 'invalid_dpop_proof');
    // Made for the pod that is early, it is good there, once; and it is not kept for less than it is good for.
    const ahead = await key.proof({ claims: { iat: now() + hour } });
    ok(await ask(ahead, early));
    for (const pod of [early, right, late]) denied(await ask(ahead, pod), 'invalid_dpop_proof');
  });

  test(`${store}: nor is a client assertion that is over`, async () => {
    const key = await newClientKey();
    const clientId = await registerWithKeys(server, { jwks: { keys: [key.jwk] } });
    const form = async (iat: number) => ({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await signAssertion(server, clientId, key, { claims: { iat, nbf: iat, exp: iat + 60 } }),
    });
    const over = await form(now() - hour);
    for (const pod of [late, right, early])
      denied(await postForm(`${server.pods[pod]?.url}/oauth/token`, over), 'invalid_client');
    ok(await postForm(`${server.pods[right]?.url}/oauth/token`, await form(now())));
  });

  test(`${store}: guesses spread over such pods have one budget, and the lockout ends when it should [threat H08]`, async () => {
    const [user, address] = [await server.user(), newAddress()];
    const attempt = async (pod: number, password = 'wrong') => {
      const browser = new TestBrowser({ 'x-forwarded-for': address });
      return signIn(browser, await browser.get(`${server.pods[pod]?.url}/login`), { ...user, password });
    };
    const seen = [];
    for (let index = 0; index < 8; index += 1) seen.push((await attempt(index % 3)).status);
    assert.deepEqual(seen, [422, 422, 422, 422, 422, 429, 429, 429]);
    for (const pod of [right, late, early]) {
      const wait = Number((await attempt(pod, user.password)).response.headers.get('retry-after'));
      assert.ok(wait > 840 && wait <= 900, `${wait} s on pod ${pod}`);
    }
    // The pod that is early cleans up what is over, and this is not.
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal((await attempt(right, user.password)).status, 429);
  });
}
