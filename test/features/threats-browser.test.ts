/** What other sites, other people and other windows may do to somebody who signs in and consents. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hash } from '@node-rs/argon2';
import { startAuthServer, type TestUser } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import { answerConsent, deniedByPage, ok, raw, signIn } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const secure = await startAuthServer({ env: { SESSION_SECURE: 'true' } });
const resource = await server.resource();
const app = await server.client();

const formOf = (page: Page): Record<string, string> => {
  const form = /<form method="post" action="[^"]*\/consent">[\s\S]*?<\/form>/.exec(page.html)?.[0] ?? '';
  const value = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(form)?.[1] ?? '';
  return { csrf_token: value('csrf_token'), request: value('request') };
};
const codes = async ({ id }: TestUser) =>
  (await server.sql('select 1 from authorization_codes where user_id = $1', [id])).length;
/** Somebody in front of the consent page. */
const asked = async (user: TestUser, browser = new TestBrowser()): Promise<Page> => {
  const start = await browser.follow(await app.start({ resource: resource.uri }, browser));
  if (!new URL(start.url).pathname.endsWith('/login')) return start;
  return browser.follow(await signIn(browser, start, user));
};

test('another site cannot consent: not with its own form, a form as text, or the token of an earlier session [threat H01]', async () => {
  const [user, browser] = [await server.user(), new TestBrowser()];
  const earlier = formOf(await asked(user, browser));
  await signIn(browser, await browser.get(app.url('/login')), user);
  const form = formOf(await asked(user, browser));
  assert.notEqual(earlier.csrf_token, form.csrf_token);
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const attack = (fields: Record<string, string>, contentType = 'application/x-www-form-urlencoded') =>
    raw(app.url('/consent'), {
      method: 'POST',
      headers: { cookie, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', 'content-type': contentType },
      body: new URLSearchParams({
        action: 'allow',
        scopes: 'tools/read',
        request: String(form.request),
        ...fields,
      }).toString(),
    });
  for (const fields of [{}, { csrf_token: '' }, { csrf_token: 'x' }, { csrf_token: String(earlier.csrf_token) }])
    for (const action of ['allow', 'deny']) {
      const answer = await attack({ ...fields, action });
      assert.deepEqual([answer.status, answer.headers.get('location')], [403, null]);
    }
  for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/json']) {
    const answer = await attack({ csrf_token: String(form.csrf_token) }, type);
    assert.ok(answer.status >= 400 && answer.status < 500, `${type}: ${answer.status}`);
  }
  assert.equal(await codes(user), 0);
  assert.match((await browser.get(app.url('/'))).html, /Signed in/, 'the cookie was a good one');
});

test('of ten answers to one question, over two pods and two windows, one makes a code [threat H03]', async () => {
  const [user, browser] = [await server.user(), new TestBrowser()];
  const page = await asked(user, browser);
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      browser.post(app.url('/consent', index % 2), { ...formOf(page), action: 'allow', scopes: 'tools/read' }),
    ),
  );
  assert.equal(answers.filter(({ location }) => location?.searchParams.has('code')).length, 1);
  for (const answer of answers) if (!answer.location) deniedByPage(answer, answer.status);
  assert.equal(await codes(user), 1);
  deniedByPage(await answerConsent(browser, page, 'allow'));
  assert.equal(await codes(user), 1);
});

test('pages load nothing from others, whatever the client says of itself [threat H05]', async () => {
  const [user, browser] = [await server.user(), new TestBrowser()];
  const pages = [
    await browser.get(app.url('/login')),
    await asked(user, browser),
    await browser.get(app.url('/device')),
    await browser.get(app.url('/account')),
    await app.start({ client_id: 'client_nobody' }, browser),
    await browser.get(app.url('/nowhere')),
  ];
  for (const { html, response, url } of pages) {
    for (const [, address = ''] of html.matchAll(/\s(?:src|srcset|poster|background|data)="([^"]*)"/g))
      assert.doesNotMatch(address, /^(https?:)?\/\//, url);
    assert.doesNotMatch(html, /<(iframe|object|embed|base|script)\b|@import|url\(["']?(https?:)?\/\//i, url);
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/, url);
    assert.match(policy, /frame-ancestors 'none'/, url);
    assert.equal(response.headers.get('x-frame-options'), 'DENY', url);
    assert.equal(response.headers.get('cache-control'), 'no-store', url);
    // Not set on purpose: web clients open us in a popup, and would no longer be reachable as its opener.
    assert.equal(response.headers.get('cross-origin-opener-policy'), null, url);
  }
});

test('a session is another one after each sign-in, and none of the earlier ones lives, on any pod [threat H07]', async () => {
  const [user, browser] = [await server.user(), new TestBrowser()];
  const seen: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    assert.equal((await signIn(browser, await browser.get(app.url('/login', round % 2)), user)).status, 303);
    seen.push(String(browser.cookies.get('authserver_session')));
  }
  assert.equal(new Set(seen).size, 3);
  for (const [index, id] of seen.entries())
    for (const pod of [0, 1]) {
      const other = new TestBrowser();
      other.cookies.set('authserver_session', id);
      assert.equal((await other.get(app.url('/', pod))).html.includes('Signed in'), index === 2);
    }
  // Credentials of an attacker, sent by another site to the browser of somebody else.
  const cross = await raw(app.url('/login'), {
    method: 'POST',
    headers: { origin: 'https://evil.example', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ email: user.email, password: user.password, csrf_token: 'x' }).toString(),
  });
  assert.equal(cross.status, 422);
  assert.doesNotMatch(cross.headers.getSetCookie().join(), /authserver_session/);
});

test('over https the session cookie is one that no sister host can plant [threat H14]', async () => {
  const browser = new TestBrowser();
  const answer = await signIn(browser, await browser.get(`${secure.issuer}/login`), await secure.user());
  const cookie = answer.response.headers.getSetCookie().find((line) => line.startsWith('__Host-authserver_session='));
  assert.match(cookie ?? '', /; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
  assert.doesNotMatch(cookie ?? '', /Domain/i);
  assert.match((await browser.get(`${secure.issuer}/`)).html, /Signed in/);
});

test('passwords that agree in 72 bytes are two passwords, and a megabyte is none [threat H10]', async () => {
  const user = await server.user();
  const password = `${'p'.repeat(72)}A`;
  const cheap = { memoryCost: 64, timeCost: 1, parallelism: 1 };
  await server.store.users.setPassword(user.id, await hash(password, cheap));
  const browser = new TestBrowser();
  const login = await browser.get(app.url('/login'));
  assert.equal((await signIn(browser, login, { ...user, password: `${'p'.repeat(72)}B` })).status, 422);
  assert.equal((await signIn(browser, login, { ...user, password: 'x'.repeat(1024 * 1024) })).status, 413);
  assert.equal((await signIn(browser, login, { ...user, password })).status, 303);
});

test('two hundred people at the sign-in do not keep tokens waiting [threat H10]', async () => {
  const machine = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const latency = async (): Promise<number> => {
    const start = performance.now();
    ok(await machine.clientCredentials());
    return performance.now() - start;
  };
  const median = (times: number[]) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] as number;
  for (let warm = 0; warm < 10; warm += 1) await latency();
  const first = new TestBrowser();
  const page = await first.get(app.url('/login'));
  const nonce = String(first.cookies.get('authserver_login_nonce'));
  let over = false;
  const logins = Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const browser = new TestBrowser();
      browser.cookies.set('authserver_login_nonce', nonce);
      const stranger = { id: '', email: `nobody-${index}@example.com`, password: 'x'.repeat(1_000) };
      return (await signIn(browser, page, stranger)).status;
    }),
  ).finally(() => {
    over = true;
  });
  const times: number[] = [];
  while (!over) times.push(await latency());
  const statuses = await logins;
  // All of them hashed at once leave no thread for anything else: then it is three or four.
  assert.ok(times.length > 25, `${times.length} tokens were issued meanwhile`);
  assert.ok(median(times) < 250, `${median(times)} ms`); // some ten
  assert.ok(
    statuses.every((status) => [422, 503].includes(status)),
    statuses.join(),
  );
  assert.ok(statuses.filter((status) => status === 422).length >= 100);
});
