/**
 * Limits: with Redis one budget for all pods, without it a budget for each pod. The same cases for both, and what the
 * difference is.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createRateLimiter, singleUseInRedis } from '@authserver/replay';
import { connectRedis, inMs, openSharedPod, randomName, sharedEngines } from '../support/shared-state.ts';

const engines = await sharedEngines();
const slow = { ratePerSecond: 0.01, burst: 20 };

for (const { name: store, pods } of engines) {
  const [one, two] = pods.map(({ limiter }) => limiter.limit('device_codes', slow));
  if (!one || !two) throw new Error('two pods');
  const shared = store === 'Redis';

  test(`${store}: a budget is given once, and what is refused is told how long to wait`, async () => {
    const key = randomName();
    const answers = await Promise.all(Array.from({ length: 60 }, () => one.take(key)));
    assert.equal(answers.filter(({ allowed }) => allowed).length, 20);
    const { allowed, limit, remaining, retryAfterSeconds } = await one.take(key);
    assert.deepEqual([allowed, limit, remaining, retryAfterSeconds], [false, 20, 0, 100]);
  });

  test(`${store}: two pods give ${shared ? 'it together' : 'it each'}`, async () => {
    const key = randomName();
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => (index % 2 ? one : two).take(key)));
    assert.equal(answers.filter(({ allowed }) => allowed).length, shared ? 20 : 40);
  });

  test(`${store}: a cost that is not left is refused and costs nothing`, async () => {
    const key = randomName();
    assert.equal((await one.take(key, 15)).remaining, 5);
    assert.equal((await one.take(key, 6)).allowed, false);
    assert.equal((await one.take(key, 5)).allowed, true);
  });

  test(`${store}: what comes back comes back with time alone, whatever the clock of the pod says`, async (t) => {
    const limit = pods[0].limiter.limit('device_codes', { ratePerSecond: 2, burst: 2 });
    const key = randomName();
    const real = Date.now;
    t.after(() => {
      Date.now = real;
    });
    for (const hours of [0, 1, -1]) {
      Date.now = () => real() + hours * 3_600_000;
      assert.deepEqual([(await limit.take(key, 2)).allowed, (await limit.take(key, 2)).allowed], [true, false]);
      await setTimeout(1_010);
    }
  });
}

const place = engines[1]?.place;
if (!place || !('url' in place)) throw new Error('Redis');
const { url } = place;
const redis = await connectRedis(place);
const pseudonym = (key: string) => key;

test('Redis: the budget is one also after the scripts were flushed', async () => {
  const here = createRateLimiter({ redis, maxKeys: 1000, pseudonym }).limit('device_codes', slow);
  const there = createRateLimiter({ redis: await connectRedis(place), maxKeys: 1000, pseudonym });
  await redis.run('limit', (client) => client.script('FLUSH'));
  const key = randomName();
  assert.equal((await there.limit('device_codes', slow).take(key)).remaining, 19);
  assert.equal((await here.take(key, 5)).remaining, 14);
});

test('Redis: where its clock has gone back, as when a replica takes over, what was owed is owed, and no more', async () => {
  const { limit } = createRateLimiter({ redis, maxKeys: 1000, pseudonym });
  const quick = limit('device_codes', { ratePerSecond: 2, burst: 2 });
  const requests = limit('requests', { ratePerSecond: 2, burst: 2 });
  const inAnHour = Date.now() + 3_600_000;
  for (const [name, ask] of [
    ['device_codes', (key: string) => quick.take(key)],
    ['requests', async (key: string) => requests.takeNow(key)],
  ] as const) {
    const key = randomName();
    const emptyThen = `${inAnHour + 1_000} ${inAnHour}`;
    await redis.run('limit', (client) => client.set(`${redis.prefix}limit:${name}:${key}`, emptyThen));
    await ask(key);
    await setTimeout(100);
    const { allowed, resetSeconds } = await ask(key);
    assert.deepEqual([name, allowed, resetSeconds <= 2], [name, false, true]);
    await setTimeout(1_100);
    assert.ok((await ask(key)).allowed, name);
  }
});

test('Redis: what several pods gave too much at the same moment is paid back', async () => {
  const budget = { ratePerSecond: 5, burst: 5 };
  const pods = Array.from({ length: 4 }, () => createRateLimiter({ redis, maxKeys: 1000, pseudonym }));
  const limits = pods.map(({ limit }) => limit('requests', budget));
  const key = randomName();
  for (const limit of limits) for (let count = 0; count < 5; count += 1) assert.ok(limit.takeNow(key).allowed);
  await setTimeout(2_500); // of the four seconds that twenty are worth
  assert.deepEqual(
    await Promise.all(limits.map(async (limit) => (await limit.take(key)).allowed)),
    Array(4).fill(false),
  );
  await setTimeout(1_500);
  assert.ok((await limits[0]?.take(key))?.allowed);
});

test('Redis: a limit that does not wait still learns what other pods gave', async () => {
  const one = createRateLimiter({ redis, maxKeys: 1000, pseudonym }).limit('requests', slow);
  const two = createRateLimiter({ redis: await connectRedis(place), maxKeys: 1000, pseudonym }).limit('requests', slow);
  let allowed = 0;
  for (let count = 0; count < 30; count += 1) {
    for (const limit of [one, two]) if (limit.takeNow('x').allowed) allowed += 1;
    await setTimeout(30);
  }
  assert.ok(allowed >= 20 && allowed <= 23, `${allowed} were allowed`);
});

test('Redis: servers with different issuers share nothing', async () => {
  const stranger = singleUseInRedis(await connectRedis({ url, issuer: 'https://other.example.com' }));
  const key = randomName();
  assert.equal(await singleUseInRedis(redis).claim('dpop_proof', key, inMs(60_000)), true);
  assert.equal(await stranger.claim('dpop_proof', key, inMs(60_000)), true);
});

test('Redis: every key has a lifetime, and neither name nor address can be read in it', async () => {
  const own = { url, issuer: `https://${randomName()}.example.com` };
  const redis = await connectRedis(own);
  const hidden = createRateLimiter({ redis, maxKeys: 1000, pseudonym: (key) => Buffer.from(key).toString('hex') });
  await hidden.limit('requests', { ratePerSecond: 1, burst: 5 }).take('192.0.2.7');
  const pod = await openSharedPod(own);
  await pod.singleUse.claim('dpop_proof', 'thumbprint identifier', inMs(60_000));
  await pod.attempts.reserve([
    { hash: randomBytes(32), max: 3 },
    { hash: randomBytes(32), max: 3 },
  ]);
  await pod.leases.acquire('housekeeping', { ttlMs: 30_000 });
  const keys = await redis.run('replay', (client) => client.keys(`*${redis.prefix}*`));
  for (const kind of ['once:dpop_proof:', 'limit:requests:', 'attempts}:', 'lease:housekeeping'])
    assert.ok(
      keys.some((key) => key.includes(kind)),
      kind,
    );
  for (const key of keys) {
    assert.doesNotMatch(key, /192\.0|thumbprint|identifier/);
    const ttl = await redis.run('replay', (client) => client.pttl(key));
    const goneMeanwhile = -2;
    assert.ok(ttl === goneMeanwhile || (ttl > 0 && ttl <= 1_800_000), `${key}: ${ttl}`);
  }
});
