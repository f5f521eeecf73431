/** oauth4webapi checks what the RFCs demand of every answer and tolerates nothing else; it speaks to the started server. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { TestBrowser } from '../support/browser.ts';
import { startServer } from '../support/started-server.ts';
import { answerConsent, signIn, type TestApp } from '../support/test-app.ts';

const server = await startServer();
const user = await server.user();
const resource = 'https://mcp.example.com/mcp';
const introspector = await server.client({
  name: 'MCP server',
  grantTypes: ['client_credentials'],
  scope: 'tools/read',
});
await server.resource({ slug: 'mcp', uri: resource, runtimeClients: [introspector.clientId] });

/** The issuer is http on localhost; nothing else is relaxed. */
const plainHttp = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(server.issuer);

const discovered = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plainHttp }),
);

const redirectUri = 'https://app.example.com/cb';
const interactive = (authMethod: 'none' | 'client_secret_basic' | 'client_secret_post') =>
  server.client({
    authMethod,
    grantTypes: ['authorization_code', 'refresh_token'],
    redirectUris: [redirectUri],
    scope: 'tools/read tools/write',
  });
const identityOf = (app: TestApp): [oauth.Client, oauth.ClientAuth] => [
  { client_id: app.clientId },
  app.clientSecret === undefined
    ? oauth.None()
    : (app.authMethod === 'client_secret_post' ? oauth.ClientSecretPost : oauth.ClientSecretBasic)(app.clientSecret),
];

/** From the authorization request to the validated answer, through login and consent. */
const authorize = async (client: oauth.Client, action: 'allow' | 'deny' = 'allow') => {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(discovered.authorization_endpoint as string);
  for (const [name, value] of Object.entries({
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'tools/read tools/write',
    resource,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }))
    url.searchParams.set(name, value);
  const browser = new TestBrowser();
  const login = await browser.follow(await browser.get(url.href));
  const consent = await browser.follow(await signIn(browser, login, user));
  const { location } = await answerConsent(browser, consent, action);
  assert.ok(location);
  return { verifier, state, callback: location };
};

const grant = async (client: oauth.Client, authentication: oauth.ClientAuth) => {
  const { verifier, state, callback } = await authorize(client);
  const params = oauth.validateAuthResponse(discovered, client, callback, state);
  return { params, verifier, redeem: () => redeem(client, authentication, params, verifier) };
};

const redeem = (
  client: oauth.Client,
  authentication: oauth.ClientAuth,
  params: URLSearchParams,
  verifier: string,
): Promise<Response> =>
  oauth.authorizationCodeGrantRequest(discovered, client, authentication, params, redirectUri, verifier, {
    additionalParameters: { resource },
    ...plainHttp,
  });

/** The error a strict client makes of an answer, which it only does when the answer is a correct one. */
const refused = async (t: TestContext, answer: Promise<unknown>, error: string, status: number): Promise<void> => {
  await assert.rejects(answer, (thrown: unknown) => {
    const known = thrown instanceof oauth.ResponseBodyError || thrown instanceof oauth.WWWAuthenticateChallengeError;
    assert.ok(known, `not understood: ${thrown}`);
    assert.equal(thrown.status, status);
    if (thrown instanceof oauth.ResponseBodyError) assert.equal(thrown.error, error);
    else t.diagnostic(`${error} arrived as a challenge`);
    return true;
  });
};

test('discovery says what the server is and does (RFC 8414 §3)', () => {
  assert.equal(discovered.issuer, server.issuer);
  assert.equal(discovered.authorization_response_iss_parameter_supported, true);
  assert.deepEqual(discovered.code_challenge_methods_supported, ['S256']);
  for (const endpoint of ['token', 'revocation', 'introspection', 'registration', 'authorization'] as const)
    assert.ok(String(discovered[`${endpoint}_endpoint`]).startsWith(`${server.issuer}/oauth/`), endpoint);
});

for (const authMethod of ['client_secret_basic', 'client_secret_post', 'none'] as const)
  test(`${authMethod}: code with PKCE and iss, refresh, revocation [MCP-01 MCP-12]`, async () => {
    const [client, authentication] = identityOf(await interactive(authMethod));
    const { redeem } = await grant(client, authentication);
    const tokens = await oauth.processAuthorizationCodeResponse(discovered, client, await redeem());
    assert.equal(tokens.token_type, 'bearer');
    assert.equal(tokens.scope, 'tools/read tools/write');
    assert.ok(tokens.refresh_token);

    const refreshing = { additionalParameters: { scope: 'tools/read', resource }, ...plainHttp };
    const refreshed = await oauth.processRefreshTokenResponse(
      discovered,
      client,
      await oauth.refreshTokenGrantRequest(discovered, client, authentication, tokens.refresh_token, refreshing),
    );
    assert.equal(refreshed.scope, 'tools/read');
    assert.ok(refreshed.refresh_token);

    const revocation = await oauth.revocationRequest(discovered, client, authentication, refreshed.refresh_token, {
      additionalParameters: { token_type_hint: 'refresh_token' },
      ...plainHttp,
    });
    await oauth.processRevocationResponse(revocation);
    const [asking, askingAuthentication] = identityOf(introspector);
    for (const { access_token } of [tokens, refreshed]) {
      const answer = await oauth.introspectionRequest(
        discovered,
        asking,
        askingAuthentication,
        access_token,
        plainHttp,
      );
      const state = await oauth.processIntrospectionResponse(discovered, asking, answer);
      assert.deepEqual(state, { active: false }, 'the whole family ended with its refresh token (RFC 7009 §2.1)');
    }
  });

test('an access token is valid for its resource by RFC 9068, and introspection agrees [R9068-01 R9068-02 R9068-03]', async () => {
  const [client, authentication] = identityOf(await interactive('none'));
  const { redeem } = await grant(client, authentication);
  const tokens = await oauth.processAuthorizationCodeResponse(discovered, client, await redeem());
  const request = new Request(resource, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  const claims = await oauth.validateJwtAccessToken(discovered, request, resource, plainHttp);
  assert.equal(claims.sub, user.id);
  assert.equal(claims.client_id, client.client_id);

  const [asking, askingAuthentication] = identityOf(introspector);
  const answer = await oauth.introspectionRequest(
    discovered,
    asking,
    askingAuthentication,
    tokens.access_token,
    plainHttp,
  );
  const state = await oauth.processIntrospectionResponse(discovered, asking, answer);
  assert.deepEqual(
    { active: state.active, sub: state.sub, aud: [state.aud].flat(), scope: state.scope, jti: state.jti },
    { active: true, sub: claims.sub, aud: [claims.aud].flat(), scope: claims.scope, jti: claims.jti },
  );
});

for (const authMethod of ['client_secret_basic', 'client_secret_post'] as const)
  test(`client_credentials with ${authMethod}, revoked afterwards`, async () => {
    const machine = await server.client({ authMethod, grantTypes: ['client_credentials'], scope: 'tools/read' });
    const [client, authentication] = identityOf(machine);
    const answer = await oauth.clientCredentialsGrantRequest(
      discovered,
      client,
      authentication,
      { scope: 'tools/read', resource },
      plainHttp,
    );
    const tokens = await oauth.processClientCredentialsResponse(discovered, client, answer);
    assert.equal(tokens.scope, 'tools/read');
    assert.equal(tokens.refresh_token, undefined, 'RFC 6749 §4.4.3');
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(discovered, client, authentication, tokens.access_token, plainHttp),
    );
    const asked = await oauth.introspectionRequest(discovered, client, authentication, tokens.access_token, plainHttp);
    assert.deepEqual(await oauth.processIntrospectionResponse(discovered, client, asked), { active: false });
  });

test('registration of a confidential client (RFC 7591 §3.2.1), which then authorizes', async () => {
  const answer = await oauth.dynamicClientRegistrationRequest(
    discovered,
    { client_name: 'Strict', redirect_uris: [redirectUri] },
    plainHttp,
  );
  const client = await oauth.processDynamicClientRegistrationResponse(answer);
  assert.equal(client.client_secret_expires_at, 0);
  assert.equal(client.token_endpoint_auth_method, 'client_secret_basic');
  const { redeem } = await grant(client, oauth.ClientSecretBasic(client.client_secret as string));
  assert.ok((await oauth.processAuthorizationCodeResponse(discovered, client, await redeem())).access_token);
});

test('a person who says no is an error the client can read, from the right issuer', async () => {
  const [client] = identityOf(await interactive('none'));
  const { state, callback } = await authorize(client, 'deny');
  assert.throws(
    () => oauth.validateAuthResponse(discovered, client, callback, state),
    (error) => error instanceof oauth.AuthorizationResponseError && error.error === 'access_denied',
  );
  assert.equal(callback.searchParams.get('iss'), server.issuer);
});

test('every refusal is one a strict client understands', async (t) => {
  const [client, authentication] = identityOf(await interactive('client_secret_basic'));
  const code = await grant(client, authentication);
  const process = async (response: Promise<Response>) =>
    oauth.processAuthorizationCodeResponse(discovered, client, await response);

  const otherVerifier = oauth.generateRandomCodeVerifier();
  await refused(t, process(redeem(client, authentication, code.params, otherVerifier)), 'invalid_grant', 400);
  const wrongSecret = oauth.ClientSecretBasic('wrong');
  await refused(t, process(redeem(client, wrongSecret, code.params, code.verifier)), 'invalid_client', 401);
  await process(code.redeem());
  await refused(t, process(code.redeem()), 'invalid_grant', 400);

  const refresh = oauth.refreshTokenGrantRequest(discovered, client, authentication, 'made-up', plainHttp);
  await refused(t, oauth.processRefreshTokenResponse(discovered, client, await refresh), 'invalid_grant', 400);
  const machine = oauth.clientCredentialsGrantRequest(discovered, client, authentication, {}, plainHttp);
  const asMachine = oauth.processClientCredentialsResponse(discovered, client, await machine);
  await refused(t, asMachine, 'unauthorized_client', 400);
  const registration = oauth.dynamicClientRegistrationRequest(discovered, { redirect_uris: ['x'] }, plainHttp);
  const asClient = oauth.processDynamicClientRegistrationResponse(await registration);
  await refused(t, asClient, 'invalid_redirect_uri', 400);
});

test('revoking a token that is none is no error (RFC 7009 §2.2)', async () => {
  const [client, authentication] = identityOf(await interactive('client_secret_basic'));
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(discovered, client, authentication, 'made-up', plainHttp),
  );
});
