/** The official SDK as a client that is known by its document, over https, from metadata to refresh. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auth, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { startMetadataHost } from '../support/metadata-host.ts';
import { answerConsent, signIn } from '../support/test-app.ts';

const server = await startAuthServer({
  env: { CIMD_ALLOW_PRIVATE_ADDRESSES: 'true' },
  hosts: (name) => (name === 'client.example' ? ['127.0.0.1', '::1'] : []),
});
const host = await startMetadataHost({ https: 'client.example' });
const user = await server.user();
const redirectUrl = 'https://client.example/callback';
const mcp = 'https://mcp.example.com/mcp';
await server.resource({ uri: mcp });

/** The MCP server, as far as its metadata; everything else is the authorization server. */
const recorded: string[] = [];
const fetchFn = async (input: string | URL, init?: RequestInit): Promise<Response> => {
  const url = new URL(input);
  recorded.push(`${init?.method ?? 'GET'} ${url.pathname}`);
  if (url.origin !== new URL(mcp).origin) return fetch(input, init);
  return url.pathname.startsWith('/.well-known/oauth-protected-resource')
    ? Response.json({ resource: mcp, authorization_servers: [server.issuer], scopes_supported: ['tools/read'] })
    : new Response(null, { status: 404 });
};

test('the MCP SDK comes with the URL of its document instead of registering, and refreshes [MCP-02 MCP-30 CIMD-03]', async () => {
  const clientMetadataUrl = host.publish('/mcp-client.json', (url) => ({
    client_id: url,
    client_name: 'SDK App',
    redirect_uris: [redirectUrl],
    token_endpoint_auth_method: 'none',
  }));
  const kept: { client?: OAuthClientInformationMixed; tokens?: OAuthTokens; verifier?: string; at?: URL } = {};
  const provider: OAuthClientProvider = {
    redirectUrl,
    clientMetadataUrl,
    clientMetadata: { redirect_uris: [redirectUrl], client_name: 'SDK App' },
    clientInformation: () => kept.client,
    saveClientInformation: (client) => void Object.assign(kept, { client }),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => void Object.assign(kept, { tokens }),
    codeVerifier: () => kept.verifier ?? '',
    saveCodeVerifier: (verifier) => void Object.assign(kept, { verifier }),
    redirectToAuthorization: (at) => void Object.assign(kept, { at }),
  };
  assert.equal(await auth(provider, { serverUrl: mcp, fetchFn }), 'REDIRECT');
  assert.equal(kept.client?.client_id, clientMetadataUrl);
  assert.ok(!recorded.includes('POST /oauth/register'), recorded.join('\n'));

  const browser = new TestBrowser();
  const login = await browser.follow(await browser.get(String(kept.at)));
  const consent = await browser.follow(await signIn(browser, login, user));
  assert.match(consent.html, /client\.example/);
  const answered = await answerConsent(browser, consent, 'allow');
  const authorizationCode = answered.location?.searchParams.get('code') ?? '';
  assert.equal(await auth(provider, { serverUrl: mcp, authorizationCode, fetchFn }), 'AUTHORIZED');
  const first = kept.tokens as OAuthTokens;
  const claims = decodeJwt(first.access_token);
  assert.deepEqual([claims.client_id, claims.sub, [claims.aud].flat()], [clientMetadataUrl, user.id, [mcp]]);

  assert.equal(await auth(provider, { serverUrl: mcp, fetchFn }), 'AUTHORIZED');
  assert.notEqual(kept.tokens?.refresh_token, first.refresh_token);
  assert.equal(host.count('/mcp-client.json'), 1);
});
