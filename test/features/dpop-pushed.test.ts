import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { denied, type Grant, ok, pkce } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const demanding = await startAuthServer({ env: { DPOP_REQUIRE_NONCE: 'true' } });
const user = await server.user();
const resource = await server.resource();
const app = await server.client();
const [k1, k2] = [await DpopKey.create(server), await DpopKey.create(server)];
const { verifier, challenge } = pkce();
const redirectUri = app.redirectUris[0] as string;
const request = {
  response_type: 'code',
  redirect_uri: redirectUri,
  code_challenge: challenge,
  code_challenge_method: 'S256',
  scope: 'tools/read',
  resource: resource.uri,
};
const forPar = (key: DpopKey, of = server) => key.header({ claims: { htu: `${of.issuer}/oauth/par` } });
const push = (dpopJkt: string | undefined, header: Record<string, string>, pod = 0) =>
  app.post('/oauth/par', { ...request, dpop_jkt: dpopJkt }, pod, header);

const ways = {
  'by a proof': async () => push(undefined, await forPar(k1)),
  'by dpop_jkt': async () => push(k1.jkt, {}),
  'by both, which agree': async () => push(k1.jkt, await forPar(k1)),
};
for (const [way, pushed] of Object.entries(ways))
  test(`a request pushed ${way} binds its code to the key [R9449-20] [R9449-19]`, async () => {
    const answer = await pushed();
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    const browser = new TestBrowser();
    const query = new URLSearchParams({ client_id: app.clientId, request_uri: String(answer.body.request_uri) });
    const callback = await app.throughPages(browser, await browser.get(`${app.url('/oauth/authorize')}?${query}`), {
      user,
    });
    const code = callback.searchParams.get('code') ?? '';
    const grant: Grant = { code, verifier, redirectUri, resource: resource.uri, callback };
    denied(await app.redeem(grant), 'invalid_grant');
    denied(await app.redeem(grant, {}, 1, await k2.header()), 'invalid_grant');
    assert.equal(ok(await app.redeem(grant, {}, 1, await k1.header())).token_type, 'DPoP');
  });

test('a proof and a dpop_jkt that differ are refused [R9449-20]', async () => {
  denied(await push(k2.jkt, await forPar(k1)), 'invalid_dpop_proof');
});

test('a proof for the token endpoint, a bad one and a used one are refused [R9449-08] [R9449-11] [R9449-22]', async () => {
  denied(await push(undefined, await k1.header()), 'invalid_dpop_proof');
  denied(await push(undefined, { dpop: 'x' }), 'invalid_dpop_proof');
  const header = await forPar(k1);
  assert.equal((await push(undefined, header)).status, 201);
  denied(await push(undefined, header, 1), 'invalid_dpop_proof');
});

test('a nonce is demanded here too [R9449-15]', async () => {
  const key = await DpopKey.create(demanding);
  const client = await demanding.client();
  const form = { ...request, scope: undefined, resource: undefined, redirect_uri: client.redirectUris[0] };
  await demanding.resource();
  const first = await client.post('/oauth/par', form, 0, await forPar(key, demanding));
  denied(first, 'use_dpop_nonce');
  const claims = { htu: `${demanding.issuer}/oauth/par`, nonce: first.headers.get('dpop-nonce') };
  const second = await client.post('/oauth/par', form, 0, await key.header({ claims }));
  assert.equal(second.status, 201, JSON.stringify(second.body));
});
