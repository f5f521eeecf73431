import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer, type TestUser } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import {
  answerConsent,
  deniedByPage,
  deniedByRedirect,
  type Form,
  ok,
  signIn,
  type TestApp,
} from '../support/test-app.ts';

const server = await startAuthServer();
const resource = await server.resource();
const app = await server.client();

/** A browser of a user, in front of the consent page. */
const asked = async (
  options: { client?: TestApp; user?: TestUser; params?: Form } = {},
): Promise<{ browser: TestBrowser; page: Page; user: TestUser; client: TestApp }> => {
  const { client = app, user = await server.user(), params = {} } = options;
  const browser = new TestBrowser();
  const login = await browser.follow(await client.start({ resource: resource.uri, ...params }, browser));
  const page = await browser.follow(await signIn(browser, login, user));
  assert.equal(page.status, 200);
  return { browser, page, user, client };
};
const fields = (page: Page): Record<string, string> => {
  const form = /<form method="post" action="[^"]*\/consent">[\s\S]*?<\/form>/.exec(page.html)?.[0] ?? '';
  const value = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(form)?.[1] ?? '';
  return { csrf_token: value('csrf_token'), request: value('request') };
};
const codes = async ({ id }: TestUser) =>
  (await server.sql('select 1 from authorization_codes where user_id = $1', [id])).length;

test('the page names the app, the place it leads to, the resource and each scope [M25-04 O21-57]', async () => {
  const { page } = await asked();
  for (const text of ['Test App', app.clientId, 'app.example.com', resource.uri, 'tools/read', 'tools/write'])
    assert.ok(page.html.includes(text), text);
  assert.deepEqual(page.checkboxes('scopes'), ['tools/read', 'tools/write']);
});

test('a person may allow less than was asked, and the token has no more (RFC 6749 §3.3) [MCP-44 M25-04 O21-02]', async () => {
  const user = await server.user();
  const tokens = ok(await app.redeem(await app.code({ user, resource: resource.uri, tick: ['tools/write'] })));
  assert.equal(tokens.scope, 'tools/write');
  assert.equal(decodeJwt(tokens.access_token).scope, 'tools/write');
  assert.equal(ok(await app.refresh(tokens.refresh_token)).scope, 'tools/write');
});

test('a client that becomes another while the page is open gets nothing: the person is asked again [threat H02]', async () => {
  const client = await server.client({ source: 'dcr', authMethod: 'client_secret_basic', name: 'Harmless' });
  const { browser, page, user } = await asked({ client });
  const rename = (name: string) =>
    server.change('client', client.clientId, () =>
      server.sql('update clients set client_name = $2, identity_changed_at = $3 where client_id = $1', [
        client.clientId,
        name,
        server.clock.now(),
      ]),
    );
  await rename('Your bank');
  const again = await answerConsent(browser, page, 'allow');
  assert.equal(again.status, 200);
  assert.match(again.html, /role="alert".*Nothing was allowed/);
  assert.ok(again.html.includes('Your bank'));
  assert.equal(await codes(user), 0);
  assert.deepEqual(await server.store.consentGrants.listOfUser(user.id), []);
  assert.ok((await answerConsent(browser, again, 'allow')).location?.searchParams.get('code'));

  const link = await browser.get(page.url); // what stands in the address has been shown to nobody
  const unseen = { ...fields(link), request: new URL(page.url).searchParams.get('request') ?? '' };
  const shown = await browser.post(client.url('/consent'), { ...unseen, action: 'allow', scopes: 'tools/read' });
  assert.match(shown.html, /role="alert"/);
});

test('nobody can allow more than was asked: what a form adds does not count (RFC 9700 §4.11) [threat H02]', async () => {
  const other = await server.resource();
  const evil = await server.client({ redirectUris: ['https://evil.example/cb'] });
  const { browser, page, user } = await asked({ params: { scope: 'tools/read' } });
  const wider = await answerConsent(browser, page, 'allow', ['tools/read', 'tools/write']);
  deniedByPage(wider);
  assert.equal(await codes(user), 0);
  const answer = await browser.post(app.url('/consent'), {
    ...fields(page),
    action: 'allow',
    scopes: 'tools/read',
    client_id: evil.clientId,
    redirect_uri: 'https://evil.example/cb',
    resource: other.uri,
    scope: 'tools/write',
  });
  assert.equal(answer.location?.origin, 'https://app.example.com');
  const [code] = await server.sql('select client_id, scopes, resource from authorization_codes where user_id = $1', [
    user.id,
  ]);
  assert.deepEqual(code, { client_id: app.clientId, scopes: ['tools/read'], resource: resource.uri });
});

test('allowing nothing grants nothing', async () => {
  const { browser, page, user } = await asked();
  deniedByPage(await answerConsent(browser, page, 'allow', []));
  assert.equal(await codes(user), 0);
});

test('a refusal goes back to the app as access_denied, and is recorded (RFC 6749 §4.1.2.1)', async () => {
  const { browser, page, user } = await asked();
  deniedByRedirect(await answerConsent(browser, page, 'deny'), app, 'access_denied', server.issuer);
  assert.equal(await codes(user), 0);
  assert.equal((await server.sql('select 1 from consent_grants where user_id = $1', [user.id])).length, 0);
  const events = await server.sql(`select 1 from audit_events where action = 'consent.denied' and actor_id = $1`, [
    user.id,
  ]);
  assert.equal(events.length, 1);
});

test('the answer must come from the page we drew, in the session it was drawn for (RFC 9700 §4.7) [R6749-07] [threat H01]', async () => {
  const { browser, page, user } = await asked();
  const stranger = await asked();
  for (const csrf_token of [undefined, '', 'x', fields(stranger.page).csrf_token])
    deniedByPage(
      await browser.post(app.url('/consent'), { ...fields(page), csrf_token, action: 'allow', scopes: 'tools/read' }),
      403,
    );
  assert.equal(await codes(user), 0);
});

test("somebody else's request cannot be answered, nor looked at (RFC 9700 §4.7) [threat H03]", async () => {
  const alice = await asked();
  const bob = await asked();
  const { request } = fields(alice.page);
  deniedByPage(await bob.browser.get(`${app.url('/consent')}?request=${request}`));
  for (const action of ['allow', 'deny'])
    deniedByPage(
      await bob.browser.post(app.url('/consent'), { ...fields(bob.page), request, action, scopes: 'tools/read' }),
    );
  const anonymous = await new TestBrowser().get(`${app.url('/consent')}?request=${request}`);
  assert.ok(anonymous.location?.pathname.endsWith('/oauth/continue'));
  assert.equal((await codes(alice.user)) + (await codes(bob.user)), 0);
});

test('a request that was changed, is for another purpose, or has expired is a page', async () => {
  const { browser, page, user } = await asked();
  const { request = '' } = fields(page);
  const login = (await app.start({ resource: resource.uri })).location?.searchParams.get('request') ?? '';
  const flipped = request.slice(0, -2) + (request.endsWith('AA') ? 'BB' : 'AA');
  for (const value of ['', 'x', login, flipped, `${request}x`, 'a.b.c.d.e']) {
    deniedByPage(await browser.get(`${app.url('/consent')}?request=${value}`));
    deniedByPage(
      await browser.post(app.url('/consent'), {
        ...fields(page),
        request: value,
        action: 'allow',
        scopes: 'tools/read',
      }),
    );
  }
  server.clock.advance(601);
  deniedByPage(await answerConsent(browser, page, 'allow'));
  deniedByPage(await answerConsent(browser, page, 'deny'));
  assert.equal(await codes(user), 0);
});

test('what was true when the page was drawn must still be true when it is answered', async () => {
  const client = await server.client();
  const { browser, page, user } = await asked({ client });
  await server.change('client', client.clientId, (tx) =>
    tx.clients.setStatus(client.clientId, ['active'], 'suspended'),
  );
  const answer = await answerConsent(browser, page, 'allow');
  assert.equal(answer.location, undefined);
  assert.equal(await codes(user), 0);
});

test('a consent is remembered for this user, client and resource, and only for what it covers [threat H04]', async () => {
  const { browser, page, user, client } = await asked({ params: { scope: 'tools/read' } });
  assert.ok((await answerConsent(browser, page, 'allow')).location?.searchParams.get('code'));
  const asks = async (of: TestApp, params: Form, at = browser) => {
    const next = await at.follow(await of.start({ resource: resource.uri, ...params }, at));
    return next.location === undefined;
  };
  assert.equal(await asks(client, { scope: 'tools/read' }), false);
  assert.equal(await asks(client, { scope: 'tools/read tools/write' }), true);
  assert.equal(await asks(client, { resource: (await server.resource()).uri }), true);
  assert.equal(await asks(client, { resource: undefined, scope: 'tools/read' }), true);
  assert.equal(await asks(await server.client(), { scope: 'tools/read' }), true); // same name, another client
  assert.equal(await asks(client, { scope: 'tools/read' }, (await asked({ client })).browser), true); // another user
  await server.sql('update consent_grants set revoked_at = now() where user_id = $1', [user.id]);
  assert.equal(await asks(client, { scope: 'tools/read' }), true);
});

for (const redirectUri of ['http://127.0.0.1/cb', 'http://localhost/cb', 'com.example.app:/cb'])
  test(`a public client at ${redirectUri} proves nothing, so it asks every time (OAuth 2.1 §7.3.1) [O21-65]`, async () => {
    const client = await server.client({ redirectUris: [redirectUri] });
    const { browser, page } = await asked({ client });
    assert.ok((await answerConsent(browser, page, 'allow')).location);
    const again = await browser.follow(await client.start({ resource: resource.uri }, browser));
    assert.equal(again.status, 200);
    assert.match(again.html, /Allow this app/);
  });

test('from the consent page another user can take over, and is asked anew', async () => {
  const { browser, page } = await asked();
  const other = await server.user();
  const out = await browser.post(app.url('/logout'), {
    csrf_token: page.field('csrf_token'),
    request: page.field('request'),
  });
  const login = await browser.follow(out);
  const consent = await browser.follow(await signIn(browser, login, other));
  assert.ok(consent.html.includes(other.email));
  assert.ok((await answerConsent(browser, consent, 'allow')).location?.searchParams.get('code'));
  assert.equal(await codes(other), 1);
});

test('a name full of tricks is shown as text, in its own direction (WHATWG HTML, UAX #9)', async () => {
  const client = await server.client({ name: '<script>x</script>\u202eknab', source: 'dcr' });
  const { page } = await asked({ client });
  assert.ok(!page.html.includes('<script'));
  assert.ok(!page.html.includes('\u202e'));
});
