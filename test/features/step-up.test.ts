/** Step-up authentication (RFC 9470): what a resource server may demand of the sign-in behind a token. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { deniedByRedirect, ok, signIn } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const resource = await server.resource({ runtimeClients: [] });
const app = await server.client();
const seconds = (date: Date) => Math.floor(date.getTime() / 1000);

test('metadata lists the sign-ins there are [R9470-04]', async () => {
  const answer = await fetch(`${server.issuer}/.well-known/oauth-authorization-server`);
  const metadata = (await answer.json()) as Record<string, unknown>;
  assert.deepEqual(metadata.acr_values_supported, ['pwd']);
  assert.deepEqual(metadata.prompt_values_supported, ['none', 'login', 'consent', 'select_account']);
});

test('a token says how and when its user signed in, after a refresh too [R9068-14 R9470-02]', async () => {
  const machine = await server.client({ authMethod: 'client_secret_basic' });
  const asked = server.clock.now();
  const first = ok(await machine.redeem(await machine.code({ user, resource: resource.uri })));
  const { auth_time: authTime, acr } = decodeJwt(first.access_token);
  assert.equal(acr, 'pwd');
  assert.ok(Number(authTime) >= seconds(asked) && Number(authTime) <= seconds(server.clock.now()));
  server.clock.advance(300);
  const second = ok(await machine.refresh(first.refresh_token, {}, 1));
  for (const { access_token } of [first, second]) {
    assert.equal(decodeJwt(access_token).auth_time, authTime);
    assert.equal(decodeJwt(access_token).acr, 'pwd');
    const state = ok(await machine.introspect(access_token, 1));
    assert.equal(state.active, true);
    assert.equal(state.auth_time, authTime);
    assert.equal(state.acr, 'pwd');
  }
});

test('a machine token has neither', async () => {
  const machine = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const claims = decodeJwt(ok(await machine.clientCredentials({ resource: resource.uri })).access_token);
  assert.equal(claims.auth_time, undefined);
  assert.equal(claims.acr, undefined);
});

test('a sign-in nobody can make here is unmet_authentication_requirements [R9470-03]', async () => {
  for (const acr_values of ['hardware', 'urn:example:gold urn:example:silver', 'PWD'])
    deniedByRedirect(
      await app.start({ resource: resource.uri, acr_values }),
      app,
      'unmet_authentication_requirements',
      server.issuer,
    );
});

test('of several acr_values one is enough [R9470-01]', async () => {
  const browser = new TestBrowser();
  const start = await app.start({ resource: resource.uri, acr_values: 'hardware pwd' }, browser);
  const callback = await app.throughPages(browser, start, { user });
  assert.ok(callback.searchParams.get('code'));
});

test('a session of which nobody knows how it began is made anew for acr_values', async () => {
  const browser = new TestBrowser();
  await app.code({ user, resource: resource.uri }, browser);
  await server.sql('update browser_sessions set acr = null where user_id = $1', [user.id]);
  assert.ok((await app.start({ resource: resource.uri }, browser)).location?.searchParams.get('code'));
  const login = await browser.follow(await app.start({ resource: resource.uri, acr_values: 'pwd' }, browser));
  assert.match(login.html, /type="password"/);
  const answer = await browser.follow(await signIn(browser, login, user));
  assert.ok(answer.location?.searchParams.get('code'), answer.html);
});

test('a sign-in that stays too weak ends in an error, not in a circle [R9470-03]', async () => {
  const browser = new TestBrowser();
  const login = await browser.follow(await app.start({ resource: resource.uri, acr_values: 'pwd' }, browser));
  const signedIn = await signIn(browser, login, user);
  await server.sql('update browser_sessions set acr = null where user_id = $1', [user.id]);
  deniedByRedirect(await browser.follow(signedIn), app, 'unmet_authentication_requirements', server.issuer);
});

test('a challenge of the resource server leads to a fresh token, scopes added to those before [R9470-01 MCP-36]', async () => {
  const browser = new TestBrowser();
  const old = ok(await app.redeem(await app.code({ user, resource: resource.uri, scope: 'tools/read' }, browser)));
  server.clock.advance(1000);
  // RFC 9470 §3: WWW-Authenticate: Bearer error="insufficient_user_authentication", max_age="60", acr_values="pwd"
  const params = { max_age: '60', acr_values: 'pwd' };
  const login = await browser.follow(
    await app.start({ resource: resource.uri, scope: 'tools/read tools/write', ...params }, browser),
  );
  assert.match(login.html, /type="password"/);
  assert.ok(login.html.includes(user.email), 'the form knows who signs in again');
  const fresh = ok(
    await app.redeem(
      await app.code({ user, resource: resource.uri, scope: 'tools/read tools/write', params }, browser),
    ),
  );
  assert.equal(fresh.scope, 'tools/read tools/write');
  assert.ok(Number(decodeJwt(fresh.access_token).auth_time) >= Number(decodeJwt(old.access_token).auth_time) + 1000);
});
