import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hash } from '@node-rs/argon2';
import { type AuthServer, startAuthServer, type TestUser } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import { redis } from '../support/services.ts';
import { ageKeys, connectRedis } from '../support/shared-state.ts';
import { signIn } from '../support/test-app.ts';

const env = {
  RATE_LIMIT_AUTH_FAIL_MAX: '5',
  RATE_LIMIT_ENABLED: 'false', // a lockout does not depend on it
  SERVER_TRUSTED_PROXIES: '127.0.0.0/8,::1',
  LOG_STDOUT: 'false',
};
const servers: [store: string, server: AuthServer][] = [
  ['PostgreSQL', await startAuthServer({ pods: 2, env })],
  ['Redis', await startAuthServer({ pods: 2, env: { ...env, REDIS_URL: (await redis()).url } })],
];
const failing = await startAuthServer({ env });
const lenient = await startAuthServer({ env: { ...env, RATE_LIMIT_AUTH_FAIL_MAX: '0' } });
const tidy = await startAuthServer({ env, housekeepingMs: 50 });
/** Each test comes from addresses of its own. */
let network = 0;
const newAddress = () => {
  network += 1;
  return `198.51.${network}.1`;
};
const lockedOut = /Too many sign-ins have failed/;

const attempt = async (
  server: AuthServer,
  from: string,
  person: Pick<TestUser, 'email' | 'password'>,
  pod = 0,
): Promise<Page> => {
  const browser = new TestBrowser({ 'x-forwarded-for': from });
  const page = await browser.get(`${server.pods[pod]?.url}/login`);
  return signIn(browser, page, { id: '', ...person });
};
const wrong = (email: string) => ({ email, password: 'wrong' });
const statuses = async (count: number, one: (index: number) => Promise<Page>): Promise<number[]> => {
  const seen: number[] = [];
  for (let index = 0; index < count; index += 1) seen.push((await one(index)).status);
  return seen;
};

/** Lets time pass for what is counted: it runs by the clock of the place where it is kept. */
const age = async (server: AuthServer, seconds: number): Promise<void> => {
  const { url } = server.config.redis;
  if (url !== undefined) return ageKeys(await connectRedis({ url, issuer: server.issuer }), seconds * 1000);
  await server.sql(
    `update login_attempts set window_ends_at = window_ends_at - make_interval(secs => $1),
            locked_until = locked_until - make_interval(secs => $1)`,
    [seconds],
  );
};

for (const [store, server] of servers) {
  test(`${store}: guesses spread over pods share one budget, and then nobody signs in from there [O21-16] [threat H08]`, async () => {
    const [user, from] = [await server.user(), newAddress()];
    const seen = await statuses(8, (index) => attempt(server, from, wrong(user.email), index % 2));
    assert.deepEqual(seen, [422, 422, 422, 422, 422, 429, 429, 429]);
    for (const pod of [0, 1]) {
      const page = await attempt(server, from, user, pod);
      assert.equal(page.status, 429, 'the right password is not even looked at');
      assert.match(page.html, lockedOut);
      const wait = Number(page.response.headers.get('retry-after'));
      assert.ok(wait > 890 && wait <= 900, String(wait));
      assert.match(page.html, /Try again in 15 minutes/);
    }
  });

  test(`${store}: Retry-After is the truth, and the end of the lockout is a new beginning`, async () => {
    const [user, from] = [await server.user(), newAddress()];
    await statuses(5, () => attempt(server, from, wrong(user.email)));
    await age(server, 600); // the window is over, the lockout is not
    const page = await attempt(server, from, user);
    assert.equal(page.status, 429);
    await age(server, Number(page.response.headers.get('retry-after')));
    assert.equal((await attempt(server, from, wrong(user.email))).status, 422);
    assert.equal((await attempt(server, from, user)).status, 303);
  });

  test(`${store}: who guesses locks out himself, not the owner elsewhere [threat H08]`, async () => {
    const [user, attacker, home] = [await server.user(), newAddress(), newAddress()];
    await statuses(7, () => attempt(server, attacker, wrong(user.email)));
    assert.equal((await attempt(server, home, user)).status, 303);
    const other = await server.user();
    assert.equal((await attempt(server, attacker, other)).status, 303, 'nor others at the same address');
  });

  test(`${store}: an unknown account is locked out like a known one, with the same words [threat H09]`, async () => {
    const user = await server.user();
    const pages: string[] = [];
    for (const email of [user.email, `nobody-${store.toLowerCase()}@example.com`]) {
      const from = newAddress();
      const seen = await statuses(6, () => attempt(server, from, wrong(email)));
      assert.deepEqual(seen, [422, 422, 422, 422, 422, 429]);
      const page = await attempt(server, from, wrong(email));
      pages.push(page.html.replaceAll(/value="[A-Za-z0-9_.-]{40,}"/g, '').replaceAll(email, ''));
    }
    assert.equal(pages[0], pages[1]);
  });

  test(`${store}: no spelling of name or address is a fresh start [threat L10]`, async () => {
    const user = await server.user({ email: `spelling-${store.toLowerCase()}@example.com` });
    const from = newAddress();
    const names = [user.email.toUpperCase(), ` ${user.email} `, user.email.replace('s', 'ｓ'), user.email];
    const froms = [from, `::ffff:${from}`, `${from}:4711`, `203.0.113.9, ${from}`];
    const seen = await statuses(6, (index) =>
      attempt(server, froms[index % 4] as string, wrong(names[index % 4] as string)),
    );
    assert.deepEqual(seen, [422, 422, 422, 422, 422, 429]);
  });

  test(`${store}: a whole IPv6 /64 is one address, the next one another [threat L10]`, async () => {
    const user = await server.user();
    network += 1;
    const prefix = `2001:db8:${network.toString(16)}:1`;
    const seen = await statuses(6, (index) => attempt(server, `${prefix}:${index}::${index}`, wrong(user.email)));
    assert.deepEqual(seen, [422, 422, 422, 422, 422, 429]);
    assert.equal((await attempt(server, prefix.replace(/1$/, '2::1'), user)).status, 303);
  });

  test(`${store}: success starts the count anew`, async () => {
    const [user, from] = [await server.user(), newAddress()];
    for (let round = 0; round < 3; round += 1) {
      await statuses(4, () => attempt(server, from, wrong(user.email)));
      assert.equal((await attempt(server, from, user, 1)).status, 303);
    }
  });

  test(`${store}: one password tried on many accounts locks the address [threat H08]`, async () => {
    const from = newAddress();
    const seen = await statuses(52, (index) => attempt(server, from, wrong(`spray-${index}@example.com`), index % 2));
    assert.deepEqual(
      [seen.filter((status) => status === 422).length, seen.slice(50)],
      [50, [429, 429]],
      'ten times auth_fail_max',
    );
    const user = await server.user();
    assert.equal((await attempt(server, from, user)).status, 429);
    assert.equal((await attempt(server, newAddress(), user)).status, 303);
    const events = await server.sql(
      `select details from audit_events where action = 'auth.locked_out' and ip = $1 and details->>'scope' = 'address'`,
      [from],
    );
    assert.equal(events.length, 1);
  });

  test(`${store}: guesses at the same moment do not exceed the limit, and begin one lockout [threat H08]`, async () => {
    const [user, from] = [await server.user(), newAddress()];
    // At the server's own cost, so that they overlap.
    await server.store.users.setPassword(user.id, await hash('x', { memoryCost: 19_456, timeCost: 2, parallelism: 1 }));
    const pages = await Promise.all(
      Array.from({ length: 24 }, (_, index) => attempt(server, from, wrong(user.email), index % 2)),
    );
    assert.equal(pages.filter(({ status }) => status === 422).length, 5);
    assert.equal(pages.filter(({ status }) => status === 429).length, 19);
    const events = await server.sql(
      `select actor_id, details from audit_events where action = 'auth.locked_out' and ip = $1`,
      [from],
    );
    assert.equal(events.length, 1);
    assert.equal(events[0]?.actor_id, user.id);
    const { scope, until } = (events[0] as Record<string, unknown>).details as { scope: string; until: string };
    assert.equal(scope, 'identity');
    const lasts = (Date.parse(until) - Date.now()) / 1000;
    assert.ok(lasts > 880 && lasts <= 900, String(lasts));
    const failures = await server.sql(`select 1 from audit_events where action = 'user.login_failed' and ip = $1`, [
      from,
    ]);
    assert.equal(failures.length, 2, 'the first at each pod; the others are counted');
  });

  test(`${store}: a form without its token or its fields is no failed sign-in`, async () => {
    const [user, from] = [await server.user(), newAddress()];
    for (let count = 0; count < 10; count += 1) {
      const browser = new TestBrowser({ 'x-forwarded-for': from });
      const page = await browser.get(`${server.issuer}/login`);
      const csrf_token = page.field('csrf_token');
      await browser.post(`${server.issuer}/login`, { csrf_token, email: user.email });
      await new TestBrowser({ 'x-forwarded-for': from }).post(`${server.issuer}/login`, { ...wrong(user.email) });
    }
    assert.equal((await attempt(server, from, user)).status, 303);
  });

  test(`${store}: metrics tell lockouts apart`, async () => {
    const before = await server.metric('authserver_login_lockouts_total', { scope: 'identity' });
    const refused = await server.metric('authserver_login_attempts_total', { outcome: 'locked_out' });
    const [user, from] = [await server.user(), newAddress()];
    await statuses(7, () => attempt(server, from, wrong(user.email)));
    assert.equal(await server.metric('authserver_login_lockouts_total', { scope: 'identity' }), before + 1);
    assert.equal(await server.metric('authserver_login_attempts_total', { outcome: 'locked_out' }), refused + 2);
  });
}

test('neither names nor addresses are stored, and nothing is stored in PostgreSQL while Redis has it [threat L07]', async () => {
  const [[, inPostgres], [, inRedis]] = servers as [[string, AuthServer], [string, AuthServer]];
  const rows = await inPostgres.sql('select * from login_attempts');
  assert.ok(rows.length > 0);
  assert.deepEqual(Object.keys(rows[0] as object).sort(), [
    'attempts_left',
    'key_hash',
    'locked_until',
    'window_ends_at',
  ]);
  for (const { key_hash } of rows) assert.equal((key_hash as Buffer).length, 32);
  assert.deepEqual(await inRedis.sql('select * from login_attempts'), []);
});

test('our own fault is no failed sign-in', async () => {
  const [user, from] = [await failing.user(), newAddress()];
  await failing.sql('alter table users rename column password_hash to away');
  for (let count = 0; count < 8; count += 1) assert.equal((await attempt(failing, from, user)).status, 500);
  await failing.sql('alter table users rename column away to password_hash');
  assert.equal((await attempt(failing, from, user)).status, 303);
});

test('auth_fail_max 0 is no lockout', async () => {
  const [user, from] = [await lenient.user(), newAddress()];
  await statuses(20, () => attempt(lenient, from, wrong(user.email)));
  assert.equal((await attempt(lenient, from, user)).status, 303);
});

test('counts that are over are cleaned away beside the requests', async () => {
  await attempt(tidy, newAddress(), wrong('somebody@example.com'));
  assert.equal((await tidy.sql('select 1 from login_attempts')).length, 2);
  await age(tidy, 3_600);
  const started = performance.now();
  while ((await tidy.sql('select 1 from login_attempts')).length > 0) {
    assert.ok(performance.now() - started < 3_000);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
});
