/** oauth4webapi with DPoP against a server that demands nonces: it checks what RFC 9449 asks of every answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';

const server = await startAuthServer({ pods: 2, env: { DPOP_REQUIRE_NONCE: 'true' } });
const user = await server.user();
const resource = await server.resource();
const plainHttp = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(server.issuer);
const discovered = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plainHttp }),
);

/** As its documentation says: when the server wants a nonce, the very same request is made again. */
const withNonceRetry = async <T>(request: () => Promise<T>): Promise<{ result: T; retried: boolean }> => {
  try {
    return { result: await request(), retried: false };
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return { result: await request(), retried: true };
  }
};

for (const algorithm of ['ES256', 'PS256', 'Ed25519'] as const)
  test(`code flow and refresh with ${algorithm} proofs and nonces [R9449-15]`, async () => {
    const app = await server.client();
    const client = { client_id: app.clientId };
    const keys = await oauth.generateKeyPair(algorithm);
    const DPoP = oauth.DPoP({}, keys);
    const jkt = await DPoP.calculateThumbprint();
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const browser = new TestBrowser();
    const start = await browser.get(
      app.authorizeUrl(await oauth.calculatePKCECodeChallenge(verifier), {
        scope: 'tools/read',
        resource: resource.uri,
        state,
        dpop_jkt: jkt,
      }),
    );
    const callback = await app.throughPages(browser, start, { user });
    const params = oauth.validateAuthResponse(discovered, client, callback, state);

    const redeem = async () =>
      oauth.processAuthorizationCodeResponse(
        discovered,
        client,
        await oauth.authorizationCodeGrantRequest(
          discovered,
          client,
          oauth.None(),
          params,
          app.redirectUris[0] as string,
          verifier,
          { DPoP, ...plainHttp },
        ),
      );
    const { result: tokens, retried } = await withNonceRetry(redeem);
    assert.ok(retried, 'the first attempt had no nonce');
    assert.equal(tokens.token_type, 'dpop');
    assert.deepEqual(decodeJwt(tokens.access_token).cnf, { jkt });

    const refresh = async () =>
      oauth.processRefreshTokenResponse(
        discovered,
        client,
        await oauth.refreshTokenGrantRequest(discovered, client, oauth.None(), tokens.refresh_token as string, {
          DPoP,
          ...plainHttp,
        }),
      );
    const { result: refreshed } = await withNonceRetry(refresh);
    assert.equal(refreshed.token_type, 'dpop');
    assert.deepEqual(decodeJwt(refreshed.access_token).cnf, { jkt });
  });

test('client credentials with proofs and nonces [R9449-15]', async () => {
  const app = await server.client({
    authMethod: 'client_secret_post',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const client = { client_id: app.clientId };
  const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'));
  const ask = async () =>
    oauth.processClientCredentialsResponse(
      discovered,
      client,
      await oauth.clientCredentialsGrantRequest(
        discovered,
        client,
        oauth.ClientSecretPost(app.clientSecret as string),
        new URLSearchParams({ resource: resource.uri }),
        { DPoP, ...plainHttp },
      ),
    );
  assert.equal((await withNonceRetry(ask)).result.token_type, 'dpop');
  const again = await withNonceRetry(ask);
  assert.ok(!again.retried, 'the nonce of the first answer is still good');
});
