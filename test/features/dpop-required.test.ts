import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { runCli } from '../support/command-line.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { denied, ok, TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true, pods: 2 });
const strict = await startAuthServer({ env: { DPOP_REQUIRE: 'true' } });
const off = await startAuthServer({ env: { DPOP_ENABLED: 'false' } });
const { admin } = server;
const key = await DpopKey.create(server);
const user = await server.user();
const resource = await server.resource();
const wishes = { user, resource: resource.uri, scope: 'tools/read' };
const json = async (url: string) => (await (await fetch(url)).json()) as Record<string, unknown>;
const metadata = (issuer: string) => json(`${issuer}/.well-known/oauth-authorization-server`);
const resourceMetadata = (issuer: string, slug: string) =>
  json(`${issuer}/.well-known/oauth-protected-resource/${slug}`);
const algorithms = ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'];
const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
const cli = async (...line: string[]): Promise<string> => {
  const { code, stdout, stderr } = await runCli(['admin', ...line], { env });
  assert.equal(code, 0, `${line.join(' ')}\n${stdout}${stderr}`);
  return stdout;
};

/** A client of the admin API, ready to be used. */
const created = async (body: Partial<Parameters<typeof admin.client.create>[0]['body']>): Promise<TestApp> => {
  const redirectUris = ['https://app.example.com/cb'];
  const { client_id, client_secret, token_endpoint_auth_method } = await admin.client.create({
    body: { client_name: 'App', redirect_uris: redirectUris, ...body },
  });
  return new TestApp(
    server.pods.map(({ url }) => url),
    { clientId: client_id, clientSecret: client_secret, authMethod: token_endpoint_auth_method, redirectUris },
  );
};

test('the metadata names the algorithms of proofs, asymmetric ones only [MDP-01 R9449-21 O21-68]', async () => {
  const { dpop_signing_alg_values_supported } = await metadata(server.issuer);
  assert.deepEqual(dpop_signing_alg_values_supported, algorithms);
});

test('a client that registered itself for bound tokens gets no others [MDP-02 R9449-18]', async () => {
  const open = await fetch(`${server.issuer}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: ['https://app.example.com/cb'],
      token_endpoint_auth_method: 'none',
      dpop_bound_access_tokens: true,
    }),
  });
  const body = (await open.json()) as Record<string, unknown>;
  assert.equal(open.status, 201, JSON.stringify(body));
  assert.equal(body.dpop_bound_access_tokens, true);
  const app = new TestApp(
    server.pods.map(({ url }) => url),
    {
      clientId: String(body.client_id),
      clientSecret: undefined,
      authMethod: 'none',
      redirectUris: ['https://app.example.com/cb'],
    },
  );
  const grant = await app.code(wishes);
  denied(await app.redeem(grant), 'invalid_dpop_proof');
  const tokens = ok(await app.redeem(grant, {}, 1, await key.header()));
  assert.equal(tokens.token_type, 'DPoP');
  denied(await app.refresh(tokens.refresh_token), 'invalid_dpop_proof');
  ok(await app.refresh(tokens.refresh_token, {}, 1, await key.header()));
});

test('an operator may demand bound tokens of a client, and stop to [R9449-18]', async () => {
  const app = await created({
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'client_secret_basic',
    scope: 'tools/read',
    dpop_bound_access_tokens: true,
  });
  const shown = await admin.client.get({ id: app.clientId });
  assert.equal(shown.dpop_bound_access_tokens, true);
  denied(await app.clientCredentials(), 'invalid_dpop_proof');
  ok(await app.clientCredentials({}, 0, await key.header()));
  await admin.client.update({ id: app.clientId, body: { client_name: 'Renamed' } });
  assert.equal((await admin.client.get({ id: app.clientId })).dpop_bound_access_tokens, true);
  await admin.client.update({ id: app.clientId, body: { dpop_bound_access_tokens: false } });
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(ok(await app.clientCredentials({}, 1)).token_type, 'Bearer');
});

test('a resource may demand bound tokens: the refusal spends neither code nor refresh token (RFC 9728 §2)', async () => {
  const { id, slug } = await admin.resource.create({
    body: {
      slug: 'bound-mcp',
      uri: 'https://bound-mcp.example.com/mcp',
      scopes: [{ name: 'tools/read' }],
      dpop_bound_access_tokens_required: true,
    },
  });
  assert.equal((await admin.resource.get({ id })).dpop_bound_access_tokens_required, true);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const document = await resourceMetadata(server.issuer, slug);
  assert.equal(document.dpop_bound_access_tokens_required, true);
  assert.deepEqual(document.dpop_signing_alg_values_supported, algorithms);

  const machine = await created({
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'client_secret_post',
    scope: 'tools/read',
  });
  denied(await machine.clientCredentials({ resource: slug }), 'invalid_dpop_proof');
  assert.equal(ok(await machine.clientCredentials()).token_type, 'Bearer');
  assert.equal(ok(await machine.clientCredentials({ resource: slug }, 1, await key.header())).token_type, 'DPoP');

  const app = await created({ token_endpoint_auth_method: 'client_secret_basic' });
  const grant = await app.code({ user, resource: 'https://bound-mcp.example.com/mcp', scope: 'tools/read' });
  denied(await app.redeem(grant), 'invalid_dpop_proof');
  const tokens = ok(await app.redeem(grant, {}, 1, await key.header()));
  denied(await app.refresh(tokens.refresh_token), 'invalid_dpop_proof');
  server.clock.advance(15);
  ok(await app.refresh(tokens.refresh_token, {}, 1, await key.header()));

  await admin.resource.update({ id, body: { dpop_bound_access_tokens_required: false } });
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal((await resourceMetadata(server.issuer, slug)).dpop_bound_access_tokens_required, undefined);
  assert.equal(ok(await machine.clientCredentials({ resource: slug })).token_type, 'Bearer');
});

test('a resource that demands nothing promises nothing: its server may know bearer tokens only', async () => {
  const document = await resourceMetadata(server.issuer, resource.slug);
  assert.equal(document.dpop_bound_access_tokens_required, undefined);
  assert.equal(document.dpop_signing_alg_values_supported, undefined);
});

test('values that are no booleans are refused by the admin API and by registration', async () => {
  const client = { client_name: 'x', redirect_uris: ['https://app.example.com/cb'], dpop_bound_access_tokens: 'true' };
  assert.equal((await server.adminRequest('POST', '/admin/clients', client)).status, 400);
  const bound = { slug: 'odd', dpop_bound_access_tokens_required: 1 };
  assert.equal((await server.adminRequest('POST', '/admin/resources', bound)).status, 400);
  const answer = await fetch(`${server.issuer}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: ['https://app.example.com/cb'], dpop_bound_access_tokens: 'yes' }),
  });
  assert.equal(answer.status, 400);
});

test('both demands are flags of the command line', async () => {
  const made = await cli(
    ...['client', 'create', '--name', 'Bound', '--redirect-uris', 'https://app.example.com/cb'],
    '--dpop-bound-access-tokens',
  );
  const id = /id=(\S+)/.exec(made)?.[1] as string;
  assert.equal((await admin.client.get({ id })).dpop_bound_access_tokens, true);
  assert.match(await cli('client', 'get', '--id', id), /dpop_bound_access_tokens=true/);
  await cli('client', 'update', '--id', id, '--name', 'Still bound');
  assert.equal((await admin.client.get({ id })).dpop_bound_access_tokens, true);
  await cli('client', 'update', '--id', id, '--no-dpop-bound-access-tokens');
  assert.equal((await admin.client.get({ id })).dpop_bound_access_tokens, false);

  await cli('resource', 'create', '--slug', 'bound-cli', '--uri', 'https://cli.example.com/mcp', '--dpop-required');
  assert.match(await cli('resource', 'get', '--slug', 'bound-cli'), / dpop_bound_access_tokens_required=true /);
  await cli('resource', 'update', '--slug', 'bound-cli', '--no-dpop-required');
  assert.equal((await admin.resource.get({ id: 'bound-cli' })).dpop_bound_access_tokens_required, false);
});

test('dpop.require: every token is bound, and every resource says so', async () => {
  const own = await DpopKey.create(strict);
  const mcp = await strict.resource();
  const machine = await strict.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  denied(await machine.clientCredentials(), 'invalid_dpop_proof');
  assert.equal(ok(await machine.clientCredentials({}, 0, await own.header())).token_type, 'DPoP');
  const app = await strict.client();
  const grant = await app.code({ user: await strict.user(), resource: mcp.uri, scope: 'tools/read' });
  denied(await app.redeem(grant), 'invalid_dpop_proof');
  ok(await app.redeem(grant, {}, 0, await own.header()));
  assert.equal((await resourceMetadata(strict.issuer, mcp.slug)).dpop_bound_access_tokens_required, true);
});

test('dpop.enabled off: headers and dpop_jkt mean nothing, tokens are bearer tokens, the metadata is silent', async () => {
  const own = await DpopKey.create(off);
  const mcp = await off.resource();
  const app = await off.client();
  const person = await off.user();
  const grant = await app.code({
    user: person,
    resource: mcp.uri,
    scope: 'tools/read',
    params: { dpop_jkt: own.jkt },
  });
  const answer = await app.redeem(grant, {}, 0, await own.header());
  const tokens = ok(answer);
  assert.equal(tokens.token_type, 'Bearer');
  assert.equal(decodeJwt(tokens.access_token).cnf, undefined);
  assert.equal(answer.headers.get('dpop-nonce'), null);
  ok(await app.refresh(tokens.refresh_token, {}, 0, { dpop: 'no proof at all' }));
  assert.equal((await metadata(off.issuer)).dpop_signing_alg_values_supported, undefined);
  assert.equal((await resourceMetadata(off.issuer, mcp.slug)).dpop_signing_alg_values_supported, undefined);
});

test('dpop.enabled off: whoever demands bound tokens gets none, rather than bearer tokens', async () => {
  const machine = await off.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  await off.change('client', machine.clientId, async (tx) => {
    const client = await tx.clients.find(machine.clientId);
    assert.ok(client && (await tx.clients.update({ ...client, dpopBoundAccessTokens: true })));
  });
  denied(await machine.clientCredentials(), 'invalid_request');
});
