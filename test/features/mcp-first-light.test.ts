/** The first thing anybody does with this server, from `npm start` to a tool call, with the official SDK as the client. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { loopbackProvider, runSampleClient } from '@authserver/quickstart/client';
import { startSampleServer } from '@authserver/quickstart/server';
import { auth, type OAuthClientProvider, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { decodeJwt } from 'jose';
import { TestBrowser } from '../support/browser.ts';
import { startServer } from '../support/started-server.ts';
import { answerConsent, ok, signIn } from '../support/test-app.ts';

const server = await startServer({ by: 'npm' });
const sample = await startSampleServer({ port: 0, issuer: server.issuer });
after(() => sample.close());
const user = await server.user();
// A confidential client that acts for the MCP server, so that it may introspect the tokens meant for it.
const runtime = await server.client({ name: 'MCP server', grantTypes: ['client_credentials'], scope: 'tools/read' });
await server.resource({ slug: 'my-mcp', uri: sample.url, runtimeClients: [runtime.clientId] });

/** What a person does in the browser the client opened: log in, allow, and be sent back. */
const approve = async (authorizationUrl: URL): Promise<URL> => {
  const browser = new TestBrowser();
  const login = await browser.follow(await browser.get(authorizationUrl.href));
  assert.equal(login.status, 200, login.html);
  assert.match(login.html, /type="password"/);
  const consent = await browser.follow(await signIn(browser, login, user));
  assert.match(consent.html, /Read tools/, 'the consent page says what is asked for');
  const answered = await answerConsent(browser, consent, 'allow');
  assert.ok(answered.location, answered.html);
  return answered.location;
};

/** Every request the SDK makes to either server, for the story to be checked step by step. */
const recorded = () => {
  const steps: string[] = [];
  const record: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const url = new URL(input instanceof Request ? input.url : input);
    steps.push(`${init?.method ?? 'GET'} ${url.pathname} ${response.status}`);
    return response;
  };
  return { steps, record };
};

/** A client of the SDK with a transport of its own. */
const connected = async (authProvider: OAuthClientProvider, record: typeof fetch) => {
  const client = new Client({ name: 'first-light', version: '0.1.0' });
  const transport = new StreamableHTTPClientTransport(new URL(sample.url), { authProvider, fetch: record });
  await client.connect(transport as Transport);
  return client;
};

const whoami = async (client: Client): Promise<{ sub: string; client_id: string; scopes: string[] }> => {
  const { content } = await client.callTool({ name: 'whoami', arguments: {} });
  return JSON.parse((content as { text: string }[])[0]?.text ?? '');
};

/** The refresh, the revocation and what introspection says, with the tokens the SDK keeps in `provider`. */
const restOfTheStory = async (provider: OAuthClientProvider, record: typeof fetch) => {
  const first = (await provider.tokens()) as OAuthTokens;
  assert.ok(first.refresh_token);
  assert.equal(ok(await runtime.introspect(first.access_token)).active, true);

  assert.equal(await auth(provider, { serverUrl: sample.url, fetchFn: record }), 'AUTHORIZED');
  const second = (await provider.tokens()) as OAuthTokens;
  assert.notEqual(second.access_token, first.access_token);
  assert.notEqual(second.refresh_token, first.refresh_token, 'rotated (RFC 9700 §4.14.2)');
  const client = await connected(provider, record);
  assert.equal((await whoami(client)).sub, user.id);
  await client.close();

  const active = ok(await runtime.introspect(second.access_token));
  assert.deepEqual(
    { active: active.active, sub: active.sub, aud: active.aud },
    { active: true, sub: user.id, aud: sample.url },
  );

  const metadata = (await (await fetch(`${server.issuer}/.well-known/oauth-authorization-server`)).json()) as {
    revocation_endpoint: string;
  };
  const { client_id, client_secret } = (await provider.clientInformation()) as OAuthClientInformationMixed & {
    client_secret?: string;
  };
  const revoked = await fetch(metadata.revocation_endpoint, {
    method: 'POST',
    headers: client_secret ? { authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` } : {},
    body: new URLSearchParams({ token: second.access_token, ...(client_secret ? {} : { client_id }) }),
  });
  assert.equal(revoked.status, 200, await revoked.text());
  assert.deepEqual((await runtime.introspect(second.access_token)).body, { active: false });
};

test('a client nobody registered: 401, metadata, registration, login, consent, code, token, tool call, refresh, revocation', async (t) => {
  const { steps, record } = recorded();
  const loopback = await loopbackProvider({
    port: 0,
    onAuthorizationUrl: async (url) => {
      assert.equal(url.searchParams.get('resource'), sample.url, 'RFC 8707');
      assert.equal(url.searchParams.get('code_challenge_method'), 'S256', 'RFC 7636');
      await fetch(await approve(url));
    },
  });
  t.after(() => loopback.close());
  const client = new Client({ name: 'first-light', version: '0.1.0' });
  const transport = new StreamableHTTPClientTransport(new URL(sample.url), {
    authProvider: loopback.provider,
    fetch: record,
  });
  await assert.rejects(client.connect(transport as Transport), UnauthorizedError);
  await transport.finishAuth(await loopback.code());
  assert.deepEqual(steps, [
    'POST /mcp 401',
    'GET /.well-known/oauth-protected-resource/mcp 200',
    'GET /.well-known/oauth-authorization-server 200',
    'POST /oauth/register 201',
    'POST /oauth/token 200',
  ]);

  const again = await connected(loopback.provider, record);
  const { client_id } = (await loopback.provider.clientInformation()) as OAuthClientInformationMixed;
  assert.deepEqual((await again.listTools()).tools.map(({ name }) => name).sort(), ['add', 'whoami']);
  assert.deepEqual(await whoami(again), { sub: user.id, client_id, scopes: ['tools/read'] });
  await again.close();
  await restOfTheStory(loopback.provider, record);
});

test('a confidential client registered beforehand by the command line, without any registration on the way', async () => {
  const redirectUrl = 'https://app.example.com/oauth/callback';
  const app = await server.client({
    name: 'Web App',
    authMethod: 'client_secret_basic',
    grantTypes: ['authorization_code', 'refresh_token'],
    redirectUris: [redirectUrl],
    scope: 'tools/read tools/write',
  });
  assert.ok(app.clientSecret);
  const kept: { tokens?: OAuthTokens; verifier?: string; at?: URL } = {};
  const state = randomBytes(16).toString('base64url');
  const provider: OAuthClientProvider = {
    redirectUrl,
    clientMetadata: { redirect_uris: [redirectUrl], client_name: 'Web App', scope: 'tools/read' },
    clientInformation: () => ({ client_id: app.clientId, client_secret: app.clientSecret as string }),
    state: () => state,
    tokens: () => kept.tokens,
    saveTokens: (tokens) => void Object.assign(kept, { tokens }),
    codeVerifier: () => kept.verifier ?? '',
    saveCodeVerifier: (verifier) => void Object.assign(kept, { verifier }),
    redirectToAuthorization: (at) => void Object.assign(kept, { at }),
  };
  const { steps, record } = recorded();
  assert.equal(await auth(provider, { serverUrl: sample.url, fetchFn: record }), 'REDIRECT');
  const callback = await approve(kept.at as URL);
  assert.equal(callback.origin + callback.pathname, redirectUrl);
  assert.equal(callback.searchParams.get('state'), state);
  assert.equal(callback.searchParams.get('iss'), server.issuer, 'RFC 9207');
  const authorizationCode = callback.searchParams.get('code') ?? '';
  assert.equal(await auth(provider, { serverUrl: sample.url, authorizationCode, fetchFn: record }), 'AUTHORIZED');
  assert.ok(!steps.some((step) => step.includes('/oauth/register')), steps.join('\n'));
  assert.equal(decodeJwt((kept.tokens as OAuthTokens).access_token).client_id, app.clientId);

  const client = await connected(provider, record);
  assert.equal((await whoami(client)).client_id, app.clientId);
  await client.close();
  await restOfTheStory(provider, record);
});

test('the sample client of the quickstart does all of it by itself', async () => {
  const result = await runSampleClient({
    serverUrl: sample.url,
    port: 0,
    onAuthorizationUrl: async (url) => void (await fetch(await approve(url))),
  });
  assert.deepEqual(result.tools.sort(), ['add', 'whoami']);
  assert.equal(JSON.parse(result.whoami).sub, user.id);
  assert.equal(result.sum, '5');
});

test('Ctrl-C at npm start ends everything in good order', async () => {
  await server.stop('SIGINT', 'group');
  assert.match(server.process.stderr(), /stopped/);
  await assert.rejects(fetch(`${server.issuer}/livez`));
});
