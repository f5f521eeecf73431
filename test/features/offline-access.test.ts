/** Who gets a refresh token: `offline_access` (OpenID Connect Core §11) and the policy an operator sets for a client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auth, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import type { OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { runCli } from '../support/command-line.ts';
import { answerConsent, denied, ok, signIn } from '../support/test-app.ts';

const server = await startAuthServer();
const user = await server.user();
const resource = await server.resource();
const at = { user, resource: resource.uri };

const json = async (path: string) => (await (await fetch(`${server.issuer}${path}`)).json()) as Record<string, unknown>;

test('offline_access is advertised by the server, and not by its resources [MCP-35]', async () => {
  const scopes = (await json('/.well-known/oauth-authorization-server')).scopes_supported as string[];
  assert.ok(scopes.includes('offline_access'));
  assert.ok(scopes.includes('tools/read'));
  const document = await json(`/.well-known/oauth-protected-resource/${resource.slug}`);
  assert.deepEqual(document.scopes_supported, ['tools/read', 'tools/write']);
});

test('asking for it never fails, whoever asks and however [MCP-35]', async () => {
  const bounded = await server.client({ ceiling: ['tools/read'] });
  const without = await server.client({ grantTypes: ['authorization_code'] });
  const some = await server.client();
  for (const client of [some, bounded, without])
    for (const scope of ['offline_access', 'tools/read offline_access', 'offline_access tools/read offline_access']) {
      const tokens = await client.authorize({ ...at, scope });
      assert.ok(tokens.scope.includes('tools/read'));
      assert.ok(!tokens.scope.includes('offline_access'), 'it permits nothing at a resource');
      assert.equal(tokens.refresh_token === undefined, client === without);
    }
});

test('a refresh may name it too', async () => {
  const client = await server.client();
  const tokens = await client.authorize({ ...at, scope: 'tools/read offline_access' });
  assert.equal(
    ok(await client.refresh(tokens.refresh_token, { scope: 'tools/read offline_access' })).scope,
    'tools/read',
  );
});

test('registered: whoever registered for refresh tokens gets one, asked or not', async () => {
  const client = await server.client({ refreshTokenPolicy: 'registered' });
  assert.ok((await client.authorize({ ...at, scope: 'tools/read' })).refresh_token);
});

test('offline_access: only who asked for it, and was allowed it', async () => {
  const client = await server.client({ refreshTokenPolicy: 'offline_access' });
  assert.equal((await client.authorize({ ...at, scope: 'tools/read' })).refresh_token, undefined);
  const browser = new TestBrowser();
  const quiet = await client.code({ ...at, scope: 'tools/read' }, browser);
  assert.equal(ok(await client.redeem(quiet)).refresh_token, undefined);
  // The person has allowed the scope, but not yet that the app stays connected.
  const consent = await browser.follow(
    await client.start({ resource: resource.uri, scope: 'tools/read offline_access' }, browser),
  );
  assert.match(consent.html, /stay connected/);
  assert.ok((await answerConsent(browser, consent, 'allow')).location?.searchParams.get('code'));
  const asked = ok(await client.redeem(await client.code({ ...at, scope: 'tools/read offline_access' }, browser)));
  assert.ok(asked.refresh_token);
  assert.equal(asked.scope, 'tools/read');
  assert.ok(ok(await client.refresh(asked.refresh_token)).refresh_token);
  // Not asked, not given, although it was allowed once.
  assert.equal(
    ok(await client.redeem(await client.code({ ...at, scope: 'tools/read' }, browser))).refresh_token,
    undefined,
  );
});

test('offline_access helps nobody who is not registered for refresh tokens', async () => {
  const client = await server.client({ refreshTokenPolicy: 'offline_access', grantTypes: ['authorization_code'] });
  assert.equal((await client.authorize({ ...at, scope: 'tools/read offline_access' })).refresh_token, undefined);
});

test('always: also who never registered for them, and the grant then works', async () => {
  const client = await server.client({ refreshTokenPolicy: 'always', grantTypes: ['authorization_code'] });
  const tokens = await client.authorize({ ...at, scope: 'tools/read' });
  assert.ok(tokens.refresh_token);
  assert.ok(ok(await client.refresh(tokens.refresh_token)).refresh_token);
  const plain = await server.client({ grantTypes: ['authorization_code'] });
  denied(await plain.refresh('x'.repeat(43)), 'unauthorized_client');
});

test('the consent page says whether the app can stay connected', async () => {
  const says = async (policy: 'registered' | 'offline_access' | 'always', scope: string, registered = true) => {
    const client = await server.client({
      refreshTokenPolicy: policy,
      grantTypes: registered ? ['authorization_code', 'refresh_token'] : ['authorization_code'],
    });
    const browser = new TestBrowser();
    const login = await browser.follow(await client.start({ resource: resource.uri, scope }, browser));
    return /stay connected/.test((await browser.follow(await signIn(browser, login, user))).html);
  };
  assert.equal(await says('registered', 'tools/read'), true);
  assert.equal(await says('registered', 'tools/read', false), false);
  assert.equal(await says('offline_access', 'tools/read'), false);
  assert.equal(await says('offline_access', 'tools/read offline_access'), true);
  assert.equal(await says('always', 'tools/read', false), true);
});

test('an operator sets both, at creation and later', async () => {
  const plane = await startAuthServer({ admin: true });
  const created = await plane.admin.client.create({
    body: {
      client_name: 'Bank',
      redirect_uris: ['https://bank.example/cb'],
      refresh_token_policy: 'always',
      require_pushed_authorization_requests: true,
    },
  });
  assert.equal(created.refresh_token_policy, 'always');
  assert.equal(created.require_pushed_authorization_requests, true);
  const changed = await plane.admin.client.update({
    id: created.client_id,
    body: { refresh_token_policy: 'offline_access', require_pushed_authorization_requests: false },
  });
  assert.equal(changed.refresh_token_policy, 'offline_access');
  assert.equal(changed.require_pushed_authorization_requests, false);
  const plain = await plane.admin.client.create({
    body: { client_name: 'Plain', redirect_uris: ['https://a.example/'] },
  });
  assert.equal(plain.refresh_token_policy, 'registered');
  assert.equal(plain.require_pushed_authorization_requests, false);
});

test('so does the command line', async () => {
  const plane = await startAuthServer({ admin: true });
  const env = { AUTHPLANE_ADMIN_URL: plane.adminUrl, AUTHPLANE_ADMIN_API_KEY: plane.adminKey };
  const client = (...line: string[]) => runCli(['admin', 'client', ...line], { env });
  const asked = ['--redirect-uris', 'https://bank.example/cb', '--require-par', '--refresh-token-policy', 'always'];
  const created = await client('create', '--name', 'Bank', ...asked, '--json');
  assert.equal(created.code, 0, created.stderr);
  const { client_id: id } = JSON.parse(created.stdout);
  const held = await plane.admin.client.get({ id });
  assert.deepEqual([held.require_pushed_authorization_requests, held.refresh_token_policy], [true, 'always']);
  const changed = await client('update', '--id', id, '--no-require-par', '--refresh-token-policy', 'registered');
  assert.equal(changed.code, 0, changed.stderr);
  const after = await plane.admin.client.get({ id });
  assert.deepEqual([after.require_pushed_authorization_requests, after.refresh_token_policy], [false, 'registered']);
  assert.equal((await client('update', '--id', id, '--refresh-token-policy', 'sometimes')).code, 2);
});

test('the MCP SDK, which adds prompt=consent to offline_access, gets its refresh token and uses it [MCP-35]', async () => {
  const client = await server.client({ redirectUris: ['http://127.0.0.1:3000/cb'] });
  let verifier = '';
  let saved: OAuthTokens | undefined;
  let opened: URL | undefined;
  const provider: OAuthClientProvider = {
    redirectUrl: 'http://127.0.0.1:3000/cb',
    clientMetadata: { redirect_uris: ['http://127.0.0.1:3000/cb'], scope: 'tools/read offline_access' },
    clientInformation: () => ({ client_id: client.clientId }),
    tokens: () => saved,
    saveTokens: (tokens) => {
      saved = tokens;
    },
    redirectToAuthorization: (url) => {
      opened = url;
    },
    saveCodeVerifier: (value) => {
      verifier = value;
    },
    codeVerifier: () => verifier,
    validateResourceURL: async () => new URL(resource.uri),
  };
  // No resource metadata at this address, so the SDK takes the server itself for the authorization server.
  assert.equal(await auth(provider, { serverUrl: server.issuer, scope: 'tools/read offline_access' }), 'REDIRECT');
  assert.equal(opened?.searchParams.get('prompt'), 'consent');
  const browser = new TestBrowser();
  const callback = await client.throughPages(browser, await browser.get(String(opened)), { user });
  const authorizationCode = callback.searchParams.get('code') as string;
  assert.equal(await auth(provider, { serverUrl: server.issuer, authorizationCode }), 'AUTHORIZED');
  const first = saved?.refresh_token;
  assert.ok(first);
  assert.equal(saved?.scope, 'tools/read');
  assert.equal(await auth(provider, { serverUrl: server.issuer, scope: 'tools/read offline_access' }), 'AUTHORIZED');
  assert.notEqual(saved?.refresh_token, first);
});
