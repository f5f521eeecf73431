/** RFC 8414 as a whole: what the document says, and whether it is so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuthServer, startAuthServer } from '../support/auth-server.ts';
import { postForm, read } from '../support/test-app.ts';

const server = await startAuthServer();
const bare = await startAuthServer({
  env: {
    DCR_MODE: 'admin_only',
    CLIENT_CREDENTIALS_ENABLED: 'false',
    DEVICE_ENABLED: 'false',
    XAA_ENABLED: 'false',
    DPOP_ENABLED: 'false',
    CIMD_ENABLED: 'false',
  },
});
type Document = Record<string, unknown>;
const list = (document: Document, member: string): string[] => (document[member] ?? []) as string[];
const documentOf = async ({ issuer }: AuthServer, suffix = 'oauth-authorization-server'): Promise<Document> =>
  (await (await fetch(`${issuer}/.well-known/${suffix}`)).json()) as Document;

test('behind https every URL is https, and the issuer is one [MCP-19 O21-04 R8414-02 R9207-02]', async () => {
  const issuer = 'https://auth.example.com';
  const production = await startAuthServer({
    env: {
      SERVER_ISSUER: issuer,
      SESSION_SECURE: 'true',
      SESSION_SECRET: 'a'.repeat(20) + 'Zk3'.repeat(12),
      ADMIN_API_KEY: 'Xy7'.repeat(12),
    },
  });
  const { port } = new URL(`http://x${production.config.server.address}`);
  const document = (await (
    await fetch(`http://localhost:${port}/.well-known/oauth-authorization-server`)
  ).json()) as Document;
  assert.equal(document.issuer, issuer);
  const urls = Object.entries(document).filter(([name]) => /_(endpoint|uri)$/.test(name));
  assert.ok(urls.length >= 7, urls.join(' '));
  for (const [name, url] of urls) assert.ok(String(url).startsWith(`${issuer}/`), `${name}: ${url}`);
  const { search, hash, protocol } = new URL(issuer);
  assert.deepEqual([protocol, search, hash], ['https:', '', '']);
});

/** Every member of a document that says nothing, by its path. */
const empty = (value: unknown, path = ''): string[] => {
  if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) return [path];
  return typeof value === 'object'
    ? Object.entries(value as object).flatMap(([key, one]) => empty(one, `${path}/${key}`))
    : [];
};

test('no document has an empty member [R8414-05 R9728-03]', async () => {
  const { slug } = await bare.resource({ scopes: [] });
  for (const at of [server, bare])
    for (const suffix of ['oauth-authorization-server', 'openid-configuration'])
      assert.deepEqual(empty(await documentOf(at, suffix)), []);
  assert.deepEqual(empty(await documentOf(bare, `oauth-protected-resource/${slug}`)), []);
});

/** Every grant type we might have, and a few we never had. */
const grantTypes = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
  'implicit',
  'password',
];

for (const [name, at] of Object.entries({ everything: server, 'as little as possible': bare })) {
  test(`grant types are advertised exactly when they are there, with ${name} switched on [R8414-08 R8414-12]`, async () => {
    const advertised = list(await documentOf(at), 'grant_types_supported');
    const app = await at.client({ authMethod: 'client_secret_post' });
    for (const grant_type of grantTypes) {
      const { body } = await app.token({ grant_type });
      assert.equal(body.error !== 'unsupported_grant_type', advertised.includes(grant_type), grant_type);
    }
  });

  test(`endpoints are advertised exactly when they are there, with ${name} switched on [R8414-12]`, async () => {
    const document = await documentOf(at);
    const paths: Record<string, string> = {
      authorization_endpoint: '/oauth/authorize',
      token_endpoint: '/oauth/token',
      pushed_authorization_request_endpoint: '/oauth/par',
      device_authorization_endpoint: '/oauth/device_authorization',
      registration_endpoint: '/oauth/register',
      revocation_endpoint: '/oauth/revoke',
      introspection_endpoint: '/oauth/introspect',
      jwks_uri: '/.well-known/jwks.json',
    };
    const advertised = Object.keys(document).filter((member) => /_(endpoint|uri)$/.test(member));
    assert.deepEqual(
      advertised.filter((member) => !(member in paths)),
      [],
    );
    for (const [member, path] of Object.entries(paths)) {
      const method = /authorize$|jwks/.test(path) ? 'GET' : 'POST';
      const { status, body } = await read(await fetch(`${at.issuer}${path}`, { method, redirect: 'manual' }));
      // Registration that is closed is known by what it says, since initial access tokens still open it.
      const there = status !== 404 && body.error !== 'access_denied';
      assert.equal(member in document, there, `${member}: ${status}`);
      if (there) assert.equal(document[member], `${at.issuer}${path}`);
    }
  });
}

test('a client authenticates at every endpoint by the methods advertised for it, and by no other [R8414-12]', async () => {
  const document = await documentOf(server);
  for (const [endpoint, form] of Object.entries({
    token: { grant_type: 'refresh_token', refresh_token: 'x' },
    introspection: { token: 'x' },
    revocation: { token: 'x' },
  })) {
    const advertised = list(document, `${endpoint}_endpoint_auth_methods_supported`);
    for (const authMethod of ['none', 'client_secret_basic', 'client_secret_post'] as const) {
      const app = await server.client({ authMethod });
      const { status } = await app.post(new URL(String(document[`${endpoint}_endpoint`])).pathname, form);
      assert.equal(status !== 401, advertised.includes(authMethod), `${endpoint} with ${authMethod}`);
    }
    const unknown = { ...form, client_id: 'x', client_assertion_type: 'tls_client_auth', client_assertion: 'x' };
    assert.notEqual((await postForm(String(document[`${endpoint}_endpoint`]), unknown)).status, 200);
  }
});

test('where clients may sign, the algorithms are named, asymmetric every one [MCC-01 MCC-02 R8414-06 R8414-07]', async () => {
  const document = await documentOf(server);
  assert.ok(list(document, 'token_endpoint_auth_methods_supported').includes('client_secret_basic'));
  for (const endpoint of ['token', 'introspection', 'revocation']) {
    assert.ok(list(document, `${endpoint}_endpoint_auth_methods_supported`).includes('private_key_jwt'));
    const algorithms = list(document, `${endpoint}_endpoint_auth_signing_alg_values_supported`);
    assert.ok(algorithms.length > 0);
    for (const algorithm of algorithms) assert.doesNotMatch(algorithm, /^(none|HS)/i);
  }
});
