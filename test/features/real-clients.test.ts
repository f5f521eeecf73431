/**
 * What the clients people use do, as seen while running them or as their users report it. Each test is named after a
 * client; a change that breaks one locks somebody out.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { startMetadataHost } from '../support/metadata-host.ts';
import { type Answer, denied, ok, pkce, postForm, raw, read, TestApp, type Tokens } from '../support/test-app.ts';

const localFetch = { CIMD_REQUIRE_HTTPS: 'false', CIMD_ALLOW_PRIVATE_ADDRESSES: 'true' };
const server = await startAuthServer({ pods: 2, env: localFetch });
const resource = await server.resource({ uri: 'https://mcp.example.com/', scopes: ['tools/read', 'tools/write'] });
const user = await server.user();

const register = async (metadata: Record<string, unknown>): Promise<Answer> =>
  read(
    await fetch(`${server.issuer}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(metadata),
    }),
  );

const registered = async (metadata: Record<string, unknown>): Promise<TestApp> => {
  const { status, body } = await register(metadata);
  assert.equal(status, 201, JSON.stringify(body));
  return new TestApp(
    server.pods.map(({ url }) => url),
    {
      clientId: String(body.client_id),
      clientSecret: body.client_secret as string | undefined,
      authMethod: body.token_endpoint_auth_method as TestApp['authMethod'],
      redirectUris: body.redirect_uris as string[],
    },
  );
};

test('Claude Code: registers a callback without a port and comes back on any', async () => {
  for (const host of ['localhost', '127.0.0.1', '[::1]']) {
    const app = await registered({
      client_name: 'Claude Code',
      redirect_uris: [`http://${host}/callback`],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    });
    const grant = await app.code({ user, resource: resource.uri, redirectUri: `http://${host}:53682/callback` });
    assert.equal(grant.callback.port, '53682');
    ok(await app.redeem(grant));
  }
});

test('Claude Code: asks for no scope and names no resource, and still gets a token and its refresh', async () => {
  const app = await registered({
    client_name: 'Claude Code',
    redirect_uris: ['http://localhost/callback'],
    token_endpoint_auth_method: 'none',
  });
  const tokens = ok(await app.redeem(await app.code({ user })));
  assert.ok(tokens.scope.includes('tools/read'));
  assert.ok(tokens.refresh_token);
  ok(await app.refresh(tokens.refresh_token));
});

test('VS Code: falls back from port 33418 to a random one, and asks with the trailing slash it saw', async () => {
  const app = await registered({
    client_name: 'Visual Studio Code',
    redirect_uris: ['http://127.0.0.1:33418', 'https://vscode.dev/redirect'],
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  });
  const grant = await app.code({ user, resource: 'https://MCP.example.com', redirectUri: 'http://127.0.0.1:49877' });
  const tokens = ok(await app.redeem(grant, { resource: 'https://mcp.example.com/' }));
  assert.deepEqual(
    [decodeJwt(tokens.access_token).aud].flat(),
    ['https://mcp.example.com/'],
    'the registered spelling',
  );
});

test('Cursor: a private-use scheme with a host, registered as it sends it', async () => {
  const callback = 'cursor://anysphere.cursor-mcp/oauth/callback';
  const app = await registered({
    client_name: 'Cursor',
    redirect_uris: [callback],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  });
  const grant = await app.code({ user, resource: resource.uri });
  assert.ok(grant.callback.href.startsWith(`${callback}?`));
  ok(await app.redeem(grant));
});

test('Claude on the web: registers with client_secret_post and gets back what it asked for', async () => {
  const { status, body } = await register({
    client_name: 'Claude',
    redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    scope: 'tools/read',
    token_endpoint_auth_method: 'client_secret_post',
  });
  assert.equal(status, 201);
  assert.equal(body.token_endpoint_auth_method, 'client_secret_post');
  assert.equal(body.client_secret_expires_at, 0);
  assert.ok(!Object.values(body).includes(null));
});

test('Claude on the web: finds in the metadata what makes it use a document, and asks for offline access', async () => {
  const metadata = (await (await fetch(`${server.issuer}/.well-known/oauth-authorization-server`)).json()) as Record<
    string,
    string[]
  >;
  assert.equal(metadata.client_id_metadata_document_supported, true);
  assert.ok(metadata.token_endpoint_auth_methods_supported?.includes('none'));
  assert.ok(metadata.scopes_supported?.includes('offline_access'));
  assert.deepEqual(metadata.code_challenge_methods_supported, ['S256']);
  const app = await registered({
    client_name: 'Claude',
    redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
    token_endpoint_auth_method: 'none',
  });
  const tokens = ok(
    await app.redeem(await app.code({ user, resource: resource.uri, scope: 'tools/read offline_access' })),
  );
  assert.ok(tokens.refresh_token);
});

test('Claude on the web: goes to /authorize and /token of the host when the operator lets it [M25-05]', async () => {
  const lenient = await startAuthServer({ env: { OAUTH_FALLBACK_PATHS: 'true' } });
  const app = await lenient.client();
  await lenient.resource();
  const { verifier, challenge } = pkce();
  const browser = new TestBrowser();
  const start = await browser.get(app.authorizeUrl(challenge).replace('/oauth/authorize?', '/authorize?'));
  const callback = await app.throughPages(browser, start, { user: await lenient.user() });
  const answer = await postForm(`${lenient.issuer}/token`, {
    grant_type: 'authorization_code',
    client_id: app.clientId,
    redirect_uri: app.redirectUris[0],
    code: callback.searchParams.get('code') ?? '',
    code_verifier: verifier,
  });
  ok(answer);
  const registration = await fetch(`${lenient.issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'Claude', redirect_uris: ['https://claude.ai/api/mcp/auth_callback'] }),
  });
  assert.equal(registration.status, 201);
  assert.equal((await postForm(`${server.issuer}/token`, {})).status, 404, 'not unless it is switched on');
});

test('ChatGPT: a metadata document with unknown members and without an authentication method', async () => {
  const host = await startMetadataHost();
  const clientId = host.publish('/chatgpt.json', (url) => ({
    client_id: url,
    client_name: 'ChatGPT',
    redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    x_openai_connector: { version: 3 },
    contacts: null,
  }));
  const app = new TestApp([server.issuer], {
    clientId,
    clientSecret: undefined,
    authMethod: 'none',
    redirectUris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
  });
  ok(await app.redeem(await app.code({ user, resource: resource.uri })));
});

test('MCP Inspector: a browser app reads the metadata with its protocol headers, across origins', async () => {
  const headers = {
    origin: 'http://localhost:6274',
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'mcp-protocol-version,mcp-method,mcp-name',
  };
  const preflight = await fetch(`${server.issuer}/.well-known/oauth-authorization-server`, {
    method: 'OPTIONS',
    headers,
  });
  assert.equal(preflight.status, 204);
  const allowed = (preflight.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(', ');
  for (const header of ['mcp-protocol-version', 'mcp-method', 'mcp-name']) assert.ok(allowed.includes(header), header);
  const read = await fetch(`${server.issuer}/.well-known/oauth-authorization-server`, {
    headers: { origin: 'http://localhost:6274', 'mcp-protocol-version': '2026-07-28' },
  });
  assert.equal(read.headers.get('access-control-allow-origin'), '*');
  assert.match(read.headers.get('access-control-expose-headers') ?? '', /WWW-Authenticate.*DPoP-Nonce/);
});

test('MCP Inspector: probes every place a discovery document might be and never meets a web page', async () => {
  for (const path of [
    'oauth-authorization-server/mcp',
    'openid-configuration/mcp',
    'oauth-protected-resource/nothing',
    'anything',
  ]) {
    const answer = await raw(`${server.issuer}/.well-known/${path}`, { headers: { accept: 'text/html,*/*' } });
    assert.equal(answer.status, 404, path);
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  }
});

test('every client: parallel refreshes of one token all go on, on both pods', async () => {
  const app = await server.client();
  const tokens = await app.authorize({ user, resource: resource.uri });
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => app.refresh(tokens.refresh_token, {}, n % 2)));
  const successors = new Set(answers.map((answer) => ok(answer).refresh_token));
  assert.equal(successors.size, 1, 'one successor for all');
  const [family] = await server.sql(
    `select count(*)::int as live from token_families where client_id = $1 and revoked_at is null`,
    [app.clientId],
  );
  assert.equal(family?.live, 1);
  const [successor] = successors;
  ok(await app.refresh(successor as string, {}, 1));
  denied(await app.refresh(tokens.refresh_token), 'invalid_grant');
  denied(await app.refresh(successor as string), 'invalid_grant');
});

test('every client: one whose registration is gone learns it in the right words', async () => {
  const app = await registered({
    client_name: 'Old',
    redirect_uris: ['http://localhost/cb'],
    token_endpoint_auth_method: 'none',
  });
  await server.change('client', app.clientId, (tx) => tx.clients.delete(app.clientId));
  denied(await app.token({ grant_type: 'refresh_token', refresh_token: 'x'.repeat(43) }), 'invalid_client');
  const page = await app.start();
  assert.equal(page.status, 400);
  assert.match(page.html, /not registered/);
});

test('every client: `iss` comes back on success and on errors, byte for byte', async () => {
  const app = await server.client();
  const grant = await app.code({ user, resource: resource.uri });
  assert.equal(grant.callback.searchParams.get('iss'), server.issuer);
  const refused = await app.start({ scope: 'nobody/offers' });
  assert.equal(refused.location?.searchParams.get('iss'), server.issuer);
});

test('every client: a login URL of eight kilobytes is no problem [threat L03]', async () => {
  const app = await server.client();
  const page = await app.start({ state: 's'.repeat(7_500), resource: resource.uri });
  assert.equal(page.status, 303);
});

test('every client: after insufficient_scope it asks for the union, and the grown scope stays', async () => {
  const app = await server.client();
  const browser = new TestBrowser();
  const first = ok(
    await app.redeem(await app.code({ user, resource: resource.uri, scope: 'tools/read' }, browser)),
  ) as Tokens;
  assert.equal(first.scope, 'tools/read');
  const grown = ok(
    await app.redeem(await app.code({ user, resource: resource.uri, scope: 'tools/read tools/write' }, browser)),
  );
  assert.deepEqual(grown.scope.split(' ').sort(), ['tools/read', 'tools/write']);
  const refreshed = ok(await app.refresh(grown.refresh_token));
  assert.deepEqual(refreshed.scope.split(' ').sort(), ['tools/read', 'tools/write']);
});

test('every client: HTTP Basic with or without form encoding', async () => {
  const app = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const encoded = `${encodeURIComponent(app.clientId)}:${encodeURIComponent(app.clientSecret as string)}`;
  for (const pair of [encoded, `${app.clientId}:${app.clientSecret}`])
    ok(
      await postForm(
        app.url('/oauth/token'),
        { grant_type: 'client_credentials' },
        { authorization: `Basic ${Buffer.from(pair).toString('base64')}` },
      ),
    );
});
