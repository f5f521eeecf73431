import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { type Answer, denied, ok, raw } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2, env: { DPOP_REQUIRE_NONCE: 'true', DPOP_NONCE_TTL: '30s' } });
const lenient = await startAuthServer();
const user = await server.user();
const resource = await server.resource();
const app = await server.client();
const machine = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read'],
});
const key = await DpopKey.create(server);
const wishes = { user, resource: resource.uri, scope: 'tools/read' };
const nonceOf = (answer: Answer<unknown>): string => {
  const nonce = answer.headers.get('dpop-nonce') ?? '';
  assert.match(nonce, /^[\x21\x23-\x5b\x5d-\x7e]+$/); // RFC 9449 §8.1; two headers would be joined by ", "
  return nonce;
};
const withNonce = (nonce: string | undefined) => key.header({ claims: { nonce } });
const ask = async (nonce: string | undefined, pod = 0) => machine.clientCredentials({}, pod, await withNonce(nonce));
const fresh = async (pod = 0): Promise<string> => nonceOf(await ask(undefined, pod));

test('a proof without a nonce is answered with one, and with it accepted [R9449-15] [threat E06]', async () => {
  const first = await ask(undefined);
  denied(first, 'use_dpop_nonce');
  assert.equal(first.headers.get('www-authenticate'), null); // RFC 9449 §8: a 400 of an authorization server
  const second = await ask(nonceOf(first));
  assert.equal(ok(second).token_type, 'DPoP');
  assert.notEqual(nonceOf(second), '');
});

test('once a nonce was given, a proof without one stays refused [R9449-17]', async () => {
  ok(await ask(await fresh()));
  for (const pod of [0, 1]) denied(await ask(undefined, pod), 'use_dpop_nonce');
});

test('a nonce of one pod is good on the other, several times, until its time is up [R9449-09] [threat E06]', async () => {
  const nonce = await fresh(0);
  const newer = await fresh(1);
  for (const pod of [1, 0, 1]) ok(await ask(nonce, pod));
  server.clock.advance(25);
  ok(await ask(nonce, 1));
  ok(await ask(newer, 0));
  server.clock.advance(10);
  const stale = await ask(nonce, 1);
  denied(stale, 'use_dpop_nonce');
  ok(await ask(nonceOf(stale), 0));
});

test('made-up, changed and foreign nonces are refused, with a good one [R9449-09 R9449-16] [threat E06]', async () => {
  const nonce = await fresh();
  const [made = '', mac = ''] = nonce.split('.');
  const later = (Number.parseInt(made, 36) + 1).toString(36);
  const theirs = await DpopKey.create(lenient);
  const elsewhere = await lenient.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'] });
  const foreign = nonceOf(
    await elsewhere.clientCredentials({}, 0, await theirs.header({ claims: { nonce: 'not a nonce' } })),
  );
  for (const wrong of ['', 'x', '.', made, mac, `${later}.${mac}`, `${made}.${'A'.repeat(43)}`, `${nonce}x`, foreign]) {
    const answer = await ask(wrong);
    denied(answer, 'use_dpop_nonce');
    nonceOf(answer);
  }
  denied(await machine.clientCredentials({}, 0, await key.header({ claims: { nonce: 1 } })), 'invalid_dpop_proof');
});

test('nonces cannot be foreseen [R9449-16]', async () => {
  const macs = new Set<string>();
  for (let round = 0; round < 8; round++) {
    macs.add((await fresh(round % 2)).split('.')[1] as string);
    server.clock.advance(1);
  }
  assert.equal(macs.size, 8);
  for (const mac of macs) assert.equal(Buffer.from(mac, 'base64url').length, 32);
});

test('use_dpop_nonce costs nothing: code, refresh token and proof are good afterwards (RFC 9449 §8)', async () => {
  const grant = await app.code(wishes);
  const first = await app.redeem(grant, {}, 0, await withNonce(undefined));
  denied(first, 'use_dpop_nonce');
  const jti = 'the same jti, for the proof was not used';
  const retry = await key.header({ claims: { jti, nonce: nonceOf(first) } });
  const tokens = ok(await app.redeem(grant, {}, 1, retry));
  for (let round = 0; round < 3; round++)
    denied(await app.refresh(tokens.refresh_token, {}, round % 2, await withNonce(undefined)), 'use_dpop_nonce');
  server.clock.advance(15); // longer than the reuse window: a spent token would be theft now
  const nonce = nonceOf(await app.refresh(tokens.refresh_token, {}, 0, await withNonce('stale')));
  ok(await app.refresh(tokens.refresh_token, {}, 1, await withNonce(nonce)));
});

test('use_dpop_nonce does not use up the assertion of the client either (RFC 7523 §3, RFC 9449 §8)', async () => {
  const signer = await server.client({
    authMethod: 'private_key_jwt',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] };
  await server.sql('update clients set jwks = $1 where client_id = $2', [jwks, signer.clientId]);
  const assertion = await new SignJWT({ jti: 'used once' })
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer(signer.clientId)
    .setSubject(signer.clientId)
    .setAudience(server.issuer)
    .setIssuedAt(server.clock.now())
    .setExpirationTime(new Date(server.clock.now().getTime() + 60_000))
    .sign(privateKey);
  const form = {
    grant_type: 'client_credentials',
    client_secret: undefined,
    client_assertion: assertion,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  };
  const first = await signer.token(form, 0, await withNonce(undefined));
  denied(first, 'use_dpop_nonce');
  const again = await withNonce(nonceOf(first));
  assert.equal((await signer.token(form, 1, again)).status, 200);
  denied(await signer.token(form, 1, await withNonce(nonceOf(first))), 'invalid_client');
});

test('every reply to a proof brings the nonce for the next, whatever else is wrong', async () => {
  for (const answer of [
    await machine.clientCredentials({ scope: 'unheard/of' }, 0, await withNonce(await fresh())),
    await app.refresh('A'.repeat(43), {}, 1, await withNonce(await fresh())),
    await machine.clientCredentials({}, 0, { ...(await withNonce(undefined)), authorization: 'Basic eDp5' }),
    await machine.clientCredentials({}, 0, { dpop: 'x' }),
  ]) {
    assert.notEqual(answer.status, 200);
    ok(await ask(nonceOf(answer)));
  }
});

test('a request without a proof is a bearer request, and hears nothing of nonces', async () => {
  const answer = await machine.clientCredentials();
  assert.equal(ok(answer).token_type, 'Bearer');
  assert.equal(answer.headers.get('dpop-nonce'), null);
});

test('a browser may read the nonce of a refusal [R9449-23] [threat E06]', async () => {
  const origin = 'https://app.example.com';
  const answer = await raw(`${server.issuer}/oauth/token`, {
    method: 'POST',
    headers: {
      origin,
      authorization: machine.basic(),
      'content-type': 'application/x-www-form-urlencoded',
      ...(await withNonce(undefined)),
    },
    body: 'grant_type=client_credentials',
  });
  assert.equal(JSON.parse(answer.text).error, 'use_dpop_nonce');
  nonceOf({ ...answer, body: {} });
  assert.match(answer.headers.get('access-control-expose-headers') ?? '', /DPoP-Nonce/);
  const preflight = await raw(`${server.issuer}/oauth/token`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'dpop' },
  });
  assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /\bDPoP\b/);
});

test('nonces leave nothing in the database', async () => {
  const count = async () => (await server.sql('select 1 from single_use')).length;
  const before = await count();
  for (let round = 0; round < 5; round++) denied(await ask(undefined), 'use_dpop_nonce');
  assert.equal(await count(), before);
});

test('where no nonce is demanded none is given, but one that is sent must be ours (RFC 9449 §4.3, §11.3)', async () => {
  const own = await DpopKey.create(lenient);
  const client = await lenient.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const plain = await client.clientCredentials({}, 0, await own.header());
  assert.equal(ok(plain).token_type, 'DPoP');
  assert.equal(plain.headers.get('dpop-nonce'), null);
  const wrong = await client.clientCredentials({}, 0, await own.header({ claims: { nonce: 'made up' } }));
  denied(wrong, 'use_dpop_nonce');
  ok(await client.clientCredentials({}, 0, await own.header({ claims: { nonce: nonceOf(wrong) } })));
});

test('refused nonces are counted by what was wrong', async () => {
  const read = (reason: string) => server.metric('authplane_dpop_proofs_rejected_total', { reason });
  const before = [await read('nonce_required'), await read('nonce_mismatch')] as const;
  denied(await ask(undefined), 'use_dpop_nonce');
  denied(await ask('x'), 'use_dpop_nonce');
  assert.deepEqual([await read('nonce_required'), await read('nonce_mismatch')], [before[0] + 1, before[1] + 1]);
});
