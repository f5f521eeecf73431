import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { deniedByPage, deniedByRedirect, ok, signIn } from '../support/test-app.ts';

const server = await startAuthServer();
const user = await server.user();
const resource = await server.resource();
const app = await server.client();

/** Rows of every table. */
const rows = async (): Promise<Record<string, number>> => {
  const tables = await server.sql<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'
        and table_name <> 'connection_events'`,
  );
  const counts = await Promise.all(
    tables.map(
      async ({ name }) => [name, Number((await server.sql(`select count(*) as n from "${name}"`))[0]?.n)] as const,
    ),
  );
  return Object.fromEntries(counts);
};

test('nobody who is not signed in can make us write a row, but those of the flight recorder, which are bounded', async () => {
  const before = await rows();
  assert.ok(Object.keys(before).length > 10);
  for (let n = 0; n < 5; n += 1) {
    const browser = new TestBrowser();
    const page = await app.start({ resource: resource.uri, state: `state ${n}` }, browser);
    assert.match((await browser.follow(page)).html, /type="password"/);
    await app.start({ scope: 'bogus' });
    await app.start({ redirect_uri: 'https://evil.example/' });
    await browser.get(app.url('/consent?request=x'));
    await browser.get(app.url('/'));
  }
  assert.deepEqual(await rows(), before);
});

test('without a session the browser goes to sign in, and from there on to the client [O21-18 O21-19]', async () => {
  const browser = new TestBrowser();
  const start = await app.start({ resource: resource.uri }, browser);
  assert.equal(start.status, 303);
  assert.match(String(start.location?.pathname), /\/login$/);
  const callback = await app.throughPages(browser, start, { user });
  assert.ok(callback.searchParams.get('code'));
  assert.equal(callback.searchParams.get('state'), 'the-state');
});

test('with a session and a consent that covers everything a code comes at once', async () => {
  const browser = new TestBrowser();
  await app.code({ user, resource: resource.uri }, browser);
  const again = await app.start({ resource: resource.uri }, browser);
  assert.equal(again.status, 303);
  assert.ok(again.location?.searchParams.get('code'));
});

test('an answer without state has none (RFC 6749 §4.1.2)', async () => {
  const page = await app.start({ state: undefined, scope: 'bogus' });
  assert.equal(page.location?.searchParams.has('state'), false);
});

test('state comes back byte for byte (RFC 6749 §4.1.2) [O21-35]', async () => {
  const state = ' +&=#%/?"<>\\\u00e9\u{1f600}\n';
  const page = await app.start({ state, scope: 'bogus' });
  assert.equal(page.location?.searchParams.get('state'), state);
});

const told: Record<string, [code: string, params: Record<string, string | undefined>]> = {
  'an unknown resource': ['invalid_target', { resource: 'https://nobody.example/mcp' }],
  'a resource that is no URI': ['invalid_target', { resource: '/mcp' }],
  'a resource with a fragment': ['invalid_target', { resource: `${resource.uri}#x` }],
  'no response_type': ['invalid_request', { response_type: undefined }],
  'another response_type': ['unsupported_response_type', { response_type: 'token' }],
  'no PKCE': ['invalid_request', { code_challenge: undefined }],
  'a scope the resource does not offer': ['invalid_scope', { resource: resource.uri, scope: 'files/read' }],
  'a scope nobody offers': ['invalid_scope', { scope: 'files/read' }],
  'a malformed scope': ['invalid_scope', { scope: 'tools/read "x"' }],
};
for (const [name, [code, params]] of Object.entries(told))
  test(`the client is told of ${name}: ${code} (RFC 6749 §4.1.2.1) [O21-33 R6749-06 R8707-01 R8707-02]`, async () => {
    deniedByRedirect(await app.start(params), app, code, server.issuer);
  });

test('a scope outside the ceiling is invalid_scope (RFC 6749 §4.1.2.1)', async () => {
  const bounded = await server.client({ ceiling: ['tools/read'] });
  const page = await bounded.start({ resource: resource.uri, scope: 'tools/write' });
  deniedByRedirect(page, bounded, 'invalid_scope', server.issuer);
});

test('a client that may not use codes is unauthorized_client (RFC 6749 §4.1.2.1)', async () => {
  const machine = await server.client({ grantTypes: ['client_credentials'], authMethod: 'client_secret_post' });
  deniedByRedirect(await machine.start(), machine, 'unauthorized_client', server.issuer);
});

test('who asks or where to is wrong: only a page says so (RFC 6749 §4.1.2.1) [O21-12 MCP-17]', async () => {
  deniedByPage(await app.start({ client_id: undefined }));
  deniedByPage(await app.start({ client_id: 'client_nobody' }));
  deniedByPage(await app.start({ client_id: 'https://client.example/metadata.json' }));
  const blocked = await server.client();
  await server.change('client', blocked.clientId, (tx) =>
    tx.clients.setStatus(blocked.clientId, ['active'], 'suspended'),
  );
  deniedByPage(await blocked.start(), 403);
});

test('the resource is compared as RFC 8707 means it, and the token carries the registered spelling [MCP-14 MCP-15]', async () => {
  const odd = await server.resource({ uri: 'https://Files.example.com' });
  for (const spelling of ['https://files.example.com/', 'HTTPS://FILES.example.com', odd.slug]) {
    const grant = await app.code({ user, resource: spelling });
    assert.deepEqual(decodeJwt(ok(await app.redeem({ ...grant, resource: undefined })).access_token).aud, [odd.uri]);
  }
});

test('without resource the audience is the issuer (RFC 9068 §3) [R9068-05]', async () => {
  const { access_token } = await app.authorize({ user, scope: 'tools/read' });
  assert.deepEqual(decodeJwt(access_token).aud, [server.issuer]);
});

test('a request without scope gets the defaults, cut to the ceiling, and shows them (RFC 6749 §3.3) [O21-03]', async () => {
  const marked = await server.resource({ scopes: [{ name: 'a', default: true }, { name: 'b', default: true }, 'c'] });
  assert.equal((await app.authorize({ user, resource: marked.uri })).scope, 'a b');
  const bounded = await server.client({ ceiling: ['b', 'c'] });
  const browser = new TestBrowser();
  const consent = await browser.follow(
    await signIn(browser, await browser.follow(await bounded.start({ resource: marked.uri }, browser)), user),
  );
  assert.deepEqual(consent.checkboxes('scopes'), ['b']);
  assert.equal((await app.authorize({ user, resource: resource.uri })).scope, 'tools/read tools/write');
});

test('nothing left to grant is invalid_scope (RFC 6749 §3.3)', async () => {
  const elsewhere = await server.client({ ceiling: ['other/scope'] });
  deniedByRedirect(await elsewhere.start({ resource: resource.uri }), elsewhere, 'invalid_scope', server.issuer);
});

test('oauth.require_scope refuses a request without scope (RFC 6749 §3.3)', async () => {
  const strict = await startAuthServer({ env: { OAUTH_REQUIRE_SCOPE: 'true' } });
  const client = await strict.client();
  const { uri } = await strict.resource();
  deniedByRedirect(await client.start({ resource: uri }), client, 'invalid_scope', strict.issuer);
  assert.match(String((await client.start({ resource: uri, scope: 'tools/read' })).location?.pathname), /\/login$/);
});

test('offline_access is accepted from everybody and grants nothing of its own (OIDC Core §11) [MCP-35]', async () => {
  const tokens = await app.authorize({ user, resource: resource.uri, scope: 'offline_access tools/read' });
  assert.equal(tokens.scope, 'tools/read');
  assert.ok(tokens.refresh_token);
  const bounded = await server.client({ ceiling: ['tools/read'] });
  assert.equal(
    (await bounded.authorize({ user, resource: resource.uri, scope: 'tools/read offline_access' })).scope,
    'tools/read',
  );
});
