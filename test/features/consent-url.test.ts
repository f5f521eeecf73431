/**
 * The `consent_url` of an exchange that is refused for want of consent: a page of ours where the user of the subject
 * token answers, once, and after which the same exchange succeeds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestBrowser } from '../support/browser.ts';
import { bodyOf, confidential, exchange, openSignedIn, startLibrary } from '../support/consent-url.ts';
import { type Answer, answerConsent, denied, deniedByPage, ok, signIn } from '../support/test-app.ts';

const { server, assistant, gateway, library, grant, asked, at, consentsOf, eventsOf } = await startLibrary();

test('the user is asked on a page, agrees, and the same exchange succeeds at once at every pod', async () => {
  const { user, again, url, cause } = await asked();
  assert.equal(cause, 'consent_missing');
  const browser = new TestBrowser();
  const login = await browser.follow(await browser.get(at(url, 1)));
  assert.match(login.html, /to see what an app asks you to allow/);
  const page = await browser.follow(await signIn(browser, login, user));
  assert.equal(page.status, 200, page.html);
  for (const text of ['Assistant', 'Gateway', assistant.clientId, gateway.clientId, library.uri, user.email])
    assert.ok(page.html.includes(text), text);
  assert.match(page.html, /Read &#60;your&#62; books/);
  assert.match(page.html, /Either answer ends here/);
  assert.deepEqual(page.checkboxes('scopes'), ['tools/read', 'tools/write'], 'what the subject token has, and no more');

  const done = await answerConsent(browser, page, 'allow');
  assert.equal(done.status, 200, done.html);
  assert.match(done.html, /Go back to your application/);
  const tokens = await Promise.all([again(0), again(1)]);
  for (const answer of tokens) assert.equal(ok(answer).scope, 'tools/read tools/write');
  const [consent] = await consentsOf(user);
  assert.deepEqual([consent?.clientId, consent?.scopes], [assistant.clientId, ['tools/read', 'tools/write']]);
  const [event, ...more] = await eventsOf(user);
  assert.deepEqual(more, []);
  assert.equal(event?.action, 'consent.granted');
  assert.equal(event?.client_id, assistant.clientId);
  assert.deepEqual(event?.details, {
    resource: library.uri,
    scopes: ['tools/read', 'tools/write'],
    acting_client: gateway.clientId,
  });
});

test('the page wears the headers of every page with a form: not to be framed, kept or told of [threat H05]', async () => {
  const { user, url } = await asked();
  const page = await openSignedIn(at(url, 0, { return_url: 'https://gateway.example.com/done' }), user);
  const policy = page.response.headers.get('content-security-policy') ?? '';
  assert.match(policy, /frame-ancestors 'none'/);
  assert.match(policy, /form-action 'self' https:\/\/gateway\.example\.com(;|$)/);
  assert.equal(page.response.headers.get('x-frame-options'), 'DENY');
  assert.equal(page.response.headers.get('referrer-policy'), 'no-referrer');
  assert.equal(page.response.headers.get('cache-control'), 'no-store');
});

test('nothing is written when the URL is made, or while it is looked at', async () => {
  const rows = async () =>
    (await server.sql(`select 1 from single_use where kind = 'consent_answer' union all select 1 from consent_grants`))
      .length;
  const { user, again, url } = await asked();
  const before = await rows();
  assert.notEqual(bodyOf(await again()).consent_url, url, 'each has a name of its own');
  const browser = new TestBrowser();
  for (let look = 0; look < 3; look += 1)
    assert.equal((await openSignedIn(at(url, look % 2), user, browser)).status, 200);
  assert.equal(await rows(), before);
});

test('only what is missing is asked for; what was allowed before is said, and stays', async () => {
  const { user, again, url, cause } = await asked({ scope: 'tools/read tools/write' }, 'tools/read tools/lend');
  assert.equal(cause, 'scope_insufficient');
  const browser = new TestBrowser();
  const page = await openSignedIn(url, user, browser);
  assert.deepEqual(page.checkboxes('scopes'), ['tools/write']);
  assert.match(page.html, /You allowed this there before; it stays[\s\S]*tools\/read[\s\S]*tools\/lend/);
  assert.equal((await answerConsent(browser, page, 'allow')).status, 200);
  assert.equal(ok(await again()).scope, 'tools/read tools/write');
  const [consent] = await consentsOf(user);
  assert.deepEqual(consent?.scopes.toSorted(), ['tools/lend', 'tools/read', 'tools/write']);
});

test('what is unticked is not allowed, and may be asked for again', async () => {
  const { user, again, url } = await asked({ scope: 'tools/read tools/write' });
  const browser = new TestBrowser();
  const page = await openSignedIn(url, user, browser);
  deniedByPage(await answerConsent(browser, page, 'allow', []));
  deniedByPage(await answerConsent(browser, page, 'allow', ['tools/read', 'tools/lend']));
  assert.deepEqual(await consentsOf(user), [], 'more than was asked for is nothing');
  assert.equal((await answerConsent(browser, page, 'allow', ['tools/read'])).status, 200);
  const refused = await again();
  assert.equal(bodyOf(refused).cause, 'scope_insufficient');
  assert.deepEqual((await openSignedIn(bodyOf(refused).consent_url ?? '', user, browser)).checkboxes('scopes'), [
    'tools/write',
  ]);
});

test('a no is recorded and nothing else', async () => {
  const { user, again, url } = await asked();
  const browser = new TestBrowser();
  const done = await answerConsent(browser, await openSignedIn(url, user, browser), 'deny');
  assert.equal(done.status, 200);
  assert.match(done.html, /Nothing was allowed/);
  assert.deepEqual(await consentsOf(user), []);
  const [event] = await eventsOf(user);
  assert.deepEqual([event?.action, event?.details.acting_client], ['consent.denied', gateway.clientId]);
  denied(await again(), 'consent_required');
});

test('it is answered once, at whichever pod, and by one of many that answer at the same moment [threat H03]', async () => {
  const { user, url } = await asked();
  const browser = new TestBrowser();
  const page = await openSignedIn(at(url, 0), user, browser);
  const other = await openSignedIn(at(url, 1), user, browser);
  const answers = await Promise.all(
    [page, other, page, other].map((one, n) => answerConsent(browser, one, n % 2 === 0 ? 'allow' : 'deny')),
  );
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 400, 400, 400]);
  assert.equal((await eventsOf(user)).length, 1);
  for (const pod of [0, 1]) {
    const used = await browser.get(at(url, pod));
    deniedByPage(used);
    assert.match(used.html, /expired or was answered before/);
  }
});

test('somebody else sees neither whom nor what it is about, and can come back as the one who was asked [threat B12 H03]', async () => {
  const { user, again, url } = await asked();
  const bob = await server.user();
  const browser = new TestBrowser();
  const back = { return_url: 'https://gateway.example.com/done' };
  const page = await openSignedIn(at(url, 0, back), bob, browser);
  assert.equal(page.status, 403);
  assert.match(page.html, /for another account/);
  assert.ok(page.html.includes(bob.email));
  for (const secret of [user.email, user.id, 'Assistant', 'Gateway', library.uri, 'tools/read'])
    assert.ok(!page.html.includes(secret), secret);

  const csrf = page.field('csrf_token');
  const posted = { csrf_token: csrf, request: new URL(url).searchParams.get('ticket') ?? '', scopes: 'tools/read' };
  assert.equal((await browser.post(url, { ...posted, action: 'allow' })).status, 403);
  assert.equal((await browser.post(url, { ...posted, action: 'deny' })).status, 403);
  assert.deepEqual([...(await consentsOf(user)), ...(await consentsOf(bob))], []);

  const out = await browser.post(new URL('/logout', page.url).href, {
    csrf_token: csrf,
    next: page.field('next'),
    ticket: page.field('ticket'),
    return_url: page.field('return_url'),
  });
  const login = await browser.follow(out);
  const question = await browser.follow(await signIn(browser, login, user));
  assert.deepEqual(question.checkboxes('scopes'), ['tools/read', 'tools/write']);
  const done = await answerConsent(browser, question, 'allow');
  assert.equal(done.location?.href, 'https://gateway.example.com/done?consent=granted');
  ok(await again(1));
});

test('another site cannot answer: not without the token of the form, nor with that of another session [threat H01]', async () => {
  const { user, url } = await asked();
  const browser = new TestBrowser();
  const page = await openSignedIn(url, user, browser);
  const form = /<form method="post" action="[^"]*exchange"[\s\S]*?<\/form>/.exec(page.html)?.[0] ?? '';
  const request = /name="request" value="([^"]*)"/.exec(form)?.[1] ?? '';
  const elsewhere = await openSignedIn(url, user);
  for (const csrf_token of [undefined, '', 'x', elsewhere.field('csrf_token')]) {
    const answer = await browser.post(url, { csrf_token, request, action: 'allow', scopes: 'tools/read' });
    assert.equal(answer.status, 403);
  }
  const nobody = await new TestBrowser().post(url, { request, action: 'allow', scopes: 'tools/read' });
  assert.equal(nobody.location?.pathname, '/login');
  assert.deepEqual(await consentsOf(user), []);
});

test('a client that becomes another while the page is open gets nothing: the person is asked again [threat H02]', async () => {
  const { user, again, url } = await asked();
  const browser = new TestBrowser();
  const page = await openSignedIn(url, user, browser);
  const rename = (name: string) =>
    server.change('client', gateway.clientId, () =>
      server.sql('update clients set client_name = $2 where client_id = $1', [gateway.clientId, name]),
    );
  await rename('Your bank');
  const shown = await answerConsent(browser, page, 'allow');
  assert.match(shown.html, /role="alert".*Nothing was allowed/);
  assert.ok(shown.html.includes('Your bank'));
  assert.deepEqual(await consentsOf(user), []);
  assert.equal((await answerConsent(browser, shown, 'allow')).status, 200);
  ok(await again());
  await rename('Gateway');
});

test('a ticket that has expired, was changed, or is another kind of sealed thing is worth nothing', async () => {
  const { user, url } = await asked();
  const browser = new TestBrowser();
  const page = await openSignedIn(url, user, browser);
  const ticket = new URL(url).searchParams.get('ticket') ?? '';
  const login = await assistant.start({ resource: library.uri });
  const other = login.location?.searchParams.get('request') ?? '';
  assert.ok(other.length > 100);
  const middle = ticket.length >> 1;
  const swapped = ticket[middle] === 'A' ? 'B' : 'A';
  for (const bad of [
    '',
    'x',
    `${ticket.slice(0, middle)}${swapped}${ticket.slice(middle + 1)}`,
    `${ticket}A`,
    ticket.toLowerCase(),
    other,
  ])
    deniedByPage(await browser.get(`${server.issuer}/consent/exchange?ticket=${bad}`));
  deniedByPage(await browser.get(`${server.issuer}/consent/exchange`));
  deniedByPage(await browser.get(`${url}&ticket=${ticket}`));
  deniedByPage(await browser.get(`${server.issuer}/consent?request=${ticket}`), 400);
  deniedByPage(await browser.get(`${server.issuer}/oauth/continue?request=${ticket}`), 400);

  server.clock.advance(601);
  deniedByPage(await browser.get(url));
  deniedByPage(await answerConsent(browser, page, 'allow'));
  assert.deepEqual(await consentsOf(user), []);
});

test('a URL is given only where the token was good and the consent is all that is missing', async () => {
  const user = await server.user();
  const subject = await grant(user);
  const silent = async (answer: Promise<Answer<unknown>>, code: string, status?: number) => {
    const refused = await answer;
    denied(refused, code, status);
    assert.equal(bodyOf(refused).consent_url, undefined);
  };
  const there = { resource: library.uri };
  await silent(gateway.exchange(`${subject.slice(0, -8)}AAAAAAAA`, there), 'invalid_request');
  await silent(assistant.exchange(subject, there), 'access_denied', 403);
  await silent(gateway.exchange(subject, { ...there, scope: 'tools/lend' }), 'invalid_scope');
  const bounded = await server.client({ ...confidential, grantTypes: [exchange], ceiling: ['other'] });
  const open = await server.resource({ runtimeClients: [bounded.clientId], scopes: ['tools/read'] });
  await silent(bounded.exchange(subject, { resource: open.uri, scope: 'tools/read' }), 'consent_required');
  const foreign = await server.resource({ runtimeClients: [gateway.clientId], scopes: ['nothing/alike'] });
  await silent(gateway.exchange(subject, { resource: foreign.uri }), 'consent_required');
  const many = Array.from({ length: 90 }, (_, n) => `collections.of.the.house.shelf-${n}.read`);
  const [hall, archive] = [await server.resource({ scopes: many }), await server.resource({ scopes: many })];
  const own = await grant(user, many.join(' '), hall.uri);
  await silent(assistant.exchange(own, { resource: archive.uri }), 'consent_required');
  ok(await assistant.revoke(subject));
  await silent(gateway.exchange(subject, there), 'invalid_request');
});

test('a question that became impossible meanwhile is not asked: a client that ended, a scope or resource that went', async () => {
  const target = await server.resource({ runtimeClients: [gateway.clientId], scopes: ['tools/read', 'tools/write'] });
  const user = await server.user();
  const subject = await grant(user);
  const { consent_url: url = '' } = bodyOf(await gateway.exchange(subject, { resource: target.uri }));
  const browser = new TestBrowser();
  const page = await openSignedIn(url, user, browser);
  assert.equal(page.status, 200);
  const scopes = (list: string[]) =>
    server.change('resource', target.id, () =>
      server.sql('update resources set scopes = $2 where id = $1', [
        target.id,
        JSON.stringify(list.map((name) => ({ name, description: '', upstream: '', default: false }))),
      ]),
    );
  await scopes(['tools/read']);
  deniedByPage(await answerConsent(browser, page, 'allow', ['tools/read']));
  deniedByPage(await browser.get(url));
  await scopes(['tools/read', 'tools/write']);
  const status = (value: string) =>
    server.change('client', gateway.clientId, () =>
      server.sql('update clients set status = $2 where client_id = $1', [gateway.clientId, value]),
    );
  await status('suspended');
  deniedByPage(await browser.get(url));
  await status('active');
  assert.equal((await answerConsent(browser, page, 'allow')).status, 200);
});

test('several targets are asked about on one page', async () => {
  const user = await server.user();
  const subject = await grant(user);
  const second = await server.resource({ runtimeClients: [gateway.clientId], scopes: ['tools/write'] });
  const both = { resource: [library.uri, second.uri] };
  const refused = await gateway.exchange(subject, both);
  const browser = new TestBrowser();
  const page = await openSignedIn(bodyOf(refused).consent_url ?? '', user, browser);
  assert.ok(page.html.includes(library.uri) && page.html.includes(second.uri));
  assert.equal((await answerConsent(browser, page, 'allow')).status, 200);
  assert.equal(ok(await gateway.exchange(subject, both)).scope, 'tools/read tools/write');
  assert.equal((await eventsOf(user)).length, 2);
});
