/** Pushed authorization requests (RFC 9126), with two pods: pushed at one, used at the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { type AuthServer, startAuthServer } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import { purgeNow } from '../support/purge.ts';
import {
  answerConsent,
  denied,
  deniedByPage,
  deniedByRedirect,
  type Form,
  ok,
  pkce,
  postForm,
  raw,
  signIn,
  type TestApp,
} from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const resource = await server.resource();
const app = await server.client();
const confidential = await server.client({ authMethod: 'client_secret_basic' });

const wishes = (of: TestApp, more: Form = {}): Form => ({
  response_type: 'code',
  redirect_uri: of.redirectUris[0],
  code_challenge: pkce().challenge,
  code_challenge_method: 'S256',
  state: 'the-state',
  resource: resource.uri,
  ...more,
});
const push = (of: TestApp, more: Form = {}, pod = 0) => of.post('/oauth/par', wishes(of, more), pod);
const pushed = async (of: TestApp, more: Form = {}, pod = 0): Promise<string> => {
  const answer = await push(of, more, pod);
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return String(answer.body.request_uri);
};
const authorizeUrl = (clientId: string | undefined, requestUri: string, more: Record<string, string> = {}, pod = 0) => {
  const query = new URLSearchParams({ request_uri: requestUri, ...more });
  if (clientId !== undefined) query.set('client_id', clientId);
  return `${app.url('/oauth/authorize', pod)}?${query}`;
};
const open = (of: TestApp, requestUri: string, browser = new TestBrowser(), pod = 0): Promise<Page> =>
  browser.get(authorizeUrl(of.clientId, requestUri, {}, pod));
const rows = async (of: AuthServer = server) =>
  Number((await of.sql('select count(*) as n from pushed_requests'))[0]?.n);

for (const client of [app, confidential])
  test(`${client.authMethod}: what one pod was told, another pod asks about [R9126-01 R9126-10]`, async () => {
    const { verifier, challenge } = pkce();
    const answer = await push(client, { code_challenge: challenge }, 0);
    assert.equal(answer.status, 201);
    assert.match(String(answer.headers.get('content-type')), /^application\/json/);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.equal(answer.body.expires_in, 60);
    const requestUri = String(answer.body.request_uri);
    const name = requestUri.replace('urn:ietf:params:oauth:request_uri:', '');
    assert.equal(Buffer.from(name, 'base64url').length, 32);

    const browser = new TestBrowser();
    const callback = await client.throughPages(browser, await open(client, requestUri, browser, 1), { user });
    assert.equal(callback.searchParams.get('state'), 'the-state');
    assert.equal(callback.searchParams.get('iss'), server.issuer);
    const code = callback.searchParams.get('code') as string;
    const redirectUri = client.redirectUris[0] as string;
    ok(await client.redeem({ code, verifier, redirectUri, resource: resource.uri, callback }));
  });

test('the client proves itself as at the token endpoint [R9126-02]', async () => {
  const before = await rows();
  const { clientId } = confidential;
  const to = app.url('/oauth/par');
  denied(await postForm(to, wishes(app)), 'invalid_client');
  denied(await postForm(to, { ...wishes(app), client_id: 'client_nobody' }), 'invalid_client');
  denied(await postForm(to, { ...wishes(confidential), client_id: clientId }), 'invalid_client');
  denied(
    await postForm(to, { ...wishes(confidential), client_id: clientId, client_secret: 'wrong' }),
    'invalid_client',
  );
  denied(await postForm(to, { ...wishes(app), client_id: app.clientId, client_secret: 'any' }), 'invalid_client');
  const other = { ...wishes(confidential), client_id: app.clientId };
  denied(await postForm(to, other, { authorization: confidential.basic() }), 'invalid_request');
  assert.equal(await rows(), before);
});

test('a request_uri cannot be pushed [R9126-03]', async () => {
  denied(await push(app, { request_uri: await pushed(app) }), 'invalid_request');
  denied(await push(app, { request_uri: 'https://sink.example/r' }), 'invalid_request');
});

const wrong: Record<string, [code: string, params: Form]> = {
  'no redirect_uri': ['invalid_request', { redirect_uri: undefined }],
  'no response_type': ['invalid_request', { response_type: undefined }],
  'another response_type': ['unsupported_response_type', { response_type: 'token' }],
  'another response_mode': ['invalid_request', { response_mode: 'fragment' }],
  'no PKCE': ['invalid_request', { code_challenge: undefined }],
  'a repeated parameter': ['invalid_request', { state: ['a', 'b'] }],
  'a scope nobody offers': ['invalid_scope', { scope: 'files/read' }],
  'an unknown resource': ['invalid_target', { resource: 'https://nobody.example/mcp' }],
  'a request object': ['request_not_supported', { request: 'e30.e30.' }],
  'none beside login': ['invalid_request', { prompt: 'none login' }],
  'a sign-in we do not have': ['unmet_authentication_requirements', { acr_values: 'hardware' }],
};
for (const [name, [code, params]] of Object.entries(wrong))
  test(`${name} is refused when it is pushed, and not kept [R9126-04]`, async () => {
    const before = await rows();
    denied(await push(app, params), code);
    assert.equal(await rows(), before);
  });

test('what is told names the parameter, and the document that defines the error', async () => {
  const told = async (more: Form) => (await push(app, more)).body as Record<string, string>;
  assert.match(String((await told({ state: ['a', 'b'] })).error_description), /^A parameter is repeated: state\.$/);
  assert.match(String((await told({ redirect_uri: [] })).error_description), /\(redirect_uri\)/);
  assert.match(String((await told({ redirect_uri: 'https://evil.example/cb' })).error_description), /\(redirect_uri\)/);
  const odd = { '<b>Call us</b>': ['a', 'b'] };
  assert.equal((await told(odd)).error_description, 'A request parameter is repeated.');
  assert.equal(
    (await told({ request_uri: 'urn:x' })).error_description,
    'request_uri cannot be pushed (RFC 9126, section 2.1).',
  );
  assert.match(String((await told({ resource: 'https://nobody.example/' })).type), /rfc8707#section-2$/);
  assert.match(String((await told({ response_type: 'token' })).type), /rfc6749#section-4\.1\.2\.1$/);
});

for (const client of [app, confidential])
  test(`${client.authMethod}: an address that is not registered cannot be pushed [R9126-11] [threat B01]`, async () => {
    const before = await rows();
    denied(await push(client, { redirect_uri: 'https://evil.example/cb' }), 'invalid_request');
    assert.equal(await rows(), before);
  });

test('a reference is worth something to its client alone [R9126-05]', async () => {
  const requestUri = await pushed(app);
  for (const clientId of [confidential.clientId, 'client_nobody', '', undefined])
    deniedByPage(await new TestBrowser().get(authorizeUrl(clientId, requestUri)));
  deniedByPage(await open(app, `${requestUri.slice(0, -2)}AA`));
  deniedByPage(await open(app, 'urn:ietf:params:oauth:request_uri:'));
  const twice = `${authorizeUrl(app.clientId, requestUri)}&request_uri=${encodeURIComponent(requestUri)}`;
  deniedByPage(await new TestBrowser().get(twice));
  assert.match((await new TestBrowser().follow(await open(app, requestUri))).html, /type="password"/);
});

test('neither the reference nor a secret can be read in the database', async () => {
  const requestUri = await pushed(confidential);
  const post = await server.client({ authMethod: 'client_secret_post' });
  await pushed(post);
  const dump = JSON.stringify(
    await server.sql('select encode(request_hash, $1) as hash, query from pushed_requests', ['escape']),
  );
  assert.ok(!dump.includes(requestUri.split(':').at(-1) as string));
  assert.ok(!dump.includes(post.clientSecret as string));
});

test('what stands beside a reference is ignored (RFC 9126 §4)', async () => {
  const browser = new TestBrowser();
  const more = { redirect_uri: 'https://evil.example/cb', state: 'evil', scope: 'bogus', prompt: 'none', foo: 'bar' };
  const start = await browser.get(authorizeUrl(app.clientId, await pushed(app), more));
  const callback = await app.throughPages(browser, start, { user });
  assert.equal(callback.origin, 'https://app.example.com');
  assert.equal(callback.searchParams.get('state'), 'the-state');
});

test('a reference is good for one answer, however often the pages were looked at [R9126-06]', async () => {
  const requestUri = await pushed(app, { prompt: 'consent' });
  const browser = new TestBrowser();
  const login = await browser.follow(await open(app, requestUri, browser));
  await browser.get(login.url);
  await open(app, requestUri, browser, 1);
  const consent = await browser.follow(await signIn(browser, login, user));
  assert.match((await browser.get(consent.url)).html, /Allow this app/);
  assert.ok((await answerConsent(browser, consent, 'allow')).location?.searchParams.get('code'));
  for (const pod of [0, 1]) {
    deniedByPage(await open(app, requestUri, browser, pod));
    deniedByPage(await open(app, requestUri, new TestBrowser(), pod));
  }
  deniedByPage(await answerConsent(browser, consent, 'allow'));
  deniedByPage(await answerConsent(browser, consent, 'deny'));
});

test('a refusal uses it up as well, be it a person or a parameter that refuses [R9126-06]', async () => {
  const requestUri = await pushed(app, { prompt: 'consent' });
  const browser = new TestBrowser();
  const consent = await browser.follow(
    await signIn(browser, await browser.follow(await open(app, requestUri, browser)), user),
  );
  deniedByRedirect(await answerConsent(browser, consent, 'deny'), app, 'access_denied', server.issuer);
  deniedByPage(await open(app, requestUri, browser));

  const silent = await pushed(app, { prompt: 'none' });
  deniedByRedirect(await open(app, silent), app, 'login_required', server.issuer);
  deniedByPage(await open(app, silent));
});

test('two browsers at two pods get one code between them [R9126-06]', async () => {
  const browsers = [new TestBrowser(), new TestBrowser()];
  for (const browser of browsers) await app.code({ user, resource: resource.uri }, browser);
  for (let round = 0; round < 5; round += 1) {
    const requestUri = await pushed(app);
    const answers = await Promise.all(
      [0, 1, 2, 3].map((n) => open(app, requestUri, browsers[n % 2] as TestBrowser, n % 2)),
    );
    assert.equal(answers.filter((answer) => answer.location?.searchParams.get('code')).length, 1);
    assert.equal(answers.filter((answer) => answer.status === 400 && !answer.location).length, 3);
  }
});

test('it expires; but a person whose browser came in time may take theirs [R9126-06]', async () => {
  const late = await pushed(app);
  const inTime = await pushed(app);
  const browser = new TestBrowser();
  const login = await browser.follow(await open(app, inTime, browser));
  server.clock.advance(61);
  deniedByPage(await open(app, late));
  server.clock.advance(300);
  const callback = await app.throughPages(browser, await signIn(browser, login, user), { user });
  assert.ok(callback.searchParams.get('code'));
  server.clock.advance(700);
  const left = await rows();
  assert.ok(left > 0);
  await purgeNow(server, ['sessions']);
  assert.equal(await rows(), 0);
});

test('only POST, only forms, only so much [R9126-08]', async () => {
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const answer = await raw(app.url('/oauth/par'), { method });
    assert.equal(answer.status, 405);
    assert.match(String(answer.headers.get('allow')), /POST/);
  }
  assert.equal((await push(app, { state: 'x'.repeat(17_000) })).status, 413);
  const json = await fetch(app.url('/oauth/par'), {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json' },
  });
  assert.ok([400, 415].includes(json.status));
});

test('a request that is too long for an address can be pushed', async () => {
  const state = 'x'.repeat(12_000);
  deniedByPage(await new TestBrowser().get(app.authorizeUrl(pkce().challenge, { state })));
  const browser = new TestBrowser();
  const callback = await app.throughPages(browser, await open(app, await pushed(app, { state }), browser), { user });
  assert.equal(callback.searchParams.get('state'), state);
});

test('a client that must push is refused when it does not [R9126-09]', async () => {
  const strict = await server.client({ requirePushed: true });
  deniedByRedirect(await strict.start({ resource: resource.uri }), strict, 'invalid_request', server.issuer);
  const browser = new TestBrowser();
  const callback = await strict.throughPages(browser, await open(strict, await pushed(strict), browser), { user });
  assert.ok(callback.searchParams.get('code'));
});

test('a server may demand it of everybody, and says so [R9126-09 R9126-10]', async () => {
  const metadata = async (of: AuthServer) =>
    (await (await fetch(`${of.issuer}/.well-known/oauth-authorization-server`)).json()) as Record<string, unknown>;
  assert.equal((await metadata(server)).require_pushed_authorization_requests, undefined);
  assert.equal((await metadata(server)).pushed_authorization_request_endpoint, `${server.issuer}/oauth/par`);
  const strict = await startAuthServer({
    env: { OAUTH_REQUIRE_PUSHED_AUTHORIZATION_REQUESTS: 'true', OAUTH_PAR_LIFETIME: '90s' },
  });
  assert.equal((await metadata(strict)).require_pushed_authorization_requests, true);
  const client = await strict.client();
  const { uri } = await strict.resource();
  deniedByRedirect(await client.start({ resource: uri }), client, 'invalid_request', strict.issuer);
  const answer = await push(client, { resource: uri });
  assert.equal(answer.status, 201);
  assert.equal(answer.body.expires_in, 90);
});

test('only a reference of ours is one: nothing is fetched [threat C12]', async () => {
  for (const requestUri of ['https://sink.example/r', 'urn:ietf:params:oauth:request-uri:x', 'urn:example:1'])
    deniedByRedirect(await app.start({ request_uri: requestUri }), app, 'request_uri_not_supported', server.issuer);
  deniedByRedirect(
    await app.start({ request: 'eyJhbGciOiJub25lIn0.e30.' }),
    app,
    'request_not_supported',
    server.issuer,
  );
});

test('what was pushed must still be possible when it is opened', async () => {
  const client = await server.client();
  const requestUri = await pushed(client);
  await server.change('client', client.clientId, (tx) =>
    tx.clients.setStatus(client.clientId, ['active'], 'suspended'),
  );
  deniedByPage(await open(client, requestUri), 403);
});

test('oauth4webapi pushes, authorizes and redeems', async () => {
  const plainHttp = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(server.issuer);
  const as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plainHttp }),
  );
  const client = { client_id: confidential.clientId };
  const authentication = oauth.ClientSecretBasic(confidential.clientSecret as string);
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const redirectUri = confidential.redirectUris[0] as string;
  const answer = await oauth.pushedAuthorizationRequest(
    as,
    client,
    authentication,
    {
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'tools/read',
      resource: resource.uri,
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    },
    plainHttp,
  );
  const { request_uri: requestUri } = await oauth.processPushedAuthorizationResponse(as, client, answer);
  const browser = new TestBrowser();
  const callback = await confidential.throughPages(browser, await open(confidential, requestUri, browser), { user });
  const params = oauth.validateAuthResponse(as, client, callback, state);
  const tokens = await oauth.processAuthorizationCodeResponse(
    as,
    client,
    await oauth.authorizationCodeGrantRequest(as, client, authentication, params, redirectUri, verifier, plainHttp),
  );
  assert.equal(tokens.scope, 'tools/read');
});

// Last, because it spends the budget of this address.
test('whoever proves nothing about itself may push so much and no more [R9126-08] [threat L10]', async () => {
  const all = await Promise.all(Array.from({ length: 60 }, () => push(app)));
  const refused = all.filter(({ status }) => status === 429);
  assert.ok(refused.length > 0 && refused.length < 60, `${refused.length} of 60`);
  for (const answer of refused) {
    denied(answer, 'slow_down', 429);
    assert.ok(Number(answer.headers.get('retry-after')) >= 1);
  }
  assert.equal((await push(confidential)).status, 201, 'a known client is not held up by them');
});
