/** The pages on which a person connects a device (RFC 8628 §3.3), and what somebody else could try with them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { deviceGrantType, devicesOf, manyAddresses, person } from '../support/device.ts';
import { denied, deniedByPage, ok, signIn } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2, env: manyAddresses });
const resource = await server.resource({
  slug: 'notes',
  scopes: [{ name: 'tools/read', description: 'Read your notes' }, 'tools/write'],
});
const wish = { scope: 'tools/read tools/write', resource: resource.uri };

const device = devicesOf(server);

test('the page names the app, where it comes from, the resource, each scope, and warns [R8628-09] [threat H13]', async () => {
  const tv = await device({ source: 'dcr' });
  const asked = await tv.start(wish);
  const { html, response } = await tv.question(await server.user(), asked.user_code);
  for (const said of [
    'Terminal',
    'The app registered itself under this name. Anyone can use any name.',
    tv.app.clientId,
    resource.uri,
    'Read your notes',
    'tools/write',
    asked.user_code,
    'If your device shows another one, choose Deny.',
    'Only go on if you started this yourself',
    'connects <em>their</em> device to your account',
    'just now',
  ])
    assert.ok(html.includes(said), said);
  assert.equal(response.headers.get('cache-control'), 'no-store');
  assert.match(response.headers.get('content-security-policy') ?? '', /form-action 'self';.*frame-ancestors 'none'/);
});

test('a link with the code is not enough: the code must still be confirmed, and nothing is looked up before [R8628-09]', async () => {
  const user = await server.user();
  const tv = await device();
  const asked = await tv.start(wish);
  const browser = person();
  const login = await browser.follow(await browser.get(asked.verification_uri_complete));
  assert.equal(new URL(login.url).pathname, '/login');
  assert.match(login.html, /to connect a device/);
  const answer = await browser.post(new URL('/login', login.url).href, {
    email: user.email,
    password: user.password,
    csrf_token: login.field('csrf_token'),
    next: login.field('next'),
    user_code: login.field('user_code'),
  });
  const page = await browser.follow(answer);
  assert.equal(page.url, asked.verification_uri_complete);
  assert.match(page.html, /Does your device show this code, right now\?/);
  assert.ok(page.html.includes(asked.user_code));
  assert.doesNotMatch(page.html, /Terminal/, 'nothing of the request');
  denied(await tv.poll(asked.device_code), 'authorization_pending');
  const question = await browser.follow(await tv.enter(browser, page, page.field('user_code')));
  assert.match(question.html, /Terminal/);
  await tv.answer(browser, question, 'allow');
  server.clock.advance(5);
  ok(await tv.poll(asked.device_code));
});

test('a code may be typed in any case, with or without punctuation; a wrong one says only that no device waits', async () => {
  const user = await server.user();
  const tv = await device();
  const browser = person();
  const asked = await tv.start(wish);
  const plain = asked.user_code.replace('-', '').toLowerCase();
  const question = await tv.question(user, ` ${plain.slice(0, 3)} ${plain.slice(3)} `, browser);
  assert.match(question.html, /Terminal/);

  const refused = await tv.start(wish);
  const other = person();
  await tv.answer(other, await tv.question(user, refused.user_code, other), 'deny');
  const form = await browser.get(tv.app.url('/device'));
  const said = [];
  for (const code of ['BBBB-BBBB', refused.user_code, '<script>', '\0', '']) {
    const page = await tv.enter(browser, form, code);
    deniedByPage(page, 422);
    assert.doesNotMatch(page.html, /<script/);
    said.push(/role="alert">(.*?)<\/p>/.exec(page.html)?.[1]);
  }
  assert.equal(new Set(said).size, 1);
});

test('guessing codes ends after a few, on correct ones too [R8628-08] [threat H13]', async () => {
  const user = await server.user();
  const tv = await device();
  const asked = await tv.start(wish);
  const browser = person();
  const form = await browser.follow(
    await signIn(browser, await browser.follow(await browser.get(tv.app.url('/device'))), user),
  );
  let tries = 0;
  let page = await tv.enter(browser, form, 'BBBB-BBBB');
  for (; page.status === 422; tries += 1) {
    assert.ok(tries < 30, 'nobody stops it');
    page = await tv.enter(browser, form, 'BBBB-BBBB');
  }
  deniedByPage(page, 429);
  assert.match(page.html, /Too many codes were entered/);
  assert.ok(Number(page.response.headers.get('retry-after')) > 0);
  deniedByPage(await tv.enter(browser, form, asked.user_code), 429);
});

test('the question belongs to the person who entered the code, and to their session [threat H03]', async () => {
  const [alice, bob] = [await server.user(), await server.user()];
  const tv = await device();
  const asked = await tv.start(wish);
  const [hers, his] = [person(), person()];
  const question = await tv.question(alice, asked.user_code, hers);
  await signIn(his, await his.get(tv.app.url('/login')), bob);
  const confirm = tv.app.url('/device/confirm');
  deniedByPage(await his.get(`${confirm}?request=${question.field('request')}`), 400);
  const csrf_token = (await his.get(tv.app.url('/device'))).field('csrf_token');
  const form = { csrf_token, request: question.field('request'), action: 'allow', scopes: ['tools/read'] };
  deniedByPage(await his.post(confirm, form), 400);
  for (const token of [undefined, '', 'x', csrf_token])
    deniedByPage(await hers.post(confirm, { ...form, csrf_token: token }), 403);
  deniedByPage(await hers.post(confirm, { ...form, csrf_token: question.field('csrf_token'), request: 'x' }), 400);
  deniedByPage(await hers.post(tv.app.url('/device'), { user_code: asked.user_code, csrf_token: 'x' }), 403);
  assert.equal((await person().post(confirm, form)).location?.pathname, '/login');
  denied(await tv.poll(asked.device_code), 'authorization_pending');
});

test('a person may allow less, never more, and not nothing [threat H02]', async () => {
  const user = await server.user();
  const tv = await device();
  const asked = await tv.start({ ...wish, scope: 'tools/read' });
  const browser = person();
  const question = await tv.question(user, asked.user_code, browser);
  deniedByPage(await tv.answer(browser, question, 'allow', []), 400);
  deniedByPage(await tv.answer(browser, question, 'allow', ['tools/read', 'tools/write']), 400);
  deniedByPage(await tv.answer(browser, question, 'maybe'), 400);
  denied(await tv.poll(asked.device_code), 'authorization_pending');
});

test('of two answers at once one counts, and a question is answered once', async () => {
  const user = await server.user();
  const tv = await device();
  const asked = await tv.start(wish);
  const browser = person();
  const question = await tv.question(user, asked.user_code, browser);
  const form = {
    csrf_token: question.field('csrf_token'),
    request: question.field('request'),
    scopes: ['tools/read'],
  };
  const answers = await Promise.all(
    [0, 1].map((pod) => browser.post(tv.app.url('/device/confirm', pod), { ...form, action: 'allow' })),
  );
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 400]);
  deniedByPage(await tv.answer(browser, question, 'deny'), 400);
  ok(await tv.poll(asked.device_code));
  const events = await server.sql("select 1 from audit_events where actor_id = $1 and action = 'consent.granted'", [
    user.id,
  ]);
  assert.equal(events.length, 1);
});

test('what was allowed before is asked again, and the answer is remembered for no browser', async () => {
  const user = await server.user();
  const tv = await device({
    grantTypes: ['authorization_code', deviceGrantType],
    redirectUris: ['https://app.example.com/cb'],
  });
  await tv.allowed(user, wish);
  const browser = person();
  const again = await tv.question(user, (await tv.start(wish)).user_code, browser);
  assert.match(again.html, /allowed before/);
  const start = await tv.app.start({ scope: 'tools/read', resource: resource.uri }, browser);
  assert.equal(start.location?.pathname, '/consent');
});

test('somebody else can take over at the same browser, and must confirm the code again', async () => {
  const [alice, bob] = [await server.user(), await server.user()];
  const tv = await device();
  const asked = await tv.start(wish);
  const browser = person();
  const question = await tv.question(alice, asked.user_code, browser);
  const out = await browser.follow(
    await browser.post(tv.app.url('/logout'), {
      csrf_token: question.field('csrf_token'),
      next: question.field('next'),
      user_code: question.field('user_code'),
    }),
  );
  assert.equal(new URL(out.url).pathname, '/login');
  const page = await browser.follow(
    await browser.post(tv.app.url('/login'), {
      email: bob.email,
      password: bob.password,
      csrf_token: out.field('csrf_token'),
      next: out.field('next'),
      user_code: out.field('user_code'),
    }),
  );
  assert.match(page.html, /Does your device show this code/);
  assert.ok(page.html.includes(bob.email));
});

test('a client that becomes another while the question stands there gets nothing: it is asked again [threat H13]', async () => {
  const user = await server.user();
  const tv = await device({ source: 'dcr', name: 'Television' });
  const asked = await tv.start(wish);
  const browser = person();
  const question = await tv.question(user, asked.user_code, browser);
  await server.change('client', tv.app.clientId, () =>
    server.sql(`update clients set client_name = 'Your bank' where client_id = $1`, [tv.app.clientId]),
  );
  const again = await tv.answer(browser, question, 'allow');
  assert.match(again.html, /role="alert".*Nothing was allowed/);
  assert.ok(again.html.includes('Your bank'));
  denied(await tv.poll(asked.device_code), 'authorization_pending');
  assert.doesNotMatch((await tv.answer(browser, again, 'allow')).html, /role="alert"/);
  ok(await tv.poll(asked.device_code));
});

test('a client that was blocked meanwhile, or whose resource is gone, cannot be allowed', async () => {
  const user = await server.user();
  const tv = await device();
  const asked = await tv.start(wish);
  const browser = person();
  const question = await tv.question(user, asked.user_code, browser);
  await server.change('client', tv.app.clientId, (tx) =>
    tx.clients.setStatus(tv.app.clientId, ['active'], 'suspended'),
  );
  deniedByPage(await tv.answer(browser, question, 'allow'), 400);
  assert.equal((await server.sql('select 1 from consent_grants where user_id = $1', [user.id])).length, 0);

  const gone = await server.resource({ scopes: ['x'] });
  const laptop = await device();
  const late = await laptop.start({ scope: 'x', resource: gone.uri });
  const other = person();
  const second = await laptop.question(user, late.user_code, other);
  await server.change('resource', gone.id, (tx) => tx.resources.delete(gone.id));
  deniedByPage(await laptop.answer(other, second, 'allow'), 400);
});
