import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import {
  type AttemptKeys,
  type Attempts,
  attemptsInPostgres,
  attemptsInRedis,
  attemptsWithFallback,
  createRateLimiter,
  deleteExpiredAttempts,
  openRedis,
  type RedisConnection,
  type SingleUse,
  singleUseInPostgres,
  singleUseInRedis,
} from '@authserver/replay';
import { openDatabase, shortLived } from '@authserver/store';
import { createDatabase } from '../support/database.ts';
import { redis as findRedis } from '../support/services.ts';

const { dsn, drop } = await createDatabase();
const database = openDatabase({ dsn, maxConnections: 6, applicationName: 'authserver test' });
const { url } = await findRedis();
const issuer = `https://${randomBytes(6).toString('hex')}.example.com`;
const connections: RedisConnection[] = [];
const connect = async (options: { url?: string; issuer?: string } = {}): Promise<RedisConnection> => {
  let ready = () => {};
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const connection = openRedis({ url, issuer, onLost: () => {}, onBack: () => {}, ...options });
  connections.push(connection);
  await connection.run('replay', async (client) => {
    if (client.status === 'ready') ready();
    else client.once('ready', ready);
  });
  await isReady;
  return connection;
};
const redis = await connect();
after(async () => {
  for (const connection of connections) connection.close();
  await database.end();
  await drop();
});

const now = () => new Date();
const soon = (ms: number) => new Date(Date.now() + ms);
const name = () => randomBytes(8).toString('hex');
const rules = { windowSeconds: 600, lockoutSeconds: 900 };

/** Two instances each, as two pods have them. */
const stores: [name: string, singleUse: [SingleUse, SingleUse], attempts: [Attempts, Attempts]][] = [
  [
    'PostgreSQL',
    [singleUseInPostgres(database, now), singleUseInPostgres(database, now)],
    [attemptsInPostgres(database, rules), attemptsInPostgres(database, rules)],
  ],
  [
    'Redis',
    [singleUseInRedis(redis, now), singleUseInRedis(await connect(), now)],
    [attemptsInRedis(redis, rules), attemptsInRedis(await connect(), rules)],
  ],
];

for (const [store, [one, other], [attempts, attemptsElsewhere]] of stores) {
  test(`${store}: of many claims on two pods exactly one wins`, async () => {
    for (let round = 0; round < 20; round += 1) {
      const key = name();
      const claims = Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? one : other).claim('dpop_proof', key, soon(60_000)),
      );
      assert.equal((await Promise.all(claims)).filter(Boolean).length, 1);
      assert.equal(await one.claim('dpop_proof', key, soon(60_000)), false);
    }
  });

  test(`${store}: many keys at once, in any order, all win once`, async () => {
    const keys = Array.from({ length: 500 }, name);
    const claim = (by: SingleUse, of: string[]) => of.map((key) => by.claim('dpop_proof', key, soon(60_000)));
    const answers = await Promise.all([...claim(one, keys), ...claim(other, keys.toReversed())]);
    assert.equal(answers.filter(Boolean).length, keys.length);
  });

  test(`${store}: kinds have key spaces of their own`, async () => {
    const key = name();
    assert.equal(await one.claim('dpop_proof', key, soon(60_000)), true);
    assert.equal(await one.claim('client_assertion', key, soon(60_000)), true);
    assert.equal(await one.claim('consent_answer', `${key} `, soon(60_000)), true);
    assert.equal(await one.claim('client_assertion', key, soon(60_000)), false);
  });

  test(`${store}: keys of any text, however long`, async () => {
    for (const key of ['', '\u0000', 'x'.repeat(100_000), 'ümläut', "'; drop table single_use; --", '{a}:b'])
      assert.deepEqual(
        [await one.claim('consent_answer', key, soon(2_000)), await other.claim('consent_answer', key, soon(2_000))],
        [true, false],
      );
  });

  test(`${store}: a claim ends with its time, and not within the second after`, async () => {
    const key = name();
    assert.equal(await one.claim('dpop_proof', key, soon(-5_000)), true);
    assert.equal(await other.claim('dpop_proof', key, soon(-5_000)), false, 'what is just over is not won twice');
    await setTimeout(1_100);
    assert.equal(await other.claim('dpop_proof', key, soon(60_000)), true);
  });

  const keysFor = (most: number, mostByAddress: number): AttemptKeys => [
    { hash: randomBytes(32), max: most },
    { hash: randomBytes(32), max: mostByAddress },
  ];
  const fail = async (keys: AttemptKeys, times: number, at = new Date(), by = attempts) => {
    for (let count = 0; count < times; count += 1) assert.ok((await by.reserve(keys, at)).allowed, `failure ${count}`);
  };
  const later = (at: Date, seconds: number) => new Date(at.getTime() + seconds * 1000);

  test(`${store}: the last attempt of a window locks, for the whole time, and then all begins anew`, async () => {
    const keys = keysFor(3, 100);
    const at = new Date();
    await fail(keys, 2, at);
    const last = await attemptsElsewhere.reserve(keys, at);
    assert.ok(last.allowed);
    assert.deepEqual(last.lockedUntil, [later(at, 900), undefined]);
    for (const seconds of [0, 1, 601, 899])
      assert.deepEqual(await attempts.reserve(keys, later(at, seconds)), { allowed: false, until: later(at, 900) });
    await fail(keys, 3, later(at, 901));
    assert.equal((await attempts.reserve(keys, later(at, 902))).allowed, false);
  });

  test(`${store}: a window that ended counts no more`, async () => {
    const keys = keysFor(3, 100);
    const at = new Date();
    await fail(keys, 2, at);
    await fail(keys, 3, later(at, 600));
    assert.equal((await attempts.reserve(keys, later(at, 600))).allowed, false);
  });

  test(`${store}: parallel attempts never exceed the budget, and one alone begins the lockout`, async () => {
    for (let round = 0; round < 5; round += 1) {
      const keys = keysFor(10, 100);
      const at = new Date();
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, index) => (index % 2 ? attempts : attemptsElsewhere).reserve(keys, at)),
      );
      const allowed = answers.filter((answer) => answer.allowed);
      assert.equal(allowed.length, 10);
      assert.equal(allowed.filter(({ lockedUntil }) => lockedUntil[0]).length, 1);
      // Those that were refused were no attempts of the address.
      const [, address] = keys;
      await fail([{ hash: randomBytes(32), max: 1000 }, address], 90, at);
      assert.equal((await attempts.reserve([{ hash: randomBytes(32), max: 1000 }, address], at)).allowed, false);
    }
  });

  test(`${store}: success forgets the pair, and costs the address nothing`, async () => {
    const keys = keysFor(3, 4);
    const at = new Date();
    for (let count = 0; count < 10; count += 1) {
      const attempt = await attempts.reserve(keys, at);
      assert.ok(attempt.allowed);
      await attempt.succeed();
    }
    await fail(keys, 2, at);
    const right = await attemptsElsewhere.reserve(keys, at);
    assert.ok(right.allowed);
    await right.succeed();
    await fail(keys, 2, at); // the pair anew; of the address four are used
    const [pair, address] = keys;
    assert.equal((await attempts.reserve([pair, address], at)).allowed, false);
    assert.equal((await attempts.reserve([{ hash: randomBytes(32), max: 3 }, address], at)).allowed, false);
    assert.equal((await attempts.reserve([pair, { hash: randomBytes(32), max: 4 }], at)).allowed, true);
  });

  test(`${store}: an attempt that was released never was, also when it was the last one`, async () => {
    const keys = keysFor(2, 100);
    const at = new Date();
    await fail(keys, 1, at);
    const last = await attempts.reserve(keys, at);
    assert.ok(last.allowed && last.lockedUntil[0]);
    assert.equal((await attempts.reserve(keys, at)).allowed, false);
    await last.release();
    await fail(keys, 1, at);
    assert.equal((await attempts.reserve(keys, at)).allowed, false);
  });

  test(`${store}: giving back to a window that is over gives nothing to the next`, async () => {
    const keys = keysFor(3, 100);
    const at = new Date();
    const early = await attempts.reserve(keys, at);
    assert.ok(early.allowed);
    await fail(keys, 2, later(at, 700));
    await early.release();
    await fail(keys, 1, later(at, 700));
    assert.equal((await attempts.reserve(keys, later(at, 700))).allowed, false);
  });

  test(`${store}: one failure at most locks at once`, async () => {
    const keys = keysFor(1, 1);
    const at = new Date();
    const only = await attempts.reserve(keys, at);
    assert.ok(only.allowed);
    assert.deepEqual(only.lockedUntil, [later(at, 900), later(at, 900)]);
    assert.equal((await attempts.reserve(keys, at)).allowed, false);
  });
}

test('PostgreSQL: claims that come together share statements', async () => {
  let statements = 0;
  const counting = singleUseInPostgres(
    {
      query: (...args) => {
        statements += 1;
        return database.query(...args);
      },
    },
    now,
  );
  await Promise.all(Array.from({ length: 1_000 }, () => counting.claim('dpop_proof', name(), soon(60_000))));
  assert.ok(statements <= 8, `${statements} statements`);
});

test('PostgreSQL: a full queue and a lost database refuse at once, and claims go on afterwards', async () => {
  let fails = true;
  const flaky = singleUseInPostgres(
    {
      query: async (...args) => {
        await setTimeout(20);
        if (fails) throw new Error('gone');
        return database.query(...args);
      },
    },
    now,
    { queue: 50, batch: 10, inFlight: 1 },
  );
  const answers = await Promise.allSettled(
    Array.from({ length: 200 }, () => flaky.claim('dpop_proof', name(), soon(60_000))),
  );
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set(['rejected']));
  assert.equal(answers.filter((answer) => 'reason' in answer && answer.reason.status === 503).length, 150);
  fails = false;
  assert.equal(await flaky.claim('dpop_proof', name(), soon(60_000)), true);
});

const deleteClaims = async (now: Date, limit: number) =>
  (await shortLived.dpopProofs.deleteSome(database, { now, limit })).deleted;

test('PostgreSQL: what is over is deleted in small numbers, and what is not stays', async () => {
  await database.query('test_clear', 'delete from single_use');
  await Promise.all(Array.from({ length: 30 }, () => stores[0]?.[1][0].claim('dpop_proof', name(), soon(2_000))));
  const kept = name();
  await stores[0]?.[1][0].claim('dpop_proof', kept, soon(600_000));
  assert.equal(await deleteClaims(soon(30_000), 20), 0, 'the clocks of pods differ');
  assert.deepEqual(
    [
      await deleteClaims(soon(120_000), 20),
      await deleteClaims(soon(120_000), 20),
      await deleteClaims(soon(120_000), 20),
    ],
    [20, 10, 0],
  );
  assert.equal(await stores[0]?.[1][0].claim('dpop_proof', kept, soon(60_000)), false);
});

test('PostgreSQL: attempts that are over go, and at capacity the oldest that are not locked', async () => {
  await database.query('test_clear_attempts', 'delete from login_attempts');
  const [, , [attempts]] = stores[0] as (typeof stores)[number];
  const at = new Date();
  const reserve = (max: number, seconds: number) =>
    attempts.reserve(
      [
        { hash: randomBytes(32), max },
        { hash: randomBytes(32), max: 100 },
      ],
      new Date(at.getTime() + seconds * 1000),
    );
  for (let count = 0; count < 10; count += 1) await reserve(5, count);
  await reserve(1, 0);
  const rows = async () => {
    const { rows: left } = await database.query(
      'test_attempts',
      `select count(*)::int as all, count(locked_until)::int as locked, min(window_ends_at) as oldest from login_attempts`,
    );
    return left[0];
  };
  assert.equal(await deleteExpiredAttempts(database, at, 1_000, 100), 0);
  assert.equal(await deleteExpiredAttempts(database, at, 1_000, 6), 15);
  const left = await rows();
  assert.deepEqual([left?.all, left?.locked], [7, 1]);
  assert.equal(await deleteExpiredAttempts(database, new Date(at.getTime() + 700_000), 1_000, 100), 6);
  assert.deepEqual([(await rows())?.all], [1], 'a lockout outlives its window');
  assert.equal(await deleteExpiredAttempts(database, new Date(at.getTime() + 901_000), 1_000, 100), 1);
});

test('Redis: servers with different issuers share nothing', async () => {
  const stranger = singleUseInRedis(await connect({ issuer: 'https://other.example.com' }), now);
  const key = name();
  assert.equal(await singleUseInRedis(redis, now).claim('dpop_proof', key, soon(60_000)), true);
  assert.equal(await stranger.claim('dpop_proof', key, soon(60_000)), true);
});

test('Redis: every key has a lifetime, and neither name nor address can be read in it', async () => {
  const limiter = createRateLimiter({ redis, maxKeys: 1000, pseudonym: (key) => Buffer.from(key).toString('hex') });
  await limiter.limit('requests', { ratePerSecond: 1, burst: 5 }).take('192.0.2.7');
  await singleUseInRedis(redis, now).claim('dpop_proof', 'thumbprint identifier', soon(60_000));
  await stores[1]?.[2][0].reserve(
    [
      { hash: randomBytes(32), max: 3 },
      { hash: randomBytes(32), max: 3 },
    ],
    new Date(),
  );
  const keys = await redis.run('replay', (client) => client.keys(`*${redis.prefix}*`));
  assert.ok(keys.length >= 4);
  for (const key of keys) {
    assert.doesNotMatch(key, /192\.0|thumbprint|identifier/);
    const ttl = await redis.run('replay', (client) => client.pttl(key));
    const goneMeanwhile = -2;
    assert.ok(ttl === goneMeanwhile || (ttl > 0 && ttl <= 1_800_000), `${key}: ${ttl}`);
  }
});

test('Redis: the budget of a limit is one for all pods, also after the scripts were flushed', async () => {
  const pseudonym = (key: string) => key;
  const here = createRateLimiter({ redis, maxKeys: 1000, pseudonym });
  const there = createRateLimiter({ redis: await connect(), maxKeys: 1000, pseudonym });
  const budget = { ratePerSecond: 0.01, burst: 20 };
  const [one, two] = [here.limit('device_codes', budget), there.limit('device_codes', budget)];
  const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => (index % 2 ? one : two).take('a')));
  assert.equal(answers.filter(({ allowed }) => allowed).length, 20);
  const refused = await two.take('a');
  assert.deepEqual([refused.allowed, refused.limit, refused.remaining, refused.retryAfterSeconds], [false, 20, 0, 100]);
  await redis.run('limit', (client) => client.script('FLUSH'));
  assert.equal((await two.take('b')).remaining, 19);
  assert.equal((await one.take('b', 5)).remaining, 14);
});

test('Redis: a limit that does not wait still learns what other pods gave', async () => {
  const pseudonym = (key: string) => key;
  const budget = { ratePerSecond: 0.01, burst: 20 };
  const one = createRateLimiter({ redis, maxKeys: 1000, pseudonym }).limit('requests', budget);
  const two = createRateLimiter({ redis: await connect(), maxKeys: 1000, pseudonym }).limit('requests', budget);
  let allowed = 0;
  for (let count = 0; count < 30; count += 1) {
    for (const limit of [one, two]) if (limit.takeNow('x').allowed) allowed += 1;
    await setTimeout(30);
  }
  assert.ok(allowed >= 20 && allowed <= 23, `${allowed} were allowed`);
});

test('attempts go on in PostgreSQL while Redis is away', async () => {
  const away = openRedis({ url: 'redis://127.0.0.1:1', issuer, onLost: () => {}, onBack: () => {} });
  connections.push(away);
  const attempts = attemptsWithFallback(attemptsInRedis(away, rules), attemptsInPostgres(database, rules));
  const keys: AttemptKeys = [
    { hash: randomBytes(32), max: 2 },
    { hash: randomBytes(32), max: 100 },
  ];
  const at = new Date();
  const first = await attempts.reserve(keys, at);
  assert.ok(first.allowed);
  await first.release();
  for (let count = 0; count < 2; count += 1) assert.ok((await attempts.reserve(keys, at)).allowed);
  assert.equal((await attempts.reserve(keys, at)).allowed, false);
});
