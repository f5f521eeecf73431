import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { type AuthServer, startAuthServer } from '../support/auth-server.ts';
import { deniedByRedirect, ok, raw } from '../support/test-app.ts';

const root = await startAuthServer();
const tenant = await startAuthServer({ issuerPath: '/tenant/one' });
const origin = ({ issuer }: AuthServer) => new URL(issuer).origin;
const json = async (url: string): Promise<Record<string, unknown>> => {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  return (await answer.json()) as Record<string, unknown>;
};

test('the document says what this server can do, and leaves out what is empty (RFC 8414 §2) [O21-59 R8414-01 R8414-03 R8414-09]', async () => {
  const { issuer } = root;
  assert.deepEqual(await json(`${issuer}/.well-known/oauth-authorization-server`), {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: `${issuer}/oauth/token`,
    pushed_authorization_request_endpoint: `${issuer}/oauth/par`,
    registration_endpoint: `${issuer}/oauth/register`,
    client_id_metadata_document_supported: true,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'form_post'],
    prompt_values_supported: ['none', 'login', 'consent', 'select_account'],
    acr_values_supported: ['pwd'],
    scopes_supported: ['offline_access'],
    grant_types_supported: [
      'authorization_code',
      'refresh_token',
      'client_credentials',
      'urn:ietf:params:oauth:grant-type:token-exchange',
      'urn:ietf:params:oauth:grant-type:device_code',
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
    ],
    authorization_grant_profiles_supported: ['urn:ietf:params:oauth:grant-profile:id-jag'],
    device_authorization_endpoint: `${issuer}/oauth/device_authorization`,
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'],
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    introspection_endpoint_auth_signing_alg_values_supported: ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'],
    introspection_signing_alg_values_supported: ['ES256'],
    revocation_endpoint_auth_methods_supported: [
      'none',
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
    ],
    revocation_endpoint_auth_signing_alg_values_supported: ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'],
    code_challenge_methods_supported: ['S256'],
    dpop_signing_alg_values_supported: ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
    resource_indicators_supported: true,
    authplane_agent_identity_supported: true,
    authorization_response_iss_parameter_supported: true,
  });
});

test('scopes_supported is the union of what the resources offer, each once, and offline_access (RFC 8414 §2)', async () => {
  await root.resource({ scopes: ['tools/read', 'tools/write'] });
  await root.resource({ scopes: ['tools/read', 'files/read'] });
  const { scopes_supported } = await json(`${root.issuer}/.well-known/oauth-authorization-server`);
  assert.deepEqual((scopes_supported as string[]).sort(), [
    'files/read',
    'offline_access',
    'tools/read',
    'tools/write',
  ]);
});

test('what is switched off is not offered (RFC 8414 §2)', async () => {
  const closed = await startAuthServer({
    env: {
      DCR_MODE: 'admin_only',
      CLIENT_CREDENTIALS_ENABLED: 'false',
      DEVICE_ENABLED: 'false',
      TOKEN_EXCHANGE_ENABLED: 'false',
      XAA_ENABLED: 'false',
      CIMD_ENABLED: 'false',
    },
  });
  const document = await json(`${closed.issuer}/.well-known/oauth-authorization-server`);
  assert.deepEqual(document.grant_types_supported, ['authorization_code', 'refresh_token']);
  for (const member of [
    'registration_endpoint',
    'device_authorization_endpoint',
    'client_id_metadata_document_supported',
    'authorization_grant_profiles_supported',
    'authplane_agent_identity_supported',
  ])
    assert.ok(!(member in document), member);
});

for (const suffix of ['oauth-authorization-server', 'openid-configuration'])
  test(`${suffix} is found where a client looks for it, for a root and a path issuer (RFC 8414 §3.1, §5) [MCP-04 MCP-05 MCP-06 MCP-07 R8414-01 R8414-02 R8414-04 R9700-15]`, async () => {
    assert.equal((await json(`${root.issuer}/.well-known/${suffix}`)).issuer, root.issuer);
    const inserted = await json(`${origin(tenant)}/.well-known/${suffix}/tenant/one`);
    const appended = await json(`${tenant.issuer}/.well-known/${suffix}`);
    assert.equal(inserted.issuer, tenant.issuer);
    assert.deepEqual(appended, inserted);
  });

test('both documents are the same, and may be kept for a while (RFC 8414 §3) [MCP-08 R9068-10]', async () => {
  const [oauth, openid] = await Promise.all(
    ['oauth-authorization-server', 'openid-configuration'].map((suffix) =>
      fetch(`${root.issuer}/.well-known/${suffix}`),
    ),
  );
  assert.equal(await oauth?.text(), await openid?.text());
  assert.match(oauth?.headers.get('cache-control') ?? '', /^public, max-age=\d+$/);
});

for (const server of [root, tenant])
  test(`every endpoint of ${new URL(server.issuer).pathname} works, and iss equals issuer byte for byte (RFC 9207 §2) [MCP-05 MCP-11 R9207-02] [threat C08]`, async () => {
    const document = await json(`${server.issuer}/.well-known/oauth-authorization-server`);
    const app = await server.client({ authMethod: 'client_secret_basic' });
    const resource = await server.resource();
    const user = await server.user();
    assert.equal(app.url('/oauth/token'), document.token_endpoint);
    const grant = await app.code({ user, resource: resource.uri });
    assert.equal(grant.callback.searchParams.get('iss'), document.issuer);
    const { access_token } = ok(await app.redeem(grant));
    const keys = createLocalJWKSet((await json(String(document.jwks_uri))) as never);
    const { payload } = await jwtVerify(access_token, keys, {
      issuer: server.issuer,
      audience: resource.uri,
      typ: 'at+jwt',
    });
    assert.equal(payload.sub, user.id);
    assert.equal((await app.introspect(access_token)).body.iss, document.issuer);
    deniedByRedirect(await app.start({ scope: 'no/such' }), app, 'invalid_scope', String(document.issuer));
  });

test('no header of a request has a say in the document (RFC 8414 §6.2) [threat C09]', async () => {
  const url = `${root.issuer}/.well-known/oauth-authorization-server`;
  const plain = (await raw(url)).text;
  for (const headers of [
    { host: 'evil.example' },
    { 'x-forwarded-host': 'evil.example' },
    { 'x-forwarded-proto': 'https' },
    { forwarded: 'host=evil.example;proto=https' },
    { 'x-original-url': '/evil' },
    { 'x-forwarded-prefix': '/evil' },
  ]) {
    const answer = await raw(url, { headers });
    assert.equal(answer.text, plain);
    assert.equal(answer.headers.get('vary'), null); // one answer for everybody, so caches may share it
  }
  assert.equal((await raw(url)).text, plain);
});

test('the JWKS holds public keys alone, with kid, alg and use (RFC 7517 §4) [R8414-10] [threat F09]', async () => {
  const answer = await fetch(`${root.issuer}/.well-known/jwks.json`);
  assert.match(answer.headers.get('cache-control') ?? '', /^public, max-age=\d+$/);
  const { keys } = (await answer.json()) as { keys: Record<string, unknown>[] };
  assert.ok(keys.length >= 1);
  for (const key of keys) {
    assert.deepEqual([key.kty, key.alg, key.use], ['EC', 'ES256', 'sig']);
    assert.equal(typeof key.kid, 'string');
    for (const secret of ['d', 'p', 'q', 'k']) assert.ok(!(secret in key));
  }
});

for (const path of [
  'nothing',
  'oauth-authorization-server/other',
  'jwks.json/x',
  'x/../y',
  '%2e%2e/login',
  'openid-configuration/',
])
  test(`below /.well-known/ there is nothing but JSON: ${path}`, async () => {
    for (const server of [root, tenant])
      for (const base of [origin(server), server.issuer])
        for (const method of ['GET', 'POST', 'DELETE']) {
          const answer = await raw(base, {
            path: `${new URL(base).pathname.replace(/\/$/, '')}/.well-known/${path}`,
            method,
            headers: { accept: 'text/html' },
          });
          assert.equal(answer.status, 404);
          assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
          assert.equal(JSON.parse(answer.text).error, 'not_found');
        }
  });

test('the health of a path issuer is where probes look for it', async () => {
  assert.equal((await fetch(`${origin(tenant)}/livez`)).status, 200);
  assert.equal((await fetch(`${tenant.issuer}/oauth/tokens`)).status, 404);
  assert.equal((await fetch(`${tenant.issuer}x/oauth/token`, { method: 'POST' })).status, 404);
});
