import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { denied, pkce, postForm, read } from '../support/test-app.ts';

const server = await startAuthServer({ env: { OAUTH_DEFAULT_CLIENT_SCOPE: 'tools/read' } });
const resource = await server.resource();

const register = async (metadata: Record<string, unknown>) =>
  read(
    await fetch(`${server.issuer}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(metadata),
    }),
  );

test('nobody comes by a machine token through open registration, whatever the default ceiling [threat G01]', async () => {
  const { status, body } = await register({ grant_types: ['client_credentials'] });
  assert.equal(status, 201);
  assert.equal(body.scope, undefined);
  const basic = `Basic ${Buffer.from(`${body.client_id}:${body.client_secret}`).toString('base64')}`;
  for (const scope of [undefined, 'tools/read'])
    denied(
      await postForm(
        `${server.issuer}/oauth/token`,
        { grant_type: 'client_credentials', scope, resource: resource.uri },
        { authorization: basic },
      ),
      'invalid_scope',
    );
  assert.equal((await register({ redirect_uris: ['https://app.example.com/cb'] })).body.scope, 'tools/read');
});

test('the way back from an error page works in the browser that saw it, and in no other (RFC 9700 §4.11.2) [threat B12]', async () => {
  const { body } = await register({
    redirect_uris: ['https://evil.example.com/cb'],
    token_endpoint_auth_method: 'none',
  });
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: String(body.client_id),
    redirect_uri: 'https://evil.example.com/cb',
    scope: 'bogus',
    code_challenge: pkce().challenge,
    code_challenge_method: 'S256',
  });
  const attacker = new TestBrowser();
  const page = await attacker.get(`${server.issuer}/oauth/authorize?${query}`);
  assert.equal(page.status, 400);
  assert.match(page.html, /evil\.example\.com/);
  const link = /href="(\/oauth\/return\?to=[^"]+)"/.exec(page.html)?.[1];
  assert.ok(link);
  const back = await attacker.get(`${server.issuer}${link}`);
  assert.equal(back.location?.searchParams.get('error'), 'invalid_scope');
  const victim = await new TestBrowser().get(`${server.issuer}${link}`);
  assert.deepEqual([victim.status, victim.location], [400, undefined]);
});

test('a redirect URI that no parser reads cannot be registered', async () => {
  for (const uri of ['https://a:99999/cb', 'https://[::::]/cb', 'https://256.1.1.1/cb', 'my.app://[x', 'ms-msdt:/id/x'])
    assert.equal(
      (await register({ redirect_uris: [uri], application_type: 'native' })).body.error,
      'invalid_redirect_uri',
      uri,
    );
});

test('the name of an object member is no grant type', async () => {
  const app = await server.client();
  for (const name of ['constructor', '__proto__', 'hasOwnProperty'])
    denied(await app.token({ grant_type: name }), 'unsupported_grant_type');
});
