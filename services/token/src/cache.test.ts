import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createCache, createSnapshot } from './cache.ts';

/** Loads that end when the test says so. */
const controlled = () => {
  const loads: { key: string; resolve: (value: string | undefined) => void; reject: (error: Error) => void }[] = [];
  const load = (key: string) =>
    new Promise<string | undefined>((resolve, reject) => void loads.push({ key, resolve, reject }));
  return { loads, load };
};
const cacheOf = (load: (key: string) => Promise<string | undefined>, ttlMs = 60_000, maxEntries = 100) =>
  createCache({ load, ttlMs, maxEntries });

test('a value is loaded once, also for callers that ask at the same time', async () => {
  const { loads, load } = controlled();
  const cache = cacheOf(load);
  const asked = [cache.get('a'), cache.get('a'), cache.get('b')];
  assert.deepEqual(
    loads.map(({ key }) => key),
    ['a', 'b'],
  );
  loads[0]?.resolve('A');
  loads[1]?.resolve('B');
  assert.deepEqual(await Promise.all(asked), ['A', 'A', 'B']);
  assert.equal(await cache.get('a'), 'A');
  assert.equal(loads.length, 2);
});

for (const empty of ['drop', 'clear'] as const)
  test(`a load that began before a ${empty} does not put the old row back`, async () => {
    const { loads, load } = controlled();
    const cache = cacheOf(load);
    const before = cache.get('a');
    cache[empty]('a');
    const after = cache.get('a');
    assert.equal(loads.length, 2, 'a caller after the change does not join the older load');
    loads[1]?.resolve('new');
    assert.equal(await after, 'new');
    loads[0]?.resolve('old');
    assert.equal(await before, 'old');
    assert.equal(await cache.get('a'), 'new');
    assert.equal(loads.length, 2);
  });

test('the older load ending last does not end the sharing of the newer one', async () => {
  const { loads, load } = controlled();
  const cache = cacheOf(load);
  const first = cache.get('a');
  cache.drop('a');
  const second = cache.get('a');
  loads[0]?.resolve('old');
  await first;
  const third = cache.get('a');
  assert.equal(loads.length, 2);
  loads[1]?.resolve('new');
  assert.deepEqual(await Promise.all([second, third]), ['new', 'new']);
});

test('neither absence nor a failure is kept', async () => {
  const answers: (() => Promise<string | undefined>)[] = [
    async () => undefined,
    async () => Promise.reject(new Error('away')),
    async () => 'here',
  ];
  const cache = cacheOf(() => (answers.shift() as () => Promise<string | undefined>)());
  assert.equal(await cache.get('a'), undefined);
  await assert.rejects(cache.get('a'), /away/);
  assert.equal(await cache.get('a'), 'here');
});

test('a value is read again after its time, and when others took its place', async () => {
  let loads = 0;
  const short = cacheOf(async () => `${++loads}`, 20);
  assert.equal(await short.get('a'), '1');
  assert.equal(await short.get('a'), '1');
  await setTimeout(30);
  assert.equal(await short.get('a'), '2');

  const keys: string[] = [];
  const remember = async (key: string) => {
    keys.push(key);
    return key;
  };
  const small = cacheOf(remember, 60_000, 2);
  for (const key of ['a', 'b', 'c', 'b', 'a']) await small.get(key);
  assert.deepEqual(keys, ['a', 'b', 'c', 'a']);
});

test('a snapshot answers with its last value while the database is away, but not where freshness is asked for', async () => {
  let answer: () => Promise<{ rows: number }> = async () => Promise.reject(new Error('away'));
  const snapshot = createSnapshot(() => answer(), 60_000);
  await assert.rejects(snapshot.stale(), /away/);
  answer = async () => ({ rows: 1 });
  assert.deepEqual(await snapshot.stale(), { rows: 1 });
  answer = async () => Promise.reject(new Error('away'));
  snapshot.clear();
  assert.deepEqual(await snapshot.stale(), { rows: 1 });
  await assert.rejects(snapshot.get(), /away/);
});

test('what is not worth keeping is loaded each time, once for those who ask together', async () => {
  const { loads, load } = controlled();
  const cache = createCache({ load, ttlMs: 60_000, maxEntries: 100, isWorthKeeping: (value) => value !== 'junk' });
  for (const expected of [1, 2]) {
    const asked = [cache.get('a'), cache.get('a')];
    assert.equal(loads.length, expected);
    loads[expected - 1]?.resolve('junk');
    assert.deepEqual(await Promise.all(asked), ['junk', 'junk']);
  }
});
