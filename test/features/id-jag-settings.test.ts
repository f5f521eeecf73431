/** The settings of the grant for assertions of identity providers, and the clients that may use it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { assertionType, newClientKey, registerWithKeys, signAssertion } from '../support/client-assertion.ts';
import { assertingClient, jwtBearerType, trade, trustIdp } from '../support/id-jag.ts';
import { startIdentityProviders } from '../support/identity-provider.ts';
import { localFetch, startMetadataHost } from '../support/metadata-host.ts';
import { type Answer, denied, ok, postForm, type Tokens } from '../support/test-app.ts';

const strict = await startAuthServer({
  admin: true,
  env: {
    XAA_SUBJECT_MODE: 'strict',
    XAA_REQUIRE_RESOURCE: 'true',
    XAA_TOKEN_EXPIRY: '10m',
    XAA_MAX_ASSERTION_AGE: '1m',
    OAUTH_DEFAULT_CLIENT_SCOPE: 'tools/read',
    ...localFetch,
  },
});
const providers = await startIdentityProviders();
const idp = await trustIdp(strict, providers);
const app = await assertingClient(strict);
const { uri } = await strict.resource();
const claims = { resource: uri, scope: 'tools/read' };
const now = () => Math.floor(strict.clock.now().getTime() / 1000);

test('strict: a subject nobody has mapped is refused, and one that is known without an account is not', async () => {
  const assertion = await idp.assertion(app.clientId, { claims });
  denied(await trade(app, assertion), 'access_denied', 403);
  await strict.admin.subjectMapping.create({ body: { idp_id: idp.id, idp_subject: '00u1' } });
  const { access_token, expires_in } = ok(await trade(app, assertion));
  assert.equal(decodeJwt(access_token).sub, `${idp.issuer}:00u1`);
  assert.equal(expires_in, 600);
  assert.equal(await strict.metric('authplane_xaa_subject_resolutions_total', { outcome: 'denied' }), 1);
});

test('require_resource: an assertion and a request without one are refused (RFC 8707 §2)', async () => {
  const assertion = await idp.assertion(app.clientId, { claims: { scope: 'tools/read' } });
  denied(await trade(app, assertion), 'invalid_target');
  ok(await trade(app, assertion, { resource: uri }));
});

test('max_assertion_age: older ones are refused, however long they say they are good', async () => {
  const aged = (seconds: number) => idp.assertion(app.clientId, { claims: { ...claims, iat: now() - seconds } });
  ok(await trade(app, await aged(80)));
  denied(await trade(app, await aged(95)), 'invalid_grant');
});

/** Trades an assertion as a client that proves itself by a key. */
const tradeByKey = async (clientId: string, key: Awaited<ReturnType<typeof newClientKey>>, by = idp) =>
  postForm(`${strict.pods[0]?.url}/oauth/token`, {
    grant_type: jwtBearerType,
    assertion: await by.assertion(clientId, { claims }),
    client_assertion_type: assertionType,
    client_assertion: await signAssertion(strict, clientId, key),
  }) as unknown as Promise<Answer<Tokens>>;

test('a client that is known by its document alone, and whom nobody consented to, may be vouched for [EMA-16]', async () => {
  const host = await startMetadataHost();
  const key = await newClientKey();
  const clientId = host.publish('/enterprise-app.json', (url: string) => ({
    ...{ client_id: url, client_name: 'Enterprise app', redirect_uris: ['https://app.example.com/cb'] },
    ...{ grant_types: ['authorization_code', jwtBearerType], token_endpoint_auth_method: 'private_key_jwt' },
    jwks: { keys: [key.jwk] },
  }));
  const rows = () => strict.sql('select status, registration_source from clients where client_id = $1', [clientId]);
  denied(await tradeByKey(clientId, await newClientKey('ES256', key.kid)), 'invalid_client');
  const stranger = await trustIdp(strict, providers, { policy: { scopes: [] } });
  denied(await tradeByKey(clientId, key, stranger), 'access_denied', 403);
  assert.deepEqual(await rows(), []);
  const answers = await Promise.all(Array.from({ length: 5 }, () => tradeByKey(clientId, key)));
  for (const answer of answers) assert.equal(decodeJwt(ok(answer).access_token).client_id, clientId);
  assert.deepEqual(await rows(), [{ status: 'active', registration_source: 'cimd' }]);
  await strict.admin.client.suspend({ id: clientId });
  denied(await tradeByKey(clientId, key), 'invalid_client');
});

test('a client may prove itself by a key instead of a secret [EMA-15]', async () => {
  const key = await newClientKey();
  const registered = { client_name: 'App', grant_types: [jwtBearerType], scope: 'tools/read' };
  const clientId = await registerWithKeys(strict, { jwks: { keys: [key.jwk] } }, registered);
  assert.equal(decodeJwt(ok(await tradeByKey(clientId, key)).access_token).client_id, clientId);
});

test('whoever registers itself for this grant gets no scope, so nothing comes of it', async () => {
  const { status, body } = await fetch(`${strict.pods[0]?.url}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ grant_types: [jwtBearerType], token_endpoint_auth_method: 'client_secret_post' }),
  }).then(async (answer) => ({ status: answer.status, body: (await answer.json()) as Record<string, string> }));
  assert.equal(status, 201, JSON.stringify(body));
  const { client_id = '', client_secret } = body;
  const form = {
    grant_type: jwtBearerType,
    assertion: await idp.assertion(client_id, { claims }),
    client_id,
    client_secret,
  };
  denied(await postForm(`${strict.pods[0]?.url}/oauth/token`, form), 'invalid_scope');
});

test('xaa.enabled: false takes the grant away, and the metadata says nothing of it', async () => {
  const off = await startAuthServer({ env: { XAA_ENABLED: 'false' } });
  const answer = await fetch(`${off.pods[0]?.url}/.well-known/oauth-authorization-server`);
  const metadata = (await answer.json()) as Record<string, unknown>;
  assert.ok(!JSON.stringify(metadata).includes('id-jag'));
  assert.ok(!(metadata.grant_types_supported as string[]).includes(jwtBearerType));
  const client = await assertingClient(off);
  denied(await trade(client, 'x'), 'unsupported_grant_type');
});
