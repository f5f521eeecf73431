/** Failed sign-ins, in both places they may be counted: the same cases for each. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type AttemptKeys,
  attemptsInPostgres,
  attemptsInRedis,
  attemptsWithFallback,
  deleteExpiredAttempts,
} from '@authserver/replay';
import { openRedis } from '@authserver/replay/redis';
import { openDatabase } from '@authserver/store';
import { lockoutRules as rules, sharedEngines } from '../support/shared-state.ts';

const engines = await sharedEngines();

for (const { name: store, pods, age } of engines) {
  const [{ attempts }, { attempts: attemptsElsewhere }] = pods;

  const keysFor = (most: number, mostByAddress: number): AttemptKeys => [
    { hash: randomBytes(32), max: most },
    { hash: randomBytes(32), max: mostByAddress },
  ];
  const fail = async (keys: AttemptKeys, times: number) => {
    for (let count = 0; count < times; count += 1)
      assert.ok((await attempts.reserve(keys)).allowed, `failure ${count}`);
  };
  const isLocked = async (keys: AttemptKeys) => !(await attempts.reserve(keys)).allowed;
  /** A lockout that began just now, give or take what a slow machine takes. */
  const lastsFor = (until: Date | undefined, seconds: number) => {
    const left = ((until?.getTime() ?? 0) - Date.now()) / 1000;
    assert.ok(left > seconds - 30 && left <= seconds + 1, `${left} s`);
  };

  test(`${store}: the last attempt of a window locks, for the whole time, and then all begins anew`, async () => {
    const keys = keysFor(3, 100);
    await fail(keys, 2);
    const last = await attemptsElsewhere.reserve(keys);
    assert.ok(last.allowed);
    lastsFor(last.lockedUntil[0], 900);
    assert.equal(last.lockedUntil[1], undefined);
    for (const [passed, left] of [
      [0, 900],
      [601, 299],
      [260, 39],
    ] as const) {
      await age(passed * 1000);
      const refused = await attempts.reserve(keys);
      assert.ok(!refused.allowed);
      lastsFor(refused.until, left);
      assert.ok(Math.abs(refused.waitMs - (refused.until.getTime() - Date.now())) < 5_000);
    }
    await age(40_000);
    await fail(keys, 3);
    assert.ok(await isLocked(keys));
  });

  test(`${store}: a window that ended counts no more, one that has not does`, async () => {
    const keys = keysFor(3, 100);
    await fail(keys, 2);
    await age(590_000);
    await fail(keys, 1);
    assert.ok(await isLocked(keys));
    const others = keysFor(3, 100);
    await fail(others, 2);
    await age(600_100);
    await fail(others, 3);
    assert.ok(await isLocked(others));
  });

  test(`${store}: parallel attempts never exceed the budget, and one alone begins the lockout`, async () => {
    for (let round = 0; round < 5; round += 1) {
      const keys = keysFor(10, 100);
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, index) => (index % 2 ? attempts : attemptsElsewhere).reserve(keys)),
      );
      const allowed = answers.filter((answer) => answer.allowed);
      assert.equal(allowed.length, 10);
      assert.equal(allowed.filter(({ lockedUntil }) => lockedUntil[0]).length, 1);
      // Those that were refused were no attempts of the address.
      const [, address] = keys;
      await fail([{ hash: randomBytes(32), max: 1000 }, address], 90);
      assert.equal((await attempts.reserve([{ hash: randomBytes(32), max: 1000 }, address])).allowed, false);
    }
  });

  test(`${store}: success forgets the pair, and costs the address nothing`, async () => {
    const keys = keysFor(3, 4);
    for (let count = 0; count < 10; count += 1) {
      const attempt = await attempts.reserve(keys);
      assert.ok(attempt.allowed);
      await attempt.succeed();
    }
    await fail(keys, 2);
    const right = await attemptsElsewhere.reserve(keys);
    assert.ok(right.allowed);
    await right.succeed();
    await fail(keys, 2); // the pair anew; of the address four are used
    const [pair, address] = keys;
    assert.equal((await attempts.reserve([pair, address])).allowed, false);
    assert.equal((await attempts.reserve([{ hash: randomBytes(32), max: 3 }, address])).allowed, false);
    assert.equal((await attempts.reserve([pair, { hash: randomBytes(32), max: 4 }])).allowed, true);
  });

  test(`${store}: an attempt that was released never was, also when it was the last one`, async () => {
    const keys = keysFor(2, 100);
    await fail(keys, 1);
    const last = await attempts.reserve(keys);
    assert.ok(last.allowed && last.lockedUntil[0]);
    assert.equal((await attempts.reserve(keys)).allowed, false);
    await last.release();
    await fail(keys, 1);
    assert.equal((await attempts.reserve(keys)).allowed, false);
  });

  test(`${store}: giving back to a window that is over gives nothing to the next`, async () => {
    const keys = keysFor(3, 100);
    const early = await attempts.reserve(keys);
    assert.ok(early.allowed);
    await age(700_000);
    await pause(2); // a window is known by the millisecond it ends, and here that may still be the one the first began in
    await fail(keys, 2);
    await early.release();
    await fail(keys, 1);
    assert.ok(await isLocked(keys));
  });

  test(`${store}: one failure at most locks at once`, async () => {
    const keys = keysFor(1, 1);
    const only = await attempts.reserve(keys);
    assert.ok(only.allowed);
    for (const until of only.lockedUntil) lastsFor(until, 900);
    assert.equal((await attempts.reserve(keys)).allowed, false);
  });
}

const { pods, age, place } = engines[0] as (typeof engines)[number];
const database = openDatabase({
  dsn: 'dsn' in place ? place.dsn : '',
  maxConnections: 2,
  applicationName: 'authserver test',
});
test.after(() => database.end());

test('PostgreSQL: attempts that are over go, and at capacity the oldest that are not locked', async () => {
  await database.query('test_clear_attempts', 'delete from login_attempts');
  const reserve = (max: number) =>
    pods[0].attempts.reserve([
      { hash: randomBytes(32), max },
      { hash: randomBytes(32), max: 100 },
    ]);
  for (let count = 0; count < 10; count += 1) {
    await reserve(5);
    await age(1_000);
  }
  await reserve(1);
  const rows = async () => {
    const { rows: left } = await database.query(
      'test_attempts',
      `select count(*)::int as all, count(locked_until)::int as locked, min(window_ends_at) as oldest from login_attempts`,
    );
    return left[0];
  };
  assert.equal(await deleteExpiredAttempts(database, 1_000, 100), 0);
  assert.equal(await deleteExpiredAttempts(database, 1_000, 6), 15);
  const left = await rows();
  assert.deepEqual([left?.all, left?.locked], [7, 1]);
  await age(700_000);
  assert.equal(await deleteExpiredAttempts(database, 1_000, 100), 6);
  assert.deepEqual([(await rows())?.all], [1], 'a lockout outlives its window');
  await age(201_000);
  assert.equal(await deleteExpiredAttempts(database, 1_000, 100), 1);
});

test('attempts go on in PostgreSQL while Redis is away', async () => {
  const away = openRedis({
    url: 'redis://127.0.0.1:1',
    issuer: 'https://as.example.com',
    onLost: () => {},
    onBack: () => {},
  });
  test.after(() => away.close());
  const attempts = attemptsWithFallback(attemptsInRedis(away, rules), attemptsInPostgres(database, rules));
  const keys: AttemptKeys = [
    { hash: randomBytes(32), max: 2 },
    { hash: randomBytes(32), max: 100 },
  ];
  const first = await attempts.reserve(keys);
  assert.ok(first.allowed);
  await first.release();
  for (let count = 0; count < 2; count += 1) assert.ok((await attempts.reserve(keys)).allowed);
  assert.equal((await attempts.reserve(keys)).allowed, false);
});
