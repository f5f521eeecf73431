/** Rows of OAuth 2.1 that are about the whole rather than one feature. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { appOf, manage, register, registered } from '../support/registration.ts';
import { denied, deniedByPage, ok, pkce, postForm } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true });
const user = await server.user();
const resource = await server.resource();
const wishes = { user, resource: resource.uri, scope: 'tools/read' };

test('a client that reads nothing of the answer but the code gets through [M25-02]', async () => {
  const app = await server.client();
  const { callback, verifier, redirectUri } = await app.code(wishes);
  const answer = await postForm(app.url('/oauth/token'), {
    grant_type: 'authorization_code',
    client_id: app.clientId,
    code: String(callback.searchParams.get('code')),
    code_verifier: verifier,
    redirect_uri: redirectUri,
    resource: resource.uri,
  });
  assert.equal(answer.status, 200);
});

test('a success is 200 with JSON, the token, its type and its lifetime [O21-27]', async () => {
  const app = await server.client();
  const answer = await app.redeem(await app.code(wishes));
  const { access_token, token_type, expires_in } = ok(answer);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(typeof access_token, 'string');
  assert.equal(token_type, 'Bearer');
  assert.ok(expires_in > 0 && expires_in <= 3600);
});

test('a redirect URI is registered whole: an origin does not stand for its paths, nor an asterisk for anything [O21-08]', async () => {
  const app = await server.client({ redirectUris: ['https://app.example.com', 'https://app.example.com/cb'] });
  for (const redirect_uri of [
    'https://app.example.com/',
    'https://app.example.com/other',
    'https://app.example.com/cb/x',
  ])
    deniedByPage(await app.start({ redirect_uri }));
  for (const uri of ['https://*.example.com/cb', 'https://*/cb'])
    denied(await register(server, { redirect_uris: [uri] }), 'invalid_redirect_uri');
  const literal = await server.client({ redirectUris: ['https://app.example.com/*'] }); // a path like any other
  deniedByPage(await literal.start({ redirect_uri: 'https://app.example.com/cb' }));
});

test('a code says nothing of its challenge, its client or its user [O21-37]', async () => {
  const app = await server.client();
  const { challenge, verifier } = pkce();
  const params = { code_challenge: challenge };
  const codes = [await app.code({ ...wishes, params }), await app.code({ ...wishes, params })].map(({ code }) => code);
  assert.notEqual(codes[0], codes[1]);
  for (const code of codes) {
    const bytes = Buffer.from(code, 'base64url');
    for (const secret of [challenge, verifier, app.clientId, user.id]) assert.ok(!code.includes(secret));
    for (const secret of [Buffer.from(challenge, 'base64url'), Buffer.from(challenge), Buffer.from(user.id)])
      assert.ok(!bytes.includes(secret));
    assert.notDeepEqual(bytes, createHash('sha256').update(challenge).digest());
  }
});

test('what can be guessed has 128 bits and more, and no two have anything in common [O21-56]', async () => {
  const metadata = {
    redirect_uris: ['https://app.example.com/cb'],
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  };
  const [one, other] = [await registered(server, metadata), await registered(server, metadata)];
  const session = async () => {
    const browser = new TestBrowser();
    const grant = await appOf(server, one).code(wishes, browser);
    return { cookie: browser.cookies.get('authserver_session'), code: grant.code, grant };
  };
  const [first, second] = [await session(), await session()];
  const tokens = await Promise.all(
    [first, second].map(async ({ grant }) => ok(await appOf(server, one).redeem(grant))),
  );
  const device = async () => ok(await appOf(server, one).post('/oauth/device_authorization', {}));
  const pushed = async () =>
    (
      await appOf(server, one).post('/oauth/par', {
        response_type: 'code',
        redirect_uri: 'https://app.example.com/cb',
        code_challenge: pkce().challenge,
        code_challenge_method: 'S256',
      })
    ).body;
  const pairs: Record<string, [unknown, unknown]> = {
    'client secret': [one.client_secret, other.client_secret],
    'registration token': [one.registration_access_token, other.registration_access_token],
    code: [first.code, second.code],
    session: [first.cookie, second.cookie],
    'refresh token': [tokens[0]?.refresh_token, tokens[1]?.refresh_token],
    'request URI': [(await pushed()).request_uri, (await pushed()).request_uri],
    'device code': [(await device()).device_code, (await device()).device_code],
  };
  for (const [name, pair] of Object.entries(pairs)) {
    const [left = '', right = ''] = pair.map((value) => /[A-Za-z0-9_-]+$/.exec(String(value))?.[0] ?? '');
    // What two have in common may be a prefix; what is left holds six bits a character.
    const different = [...left].filter((character, index) => character !== right[index]).length;
    assert.ok(different >= 22, `${name}: ${different} of ${left.length} characters differ`);
  }
});

test('the type of a client is recorded with how it proves itself, and shown to the operator [O21-64]', async () => {
  const redirect_uris = ['http://127.0.0.1/cb'];
  for (const [token_endpoint_auth_method, application_type] of [
    ['none', 'native'],
    ['client_secret_basic', 'web'],
  ] as const) {
    const client = await registered(server, { redirect_uris, token_endpoint_auth_method, application_type });
    const shown = await server.admin.client.get({ id: client.client_id });
    assert.equal(shown.token_endpoint_auth_method, token_endpoint_auth_method);
    assert.equal(shown.application_type, application_type);
  }
});

test('where a token is needed, missing and wrong, stopped, and malformed are told apart [MCP-39]', async () => {
  const client = await registered(server, { redirect_uris: ['https://app.example.com/cb'] });
  const { registration_client_uri: uri, registration_access_token: token } = client;
  assert.equal((await manage('GET', uri, undefined)).status, 401);
  assert.equal((await manage('GET', uri, 'rat_wrong')).status, 401);
  assert.equal((await manage('PUT', uri, token, { client_id: client.client_id, redirect_uris: 'x' })).status, 400);
  await server.admin.client.suspend({ id: client.client_id });
  assert.equal((await manage('GET', uri, token)).status, 403);
});
