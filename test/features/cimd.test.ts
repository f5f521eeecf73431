/** Clients that are known by a document they publish (draft-ietf-oauth-client-id-metadata-document). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { localFetch, type Published, startMetadataHost } from '../support/metadata-host.ts';
import { answerConsent, denied, deniedByPage, ok, pkce, signIn, TestApp } from '../support/test-app.ts';

const redirectUris = ['https://app.example.com/cb'];
const server = await startAuthServer({ env: localFetch, admin: true });
const host = await startMetadataHost();
const user = await server.user();
const { uri: resource } = await server.resource();

const metadata =
  (change: Record<string, unknown> = {}) =>
  (url: string) => ({
    client_id: url,
    client_name: 'Document App',
    redirect_uris: redirectUris,
    ...change,
  });
let made = 0;
/** An app with a document of its own. */
const app = (change: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
  appAt(
    host.publish(`/client-${++made}.json`, metadata(change), headers),
    change.redirect_uris as string[] | undefined,
  );
const appAt = (clientId: string, uris: readonly string[] = redirectUris, on = server) =>
  new TestApp(
    on.pods.map(({ url }) => url),
    { clientId, clientSecret: undefined, authMethod: 'none', redirectUris: uris },
  );
const pathOf = ({ clientId }: TestApp) => new URL(clientId).pathname;
const rowsOf = ({ clientId }: TestApp) => server.sql('select * from clients where client_id = $1', [clientId]);

test('a client nobody registered gets tokens, refreshes and revokes them [MCP-02 MCP-30 CIMD-03]', async () => {
  const client = app();
  const first = await client.authorize({ user, resource, scope: 'tools/read' });
  const second = ok(await client.refresh(first.refresh_token));
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal((await client.revoke(second.refresh_token)).status, 200);
  denied(await client.refresh(second.refresh_token), 'invalid_grant');
  assert.equal(host.count(pathOf(client)), 1);
  const [row] = await rowsOf(client);
  assert.equal(row?.registration_source, 'cimd');
  assert.equal(row?.cimd_url, client.clientId);
  const audit = await server.sql(
    `select actor_id, details from audit_events where action = 'client.registered' and client_id = $1`,
    [client.clientId],
  );
  assert.equal(audit.length, 1);
  assert.equal(audit[0]?.actor_id, user.id);
  assert.equal((audit[0]?.details as { source: string } | undefined)?.source, 'cimd');
  assert.equal(await server.metric('authserver_clients_registered_total', { source: 'cimd' }), 1);
});

test('an address that is not in the document is told in those words', async () => {
  const page = await app().start({ redirect_uri: 'https://evil.example/cb' });
  deniedByPage(page);
  assert.match(page.html, /\(redirect_uri\) is not one the app has listed in its metadata document/);
});

test('the server says that it accepts documents [MCP-32 CIMD-15]', async () => {
  const read = async (on = server) =>
    (await (await fetch(`${on.issuer}/.well-known/oauth-authorization-server`)).json()) as Record<string, unknown>;
  const said = await read();
  assert.equal(said.client_id_metadata_document_supported, true);
  assert.ok((said.token_endpoint_auth_methods_supported as string[]).includes('none'));
  const without = await startAuthServer({ env: { CIMD_ENABLED: 'false' } });
  assert.equal('client_id_metadata_document_supported' in (await read(without)), false);
  deniedByPage(await appAt(app().clientId, redirectUris, without).start({ resource }));
});

test('nobody who is not signed in makes a row, and nobody before consenting', async () => {
  const client = app();
  const browser = new TestBrowser();
  const start = await client.start({ resource }, browser);
  assert.match(start.location?.pathname ?? '', /login$/);
  assert.deepEqual(await rowsOf(client), []);
  const consent = await browser.follow(await signIn(browser, await browser.follow(start), user));
  assert.match(consent.html, /Document App/);
  assert.deepEqual(await rowsOf(client), []);
  assert.equal((await answerConsent(browser, consent, 'deny')).location?.searchParams.get('error'), 'access_denied');
  assert.deepEqual(await rowsOf(client), []);
});

test('the consent page names the host of the document and of the answer, and who vouches for what [MCP-24 CIMD-17]', async () => {
  const browser = new TestBrowser();
  const page = await browser.follow(await app().start({ resource }, browser));
  const consent = await browser.follow(await signIn(browser, page, user));
  assert.match(consent.html, new RegExp(`<dd class="host"><bdi>${host.origin.replace('http://', '')}</bdi></dd>`));
  assert.match(consent.html, /app\.example\.com/);
  assert.match(consent.html, /This site publishes the app under that name/);
  assert.match(consent.html, /unverified/);
});

test('what a document need not say, and what it says to others, is no obstacle [CIMD-09 threat G09]', async () => {
  const client = app(
    {
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials', 'urn:example:unknown'],
      response_types: ['code', 'none'],
      scope: 'tools/admin',
      logo_uri: `${host.origin}/logo.png`,
      client_uri: `${host.origin}/`,
      x_vendor: { deep: [1, 2] },
      contacts: null,
    },
    { 'content-type': 'application/client-id+json; charset=utf-8' },
  );
  const { scope } = await client.authorize({ user, resource, scope: 'tools/read' });
  assert.equal(scope, 'tools/read');
  const [row] = await rowsOf(client);
  assert.deepEqual(row?.grant_types, ['authorization_code', 'refresh_token']);
  denied(await client.clientCredentials({ scope: 'tools/read' }), 'unauthorized_client');
});

test('a logo is neither fetched nor linked [CIMD-19 CIMD-21 threat G03]', async () => {
  const client = app({ logo_uri: `${host.origin}/logo.png`, policy_uri: `${host.origin}/policy` });
  const browser = new TestBrowser();
  const page = await browser.follow(await client.start({ resource }, browser));
  const consent = await browser.follow(await signIn(browser, page, user));
  assert.doesNotMatch(consent.html, /logo\.png|<img/);
  assert.deepEqual([host.count('/logo.png'), host.count('/policy')], [0, 0]);
});

const lies: Record<string, [change: Record<string, unknown>, problem: RegExp]> = {
  'another client_id [MCP-27 CIMD-06]': [{ client_id: 'https://other.example/client' }, /client_id is not the URL/],
  'a client_id with a trailing slash [CIMD-06]': [
    { client_id: `${host.origin}/lie.json/` },
    /client_id is not the URL/,
  ],
  'a client_id in capitals [CIMD-06]': [{ client_id: `${host.origin}/LIE.json` }, /client_id is not the URL/],
  'no client_id [MCP-29]': [{ client_id: undefined }, /client_id/],
  'no client_name [MCP-29]': [{ client_name: undefined }, /client_name/],
  'no redirect_uris [MCP-29]': [{ redirect_uris: undefined }, /redirect_uris/],
  'empty redirect_uris': [{ redirect_uris: [] }, /redirect_uris/],
  'a script as redirect': [{ redirect_uris: ['javascript:alert(1)'] }, /redirect_uris/],
  'client_secret_basic [CIMD-07]': [{ token_endpoint_auth_method: 'client_secret_basic' }, /none or private_key_jwt/],
  'client_secret_post [CIMD-07]': [{ token_endpoint_auth_method: 'client_secret_post' }, /none or private_key_jwt/],
  'client_secret_jwt [CIMD-07]': [{ token_endpoint_auth_method: 'client_secret_jwt' }, /none or private_key_jwt/],
  'a client_secret [CIMD-08]': [{ client_secret: 'x' }, /client_secret must not/],
  'client_secret_expires_at [CIMD-08]': [{ client_secret_expires_at: 0 }, /client_secret_expires_at must not/],
  'private_key_jwt without keys': [{ token_endpoint_auth_method: 'private_key_jwt' }, /needs jwks/],
  'a private key': [{ jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'a', y: 'b', d: 'c' }] } }, /private or secret/],
  'grants that need no person': [{ grant_types: ['client_credentials'] }, /grant_types/],
};
for (const [name, [change, problem]] of Object.entries(lies))
  test(`a document with ${name} is refused, and told why [threat G09]`, async () => {
    const page = await appAt(host.publish('/lie.json', metadata(change))).start({ resource });
    deniedByPage(page);
    assert.match(page.html.replaceAll('&#39;', "'"), problem);
  });

const answers: Record<string, [body: Published, headers: Record<string, string>, status: number]> = {
  'what is not JSON [MCP-29]': ['<html>', {}, 200],
  'a JSON array': ['[]', {}, 200],
  'a JSON string': ['"x"', {}, 200],
  'a broken encoding': ['{"a":"\ud800"', {}, 200],
  'another media type': [{}, { 'content-type': 'text/html' }, 200],
  'no media type': [{}, { 'content-type': '' }, 200],
  'a deep one': ['['.repeat(20_000), {}, 200],
  'a polluting one': ['{"__proto__":{"client_id":"x"},"constructor":{"prototype":{}}}', {}, 200],
};
for (const [name, [body, headers, status]] of Object.entries(answers))
  test(`a document that is ${name} is refused [threat G09]`, async () => {
    deniedByPage(await appAt(host.publish('/strange.json', body, headers, status)).start({ resource }));
  });

for (const status of [201, 203, 204, 206, 301, 302, 400, 401, 403, 404, 410, 429, 500, 503])
  test(`an answer with status ${status} is no document [CIMD-04 CIMD-05 CIMD-10 CIMD-12]`, async () => {
    const good = app();
    const headers = { location: good.clientId };
    const client = appAt(host.publish(`/status-${status}.json`, status === 204 ? '' : metadata(), headers, status));
    deniedByPage(await client.start({ resource }));
    assert.equal(host.count(pathOf(good)), 0, 'a redirect is not followed');
    // And it is not remembered: the developer mends it and tries again.
    host.publish(`/status-${status}.json`, metadata());
    assert.match((await client.start({ resource })).location?.pathname ?? '', /login$/, 'CIMD-12');
  });

test('an invalid document is not remembered [CIMD-13]', async () => {
  const client = appAt(host.publish('/mended.json', '{"client_id":', {}));
  deniedByPage(await client.start({ resource }));
  host.publish('/mended.json', metadata());
  assert.match((await client.start({ resource })).location?.pathname ?? '', /login$/);
});

test('a document that is too large is refused quickly [CIMD-20]', async () => {
  const started = performance.now();
  deniedByPage(
    await appAt(host.publish('/large.json', (url) => ({ ...metadata()(url), padding: 'x'.repeat(1_000_000) }))).start(
      {},
    ),
  );
  assert.ok(performance.now() - started < 1_000);
});

test('the redirect URI is one of the document, exactly [MCP-28 CIMD-14]', async () => {
  const client = app({ redirect_uris: ['https://app.example.com/cb', 'http://127.0.0.1:4000/cb'] });
  for (const uri of [
    'https://app.example.com/cb2',
    'https://app.example.com:8443/cb',
    'https://evil.example/cb',
    'http://127.0.0.1:4000/x',
  ])
    deniedByPage(await client.start({ redirect_uri: uri, resource }));
  for (const uri of ['https://app.example.com/cb', 'http://127.0.0.1:5555/cb'])
    assert.match((await client.start({ redirect_uri: uri, resource })).location?.pathname ?? '', /login$/);
});

const badUrls: Record<string, string> = {
  'with a fragment': `${host.origin}/c.json#x`,
  'with user information': `${host.origin.replace('//', '//a:b@')}/c.json`,
  'without a path': host.origin,
  'with an empty path': `${host.origin}/`,
  'with dot segments': `${host.origin}/a/../c.json`,
  'with hidden dot segments': `${host.origin}/a/%2e%2e/c.json`,
  'with a host in capitals': `${host.origin.replace('localhost', 'LOCALHOST')}/c.json`,
  'with a backslash': `${host.origin}\\c.json`,
  'of another scheme': 'https:c.json',
};
for (const [name, clientId] of Object.entries(badUrls))
  test(`a client id ${name} is not fetched [CIMD-01]`, async () => {
    const before = host.requests.length;
    deniedByPage(await appAt(clientId).start({ resource }));
    denied(await appAt(clientId).refresh('x'), 'invalid_client');
    assert.equal(host.requests.length, before);
  });

test('a query is accepted, and part of the name [CIMD-02]', async () => {
  host.publish('/query.json?v=1', metadata());
  await appAt(`${host.origin}/query.json?v=1`).authorize({ user, resource });
  deniedByPage(await appAt(`${host.origin}/query.json?v=2`).start({ resource }));
});

test('an operator has the last word: what is suspended or revoked stays so, whatever the document says', async () => {
  const client = app({}, { 'cache-control': 'no-store' });
  const blocked = (is: boolean) =>
    soon('the change arrives', async () => ((await client.start({ resource })).status === 403) === is);
  const { refresh_token } = await client.authorize({ user, resource });
  await server.admin.client.suspend({ id: client.clientId });
  await blocked(true);
  deniedByPage(await client.start({ resource }), 403);
  denied(await client.refresh(refresh_token), 'invalid_client');
  await server.admin.client.reactivate({ id: client.clientId });
  await blocked(false);
  await client.authorize({ user, resource });
  await server.admin.client.revoke({ id: client.clientId });
  await blocked(true);
});

test('an operator sees such a client, bounds it, and cannot change what its document says', async () => {
  const client = app();
  await client.authorize({ user, resource });
  const seen = await server.admin.client.get({ id: client.clientId });
  assert.deepEqual([seen.registration_source, seen.cimd_url, seen.name], ['cimd', client.clientId, 'Document App']);
  await server.admin.client.update({ id: client.clientId, body: { scope: 'tools/read' } });
  await assert.rejects(
    server.admin.client.update({ id: client.clientId, body: { client_name: 'Mine' } }),
    /metadata document/,
  );
  await soon('the bound holds', async () => {
    const page = await client.start({ resource, scope: 'tools/write' });
    return /exceeds what the client may ask for/.test(page.html);
  });
});

test('in admin_only there are no such clients, and in approved_redirects only those on the list', async () => {
  const closed = await startAuthServer({ env: { ...localFetch, DCR_MODE: 'admin_only' } });
  const client = app();
  deniedByPage(await appAt(client.clientId, redirectUris, closed).start({}));
  assert.equal(host.count(pathOf(client)), 0);
  const said = await (await fetch(`${closed.issuer}/.well-known/oauth-authorization-server`)).json();
  assert.equal('client_id_metadata_document_supported' in (said as object), false);

  const listed = await startAuthServer({
    env: { ...localFetch, DCR_MODE: 'approved_redirects', DCR_APPROVED_REDIRECTS: 'https://app.example.com/cb' },
  });
  await listed.resource();
  assert.match((await appAt(client.clientId, redirectUris, listed).start({})).location?.pathname ?? '', /login$/);
  const other = app({ redirect_uris: ['https://app.example.com/cb', 'https://other.example/cb'] });
  deniedByPage(await appAt(other.clientId, redirectUris, listed).start({}));
});

test('oauth.default_client_scope bounds it', async () => {
  const bounded = await startAuthServer({ env: { ...localFetch, OAUTH_DEFAULT_CLIENT_SCOPE: 'tools/read' } });
  const mcp = await bounded.resource();
  const someone = await bounded.user();
  const client = appAt(app().clientId, redirectUris, bounded);
  assert.equal((await client.authorize({ user: someone, resource: mcp.uri })).scope, 'tools/read');
});

test('a request may be pushed, and a device flow started, by a client that has no row yet', async () => {
  const client = app({
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  });
  const { challenge } = pkce();
  const pushed = await client.post('/oauth/par', {
    response_type: 'code',
    redirect_uri: redirectUris[0],
    code_challenge: challenge,
    code_challenge_method: 'S256',
    resource,
  });
  assert.equal(pushed.status, 201, JSON.stringify(pushed.body));
  const query = new URLSearchParams({ client_id: client.clientId, request_uri: String(pushed.body.request_uri) });
  const callback = await client.throughPages(
    new TestBrowser(),
    await new TestBrowser().get(`${client.url('/oauth/authorize')}?${query}`),
    { user },
  );
  assert.ok(callback.searchParams.get('code'));

  const other = app({
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  });
  const device = await other.post('/oauth/device_authorization', { resource });
  assert.equal(device.status, 200, JSON.stringify(device.body));
  assert.deepEqual(await rowsOf(other), []);
});
