import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hash } from '@node-rs/argon2';
import { startAuthServer } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import { deniedByPage, signIn } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const resource = await server.resource();
const app = await server.client();
const url = (path: string) => app.url(path);
const open = async (browser = new TestBrowser()): Promise<[TestBrowser, Page]> => [
  browser,
  await browser.get(url('/login')),
];
const sessions = async (id: string) =>
  (await server.sql('select 1 from browser_sessions where user_id = $1', [id])).length;

/** The text a person reads, without what differs by design: the tokens, and the address they typed. */
const text = (page: Page, email: string) =>
  page.html.replaceAll(/value="[A-Za-z0-9_.-]{40,}"/g, '').replaceAll(email, '');

test('the right password starts a session that every pod knows', async () => {
  const [browser, login] = await open();
  const answer = await signIn(browser, login, user);
  assert.equal(answer.status, 303);
  assert.equal(answer.location?.pathname, '/account');
  for (const pod of [0, 1]) assert.match((await browser.get(app.url('/', pod))).html, /Signed in/);
});

test('the e-mail address is compared without regard to case or spaces around it', async () => {
  const [browser, login] = await open();
  assert.equal((await signIn(browser, login, { ...user, email: ` ${user.email.toUpperCase()} ` })).status, 303);
});

test('unknown, wrong, disabled and without a password: one answer (RFC 9700 §4, OWASP ASVS 2.2) [threat H09]', async () => {
  const disabled = await server.user();
  await server.store.users.setStatus(disabled.id, 'disabled');
  const federated = await server.user();
  await server.sql('update users set password_hash = null where id = $1', [federated.id]);
  const answers: string[] = [];
  for (const person of [
    { ...user, email: 'nobody@example.com' },
    { ...user, password: 'wrong password' },
    disabled,
    federated,
  ]) {
    const [browser, login] = await open();
    const answer = await signIn(browser, login, person);
    assert.equal(answer.status, 422);
    assert.deepEqual([...browser.cookies.keys()], ['authserver_login_nonce']);
    answers.push(text(answer, person.email));
  }
  assert.equal(new Set(answers).size, 1, answers.join('\n----\n'));
});

test('time does not tell whether an account exists [threat H09]', async () => {
  const known = await server.user();
  // At the cost the server itself uses; the other users of the tests are cheap.
  await server.store.users.setPassword(known.id, await hash('x', { memoryCost: 19_456, timeCost: 2, parallelism: 1 }));
  const disabled = await server.user();
  await server.store.users.setStatus(disabled.id, 'disabled');
  const [browser, login] = await open();
  const people = [known.email, 'nobody@example.com', disabled.email];
  const times = people.map((): number[] => []);
  for (
    let round = 0;
    round < 15;
    round += 1 // in turns, so that a busy machine is slow to all of them
  )
    for (const [index, email] of people.entries()) {
      const start = performance.now();
      await signIn(browser, login, { ...user, email, password: 'wrong' });
      times[index]?.push(performance.now() - start);
    }
  const medians = times.map((of) => of.sort((a, b) => a - b)[7] as number);
  assert.ok(Math.max(...medians) < 1.8 * Math.min(...medians), medians.join(' ms, '));
});

test('the form belongs to the browser it was drawn for (RFC 9700 §4.7) [R6749-07] [threat H07]', async () => {
  const [, login] = await open();
  const [other] = await open();
  const before = await sessions(user.id);
  for (const [browser, page] of [
    [new TestBrowser(), login],
    [other, login],
  ] as const) {
    const answer = await signIn(browser, page, user);
    assert.equal(answer.status, 422);
    assert.ok(!browser.cookies.has('authserver_session'));
  }
  for (const csrf_token of [undefined, '', 'x', 'a'.repeat(43)]) {
    const answer = await other.post(url('/login'), { csrf_token, email: user.email, password: user.password });
    assert.equal(answer.status, 422);
  }
  assert.equal(await sessions(user.id), before);
});

test('a planted login cookie does not help: only values of our making count [threat H07]', async () => {
  const [, login] = await open();
  const victim = new TestBrowser();
  victim.cookies.set('authserver_login_nonce', 'planted');
  assert.equal((await signIn(victim, login, user)).status, 422);
});

test('a password or address that is too long is refused before any hash (OWASP ASVS 2.1) [threat H10]', async () => {
  const [browser, login] = await open();
  for (const person of [
    { ...user, password: 'x'.repeat(1_025) },
    { ...user, password: 'x'.repeat(50_000) },
    { ...user, email: `${'x'.repeat(250)}@example.com` },
    { ...user, password: '' },
    { ...user, email: '' },
  ]) {
    const start = performance.now();
    assert.equal((await signIn(browser, login, person)).status, 422);
    assert.ok(performance.now() - start < 250);
  }
});

test('a long password is not cut: every character counts [threat H10]', async () => {
  const long = await server.user();
  const password = 'x'.repeat(100);
  await server.store.users.setPassword(long.id, await hash(password, { memoryCost: 64, timeCost: 1, parallelism: 1 }));
  const [browser, login] = await open();
  assert.equal((await signIn(browser, login, { ...long, password: `${password.slice(1)}y` })).status, 422);
  assert.equal((await signIn(browser, login, { ...long, password: `${password}\u0000y` })).status, 422);
  assert.equal((await signIn(browser, login, { ...long, password })).status, 303);
});

test('the form comes back with the address and never with the password', async () => {
  const [browser, login] = await open();
  const answer = await signIn(browser, login, {
    ...user,
    email: '"><script>x</script>@example.com',
    password: 'pa55-canary',
  });
  assert.ok(!answer.html.includes('pa55-canary'));
  assert.ok(!answer.html.includes('<script'));
});

test('a failed sign-in is recorded without the address that was typed', async () => {
  const [browser, login] = await open();
  await signIn(browser, login, { ...user, email: 'canary-address@example.com' });
  await signIn(browser, login, { ...user, password: 'wrong' });
  // The first of each is written; what was tried before in this file is counted.
  const events = await server.sql(
    `select actor_id, details::text as details, ip from audit_events where action = 'user.login_failed'`,
  );
  const actors = events.map(({ actor_id }) => actor_id);
  assert.ok(actors.includes(user.id) && actors.includes(null), JSON.stringify(actors));
  assert.ok(!JSON.stringify(events).includes('canary-address'));
});

test('a sign-in request that expired or was changed is a page, and goes nowhere', async () => {
  const browser = new TestBrowser();
  const login = await browser.follow(await app.start({ resource: resource.uri }, browser));
  const sealed = login.field('request');
  deniedByPage(await browser.get(`${url('/login')}?request=${sealed.slice(0, -1)}`));
  deniedByPage(await browser.get(`${url('/login')}?request=https://evil.example/`));
  server.clock.advance(601);
  deniedByPage(await browser.get(`${url('/login')}?request=${sealed}`));
  deniedByPage(await signIn(browser, login, user));
});
