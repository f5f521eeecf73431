import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, deniedByPage, deniedByRedirect, ok, postForm, read } from '../support/test-app.ts';

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

test('client_id or redirect_uri given twice is answered by a page (RFC 6749 §3.1) [O21-12 O21-21] [threat C01]', async () => {
  const stranger = await server.client({ redirectUris: ['https://stranger.example/cb'] });
  deniedByPage(await app.start({ client_id: [app.clientId, stranger.clientId] }));
  deniedByPage(await app.start({ client_id: [app.clientId, app.clientId] }));
  deniedByPage(await app.start({ redirect_uri: [...app.redirectUris, 'https://stranger.example/cb'] }));
});

for (const name of ['scope', 'response_type', 'code_challenge', 'code_challenge_method', 'nonce'])
  test(`${name} given twice at the authorization endpoint is invalid_request (RFC 6749 §3.1) [O21-21] [threat C01]`, async () => {
    deniedByRedirect(await app.start({ [name]: ['tools/read', 'code'] }), app, 'invalid_request', server.issuer);
  });

test('client_id in the query is not another client_id: only the form counts [threat C01]', async () => {
  const stranger = await server.client();
  const grant = await app.code({ user, resource: resource.uri });
  const post = (query: string, client_id: string) =>
    postForm(`${app.url('/oauth/token')}?client_id=${query}`, {
      client_id,
      grant_type: 'authorization_code',
      code: grant.code,
      code_verifier: grant.verifier,
      redirect_uri: grant.redirectUri,
    });
  denied(await post(app.clientId, stranger.clientId), 'invalid_grant');
  const { access_token } = ok(await post(stranger.clientId, app.clientId));
  assert.equal(decodeJwt(String(access_token)).client_id, app.clientId);
});

test('state given twice is not sent back, in either spelling (RFC 6749 §3.1) [threat C01]', async () => {
  const { location } = await app.start({ state: ['one', 'two'] });
  assert.equal(location?.searchParams.get('error'), 'invalid_request');
  assert.equal(location?.searchParams.get('state'), null);
});

test('resource alone may repeat (RFC 8707 §2) [R8707-08]', async () => {
  const both = [resource.uri, other.uri];
  assert.match((await app.start({ resource: both })).location?.pathname ?? '', /\/login$/);
  const repeated = await app.start({ resource: both, scope: ['tools/read', 'tools/write'] });
  deniedByRedirect(repeated, app, 'invalid_request', server.issuer);
  denied(await machine.clientCredentials({ resource: both, scope: ['tools/read', 'tools/read'] }), 'invalid_request');
});

for (const name of ['code', 'grant_type', 'redirect_uri', 'code_verifier', 'client_id', 'anything'])
  test(`${name} given twice at the token endpoint is invalid_request (RFC 6749 §3.2) [O21-21] [threat C01]`, async () => {
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

test('an empty parameter counts as absent, an unknown one as nothing (RFC 6749 §3.1) [O21-20 O21-22]', async () => {
  const grant = await app.code({ user, resource: resource.uri });
  ok(await app.redeem(grant, { scope: '', whatever: 'x', 'resource[]': other.uri, resources: other.uri }));
  const page = await app.start({ scope: '', resource: '', foo: 'bar' });
  assert.match(page.location?.pathname ?? '', /\/login$/);
});

test('credentials in the query are not read (OAuth 2.1 §2.4.1) [O21-15] [threat C02]', async () => {
  const query = new URLSearchParams({ client_id: machine.clientId, client_secret: machine.clientSecret ?? '' });
  const answer = await fetch(`${machine.url('/oauth/token')}?${query}`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  denied(await read(answer), 'invalid_client');
});

for (const path of ['/oauth/token', '/oauth/revoke', '/oauth/introspect', '/oauth/register'])
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'])
    test(`${method} ${path} is 405 with Allow (RFC 9110 §15.5.6) [O21-24] [threat C02]`, async () => {
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
  test(`${name} is not supported and never fetched (RFC 9101 §6.3) [R9101-09] [threat C12]`, async () => {
    deniedByRedirect(await app.start({ [name]: value }), app, code, server.issuer);
    assert.equal(await server.metric('authserver_outbound_requests_total'), 0);
  });

test('OpenID Connect parameters we do not know change nothing (RFC 6749 §3.1) [threat C12]', async () => {
  const grant = await app.code({ user, resource: resource.uri });
  ok(await app.redeem(grant));
  const page = await app.start({
    claims: `{"a":[${'1,'.repeat(1_000)}1]}`,
    prompt: 'consent',
    login_hint: '<script>',
    ui_locales: 'tlh',
    display: 'popup',
    nonce: 'n',
  });
  assert.match(page.location?.pathname ?? '', /\/login$/);
  const huge = await app.start({ claims: `{"a":[${'1,'.repeat(10_000)}1]}` });
  assert.deepEqual([huge.location, huge.status >= 400 && huge.status < 500], [undefined, true]);
});
