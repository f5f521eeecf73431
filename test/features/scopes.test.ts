import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { answerConsent, denied, deniedByRedirect, ok, signIn } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const resource = await server.resource({ scopes: ['tools/read', 'tools/write', 'tools/admin'] });

test('step-up: the union of old and new scopes is granted, and only the new one stands out [MCP-36]', async () => {
  const [app, user] = [await server.client(), await server.user()];
  const first = await app.authorize({ user, resource: resource.uri, scope: 'tools/read' });
  assert.equal(first.scope, 'tools/read');

  const browser = new TestBrowser();
  const union = { resource: resource.uri, scope: 'tools/read tools/write' };
  const login = await browser.follow(await app.start(union, browser));
  const page = await browser.follow(await signIn(browser, login, user));
  const [asked = '', before = ''] = page.html.split('<details>');
  assert.ok(asked.includes('value="tools/write"') && !asked.includes('value="tools/read"'));
  assert.ok(before.includes('value="tools/read"'));
  assert.ok((await answerConsent(browser, page, 'allow')).location?.searchParams.get('code'));

  const second = ok(await app.redeem(await app.code({ user, ...union }, browser)));
  assert.deepEqual(second.scope.split(' ').sort(), ['tools/read', 'tools/write']);
  // What was issued before neither shrinks nor grows.
  assert.equal(ok(await app.refresh(first.refresh_token, {}, 1)).scope, 'tools/read');
});

test('a refresh may ask for less and then for all again, never for more [O21-29 O21-50 O21-53]', async () => {
  const [app, user] = [await server.client(), await server.user()];
  await app.authorize({ user, resource: resource.uri }); // everything is consented to
  const tokens = await app.authorize({ user, resource: resource.uri, scope: 'tools/read tools/write' });
  denied(await app.refresh(tokens.refresh_token, { scope: 'tools/read tools/admin' }, 1), 'invalid_scope');
  const less = ok(await app.refresh(tokens.refresh_token, { scope: 'tools/read' }));
  assert.equal(less.scope, 'tools/read');
  const again = ok(await app.refresh(less.refresh_token, {}, 1));
  assert.deepEqual(again.scope.split(' ').sort(), ['tools/read', 'tools/write']);
});

test('without scope a request gets the defaults of its resource, or its whole catalog [O21-03]', async () => {
  const [app, user] = [await server.client(), await server.user()];
  const marked = await server.resource({ scopes: [{ name: 'basic', default: true }, 'extra'] });
  assert.equal((await app.authorize({ user, resource: marked.uri })).scope, 'basic');
  const whole = await app.authorize({ user, resource: resource.uri });
  assert.deepEqual(whole.scope.split(' ').sort(), ['tools/admin', 'tools/read', 'tools/write']);
  const both = await app.authorize({ user, resource: [marked.uri, resource.uri] });
  assert.deepEqual(both.scope.split(' ').sort(), ['basic', 'tools/admin', 'tools/read', 'tools/write']);
});

test('the ceiling of a client cuts what is defaulted and refuses what is asked for', async () => {
  const user = await server.user();
  const app = await server.client({ ceiling: ['tools/read', 'elsewhere'] });
  assert.equal((await app.authorize({ user, resource: resource.uri })).scope, 'tools/read');
  for (const scope of ['tools/write', 'tools/read tools/write', 'elsewhere', 'tools', 'TOOLS/READ', 'tools/read*'])
    deniedByRedirect(await app.start({ resource: resource.uri, scope }), app, 'invalid_scope', server.issuer);
});

test('a narrower ceiling narrows the tokens that are refreshed from then on', async () => {
  const [app, user] = [await server.client(), await server.user()];
  const tokens = await app.authorize({ user, resource: resource.uri });
  await server.change('client', app.clientId, async (tx) => {
    const client = await tx.clients.find(app.clientId);
    assert.ok(client);
    await tx.clients.update({ ...client, ceiling: ['tools/read'] });
  });
  for (const pod of [0, 1]) {
    denied(await app.refresh(tokens.refresh_token, { scope: 'tools/write' }, pod), 'invalid_scope');
  }
  assert.equal(ok(await app.refresh(tokens.refresh_token)).scope, 'tools/read');
});

test('scope names are taken by the letter: no name implies another [MCP-37]', async () => {
  const [app, user] = [await server.client(), await server.user()];
  const wild = await server.resource({ scopes: ['files:*', 'files:read'] });
  const tokens = await app.authorize({ user, resource: wild.uri, scope: 'files:*' });
  assert.equal(decodeJwt(tokens.access_token).scope, 'files:*');
  denied(await app.refresh(tokens.refresh_token, { scope: 'files:read' }), 'invalid_scope');
});

test('a resource is an absolute URI without fragment, query included, in any spelling of its host [R8707-01 R8707-02 R8707-09]', async () => {
  const [app, user] = [await server.client(), await server.user()];
  const queried = await server.resource({ uri: 'https://Query.example.com/x?y=1&z=%2F' });
  const tokens = await app.authorize({ user, resource: 'HTTPS://query.EXAMPLE.com/x?y=1&z=%2F' });
  assert.deepEqual(decodeJwt(tokens.access_token).aud, [queried.uri]);
  for (const indicator of [
    `${queried.uri}#x`,
    `${queried.uri}&`,
    'https://query.example.com/x',
    'https://query.example.com/x?y=1&z=/',
    'https://query.example.com:443/x?y=1&z=%2F',
    'http://query.example.com/x?y=1&z=%2F',
    '/x?y=1&z=%2F',
    'query.example.com/x',
    'urn:x',
  ])
    deniedByRedirect(await app.start({ resource: indicator }), app, 'invalid_target', server.issuer);
});

test('with oauth.default_resource a request without resource is for that one', async () => {
  const strict = await startAuthServer({ env: { OAUTH_DEFAULT_RESOURCE: 'main' } });
  const [app, user] = [await strict.client(), await strict.user()];
  const machine = await strict.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  // Until it exists, nothing is issued for want of it, and the client is told.
  deniedByRedirect(await app.start(), app, 'invalid_target', strict.issuer);
  denied(await machine.clientCredentials(), 'invalid_target');

  const main = await strict.resource({ slug: 'main' });
  const other = await strict.resource({ scopes: ['other'] });
  const tokens = await app.authorize({ user });
  assert.deepEqual(decodeJwt(tokens.access_token).aud, [main.uri]);
  assert.deepEqual(tokens.scope.split(' ').sort(), ['tools/read', 'tools/write']);
  assert.deepEqual(decodeJwt(ok(await app.refresh(tokens.refresh_token)).access_token).aud, [main.uri]);
  assert.deepEqual(decodeJwt(ok(await machine.clientCredentials()).access_token).aud, [main.uri]);
  const named = await app.authorize({ user, resource: other.uri });
  assert.deepEqual(decodeJwt(named.access_token).aud, [other.uri]);
});
