/** Tokens that resemble good ones, that are costly to look at, or that another issuer made. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { assertionType } from '../support/client-assertion.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { type Answer, denied, ok, postForm, signIn } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const guard = await server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'] });
const resource = await server.resource({ runtimeClients: [guard.clientId] });
const app = await server.client({ authMethod: 'client_secret_basic' });
const wishes = { user, resource: resource.uri, scope: 'tools/read' };
const isActive = async (token: string, pod: number) => ok(await guard.introspect(token, pod)).active;
const key = await DpopKey.create(server);
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a token that was just vouched for does not vouch for one that differs in a byte of the middle [threat F07]', async () => {
  const [mine, theirs] = [
    (await app.authorize(wishes)).access_token,
    (await app.authorize({ ...wishes, user: await server.user() })).access_token,
  ];
  for (const pod of [0, 1]) for (const token of [mine, theirs]) assert.equal(await isActive(token, pod), true);
  const middle = Math.floor(mine.length / 2);
  assert.ok(middle > 200 && mine.length - middle > 200, 'the ends stay as they are');
  const changed = mine.slice(0, middle) + (mine[middle] === 'A' ? 'B' : 'A') + mine.slice(middle + 1);
  const [header, payload = '', signature] = mine.split('.');
  const other = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), sub: decodeJwt(theirs).sub };
  const spliced = `${header}.${theirs.split('.')[1]}.${signature}`;
  for (const token of [changed, spliced, `${header}.${base64(other)}.${signature}`])
    for (const pod of [0, 1]) assert.equal(await isActive(token, pod), false);
  assert.equal(await isActive(mine, 0), true);
});

const zeros = deflateRawSync(Buffer.alloc(40 * 1024 * 1024, 'a')).toString('base64url');
const bombs: Record<string, string> = {
  'two thousand million rounds of PBES2': `${base64({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2_000_000_000, p2s: 'AAAAAAAAAAA' })}.AAAA.AAAA.AAAA.AAAA`,
  'forty megabytes of one letter': `${base64({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' })}..${'A'.repeat(16)}.${zeros.slice(0, 20_000)}.${'A'.repeat(22)}`,
  'a direct key': `${base64({ alg: 'dir', enc: 'A256GCM' })}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA`,
  'RSA-OAEP': `${base64({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.AAAA.AAAA.AAAA.AAAA`,
  'an elliptic key of the sender': `${base64({ alg: 'ECDH-ES', enc: 'A256GCM', epk: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' } })}..AAAA.AAAA.AAAA`,
};
const form = { grant_type: 'client_credentials', client_assertion_type: assertionType };
const inputs: Record<string, (bomb: string) => Promise<unknown>> = {
  introspection: async (token) => assert.deepEqual(ok(await guard.introspect(token)), { active: false }),
  revocation: async (token) => ok(await guard.revoke(token)),
  'a DPoP proof': async (dpop) =>
    denied(await app.clientCredentials({}, 0, { dpop: dpop.slice(0, 8_000) }), 'invalid_dpop_proof'),
  'a client assertion': async (client_assertion) =>
    denied(await postForm(app.url('/oauth/token'), { ...form, client_assertion }), 'invalid_client'),
  'a request object': async (request) =>
    assert.ok((await app.start({ request: request.slice(0, 6_000) })).status < 500),
  'a hint of an id token': async (hint) =>
    assert.ok((await app.start({ id_token_hint: hint.slice(0, 6_000) })).status < 500),
  'the sealed request of the pages': async (request) => {
    for (const path of ['/login', '/consent', '/oauth/return'])
      assert.ok((await fetch(`${app.url(path)}?${new URLSearchParams({ request, to: request })}`)).status < 500);
  },
  'the body of a form': async (token) =>
    denied((await postForm(app.url('/oauth/token'), { [token]: token })) as Answer<unknown>, 'invalid_client'),
};
for (const [where, send] of Object.entries(inputs))
  test(`encrypted, compressed and costly tokens are refused at no cost: ${where} [threat F08]`, async () => {
    await send('x.x.x.x.x'); // connections, and what is compiled on first use
    for (const [name, bomb] of Object.entries(bombs)) {
      const before = process.memoryUsage.rss();
      const start = performance.now();
      await send(where === 'the sealed request of the pages' ? bomb.slice(0, 6_000) : bomb);
      const ms = performance.now() - start;
      assert.ok(ms < 400, `${name}: ${ms} ms`); // a few milliseconds; the machine may do other things
      assert.ok(process.memoryUsage.rss() - before < 30 * 1024 * 1024, name);
    }
  });

test('a signed proof whose key is a bomb is refused like any other [threat F08]', async () => {
  const header = { jwk: { kty: 'RSA', n: 'A'.repeat(5_000), e: 'AQAB' }, alg: 'RS256' };
  const [, payload, signature] = (await key.proof()).split('.');
  const dpop = `${base64({ typ: 'dpop+jwt', ...header })}.${payload}.${signature}`;
  const start = performance.now();
  denied(await app.clientCredentials({}, 0, { dpop }), 'invalid_dpop_proof');
  assert.ok(performance.now() - start < 400);
});

test('two issuers with the same keys and the same database do not take each other for themselves [threat F10]', async () => {
  const tenant = await startAuthServer({
    issuerPath: '/tenant',
    env: { SIGNING_KEY_PATH: server.config.signing.key_path },
    databaseThrough: async () => server.dsn,
  });
  const { access_token } = await app.authorize(wishes);
  assert.equal(await isActive(access_token, 0), true);
  const asTenant = (client: typeof app, path: string) =>
    postForm(`${tenant.issuer}${path}`, { token: access_token }, { authorization: client.basic() });
  for (const client of [app, guard])
    assert.deepEqual(ok(await asTenant(client, '/oauth/introspect')), { active: false });
  ok(await asTenant(app, '/oauth/revoke'));
  assert.equal(await isActive(access_token, 0), true, 'nor does one revoke for the other');
});

test('code, refresh token, cookie and client of one server are nothing to another [threat F10]', async () => {
  const [root, other] = [await startAuthServer(), await startAuthServer({ issuerPath: '/other' })];
  const both = [root, other] as const;
  for (const [here, there] of [both, [other, root] as const]) {
    const person = await here.user();
    const target = await here.resource();
    const client = await here.client({ authMethod: 'client_secret_post' });
    const browser = new TestBrowser();
    const grant = await client.code({ user: person, resource: target.uri }, browser);
    const tokens = ok(await client.redeem(grant));
    const credentials = { client_id: client.clientId, client_secret: client.clientSecret };
    const url = `${there.issuer}/oauth/token`;
    denied(await postForm(url, { ...credentials, grant_type: 'client_credentials' }), 'invalid_client');

    const stranger = await there.client({ authMethod: 'client_secret_post' });
    denied(await stranger.redeem(grant), 'invalid_grant');
    denied(await stranger.refresh(tokens.refresh_token), 'invalid_grant');
    for (const token of [tokens.access_token, tokens.refresh_token])
      assert.deepEqual(ok(await stranger.introspect(token)), { active: false });
    assert.doesNotMatch((await browser.get(`${there.issuer}/`)).html, /Signed in/);
    ok(await client.refresh(tokens.refresh_token));

    const proof = await (await DpopKey.create(here)).header();
    const machine = await there.client({
      authMethod: 'client_secret_basic',
      grantTypes: ['client_credentials'],
      ceiling: ['tools/read'],
    });
    denied(await machine.clientCredentials({}, 0, proof), 'invalid_dpop_proof');
    const login = await browser.get(`${here.issuer}/login`);
    const posted = await signIn(
      new TestBrowser(),
      { ...login, url: `${there.issuer}/login`, field: (name: string) => login.field(name) } as typeof login,
      person,
    );
    assert.equal(posted.status, 422);
  }
});
