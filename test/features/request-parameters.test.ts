import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, deniedByPage, deniedByRedirect, ok, read } from '../support/test-app.ts';

const server = await startAuthServer();
const user = await server.user();
const resource = await server.resource();
const other = await server.resource();
const app = await server.client();
const machine = await server.client({
  authMethod: 'client_secret_post',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read'],
});

test('client_id or redirect_uri given twice is answered by a page (RFC 6749 §3.1)', async () => {
  const stranger = await server.client({ redirectUris: ['https://stranger.example/cb'] });
  deniedByPage(await app.start({ client_id: [app.clientId, stranger.clientId] }));
  deniedByPage(await app.start({ client_id: [app.clientId, app.clientId] }));
  deniedByPage(await app.start({ redirect_uri: [...app.redirectUris, 'https://stranger.example/cb'] }));
});

for (const name of ['scope', 'response_type', 'code_challenge', 'code_challenge_method', 'nonce'])
  test(`${name} given twice at the authorization endpoint is invalid_request (RFC 6749 §3.1)`, async () => {
    deniedByRedirect(await app.start({ [name]: ['tools/read', 'code'] }), app, 'invalid_request', server.issuer);
  });

test('state given twice is not sent back, in either spelling (RFC 6749 §3.1)', async () => {
  const { location } = await app.start({ state: ['one', 'two'] });
  assert.equal(location?.searchParams.get('error'), 'invalid_request');
  assert.equal(location?.searchParams.get('state'), null);
});

test('resource may repeat by grammar, and more than one is refused by name (RFC 8707 §2)', async () => {
  const both = [resource.uri, other.uri];
  deniedByRedirect(await app.start({ resource: both }), app, 'invalid_target', server.issuer);
  denied(await machine.clientCredentials({ resource: both }), 'invalid_target');
});

for (const name of ['code', 'grant_type', 'redirect_uri', 'code_verifier', 'client_id', 'anything'])
  test(`${name} given twice at the token endpoint is invalid_request (RFC 6749 §3.2)`, async () => {
    const grant = await app.code({ user, resource: resource.uri });
    const once: Record<string, string> = {
      code: grant.code,
      grant_type: 'authorization_code',
      redirect_uri: grant.redirectUri,
      code_verifier: grant.verifier,
      client_id: app.clientId,
      anything: 'x',
    };
    denied(await app.redeem(grant, { [name]: [once[name] as string, once[name] as string] }), 'invalid_request');
    ok(await app.redeem(grant));
  });

test('an empty parameter counts as absent, an unknown one as nothing (RFC 6749 §3.1)', async () => {
  const grant = await app.code({ user, resource: resource.uri });
  ok(await app.redeem(grant, { scope: '', whatever: 'x', 'resource[]': other.uri, resources: other.uri }));
  const page = await app.start({ scope: '', resource: '', foo: 'bar' });
  assert.match(page.location?.pathname ?? '', /\/login$/);
});

test('credentials in the query are not read (OAuth 2.1 §2.4.1)', async () => {
  const query = new URLSearchParams({ client_id: machine.clientId, client_secret: machine.clientSecret ?? '' });
  const answer = await fetch(`${machine.url('/oauth/token')}?${query}`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  denied(await read(answer), 'invalid_client');
});

for (const path of ['/oauth/token', '/oauth/revoke', '/oauth/introspect', '/oauth/register'])
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'])
    test(`${method} ${path} is 405 with Allow (RFC 9110 §15.5.6)`, async () => {
      const answer = await fetch(`${machine.url(path)}?token=secret&client_secret=secret`, { method });
      assert.equal(answer.status, 405);
      assert.match(answer.headers.get('allow') ?? '', /\bPOST\b/);
      assert.ok(!(await answer.text()).includes('secret'));
    });

for (const [name, value, code] of [
  ['request', 'eyJhbGciOiJub25lIn0.e30.', 'request_not_supported'],
  ['request', 'eyJhbGciOiJkaXIifQ..a.b.c', 'request_not_supported'],
  ['request_uri', 'https://sink.example/r', 'request_uri_not_supported'],
] as const)
  test(`${name} is not supported and never fetched (RFC 9101 §6.3)`, async () => {
    deniedByRedirect(await app.start({ [name]: value }), app, code, server.issuer);
  });

test('OpenID Connect parameters we do not know change nothing (RFC 6749 §3.1)', async () => {
  const grant = await app.code({ user, resource: resource.uri });
  ok(await app.redeem(grant));
  const page = await app.start({
    claims: `{"a":[${'1,'.repeat(1000)}1]}`,
    prompt: 'consent',
    max_age: '-1',
    login_hint: '<script>',
    ui_locales: 'tlh',
    acr_values: '9',
  });
  assert.match(page.location?.pathname ?? '', /\/login$/);
});
