/** Leases, in both places they may be kept: the same cases for each. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createLeases, type LeaseStore } from '@authserver/replay';
import { race } from '../support/race.ts';
import { randomName, sharedEngines } from '../support/shared-state.ts';

/** The names of leases are a closed list; here every test has one of its own. */
const newName = () => randomName() as 'housekeeping';
const minute = { ttlMs: 60_000 };

for (const { name: store, pods, age, wipe, place } of await sharedEngines()) {
  const [one, other, third] = pods.map(({ leases }) => leases) as [Leases, Leases, Leases];
  const [here, there] = pods.map(({ leaseStore }) => leaseStore) as [LeaseStore, LeaseStore];
  const takeAnew = async (name: 'housekeeping') => Number(await there.take(name, randomUUID(), 60_000));

  test(`${store}: of many that ask exactly one has it, until it gives it back`, async () => {
    for (let round = 0; round < 10; round += 1) {
      const name = newName();
      const ask = () => Promise.all([one, other, third, one, other].map((by) => by.acquire(name, minute)));
      const [winner, ...more] = (await ask()).filter((lease) => lease !== undefined);
      assert.ok(winner?.held);
      assert.deepEqual(more, []);
      assert.deepEqual((await ask()).filter(Boolean), [], 'the pod that has it is no exception');
      await winner.release();
      assert.deepEqual([winner.held, winner.signal.aborted], [false, true]);
      const [next] = (await ask()).filter((lease) => lease !== undefined);
      assert.ok(next && next.token > winner.token);
    }
  });

  test(`${store}: of processes that ask at the same moment one has each`, async () => {
    const names = Array.from({ length: 100 }, newName);
    const won = await race({ place, task: 'lease', names, processes: 3 });
    assert.deepEqual(won.flat().toSorted(), names.toSorted());
  });

  test(`${store}: one that nobody renews ends with its time, and not before; its token is the smaller one`, async () => {
    const name = newName();
    const first = Number(await here.take(name, randomUUID(), 60_000));
    await age(58_000);
    assert.equal(await there.take(name, randomUUID(), 60_000), undefined);
    await age(2_100);
    assert.ok((await takeAnew(name)) > first);
  });

  test(`${store}: only its owner renews and releases it, and not once it is over`, async () => {
    const name = newName();
    const [owner, stranger] = [randomUUID(), randomUUID()];
    const token = await here.take(name, owner, 60_000);
    assert.equal(await there.renew(name, stranger, 60_000), false);
    await there.release(name, stranger);
    assert.equal(await there.take(name, stranger, 60_000), undefined);
    await age(50_000);
    assert.equal(await here.renew(name, owner, 60_000), true);
    await age(50_000);
    assert.equal(await there.take(name, stranger, 60_000), undefined, 'renewed from when it was asked for');
    assert.equal(await here.take(name, owner, 60_000), token, 'an owner that had no answer asks again');
    await age(60_100);
    assert.equal(await here.renew(name, owner, 60_000), false);
    assert.ok(await there.take(name, stranger, 60_000));
    await here.release(name, owner);
    assert.equal(await there.renew(name, stranger, 60_000), true, 'a release that comes late takes it from nobody');
  });

  test(`${store}: after all is lost the token is greater still, and the owner of before hears of it`, async () => {
    const name = newName();
    const lease = await one.acquire(name, { ttlMs: 3_000 });
    assert.ok(lease);
    await wipe();
    const next = await other.acquire(name, minute);
    assert.ok(next && next.token > lease.token);
    await Promise.race([new Promise((lost) => lease.signal.addEventListener('abort', lost)), setTimeout(3_000)]);
    assert.equal(lease.held, false);
    await lease.release();
    assert.equal(await third.acquire(name, minute), undefined, 'what it gives back is not the lease of the other');
  });

  test(`${store}: it is renewed for as long as its owner lives, whatever happens to the owner's clock`, async (t) => {
    const name = newName();
    const lease = await one.acquire(name, { ttlMs: 2_000 });
    const real = Date.now;
    t.after(() => {
      Date.now = real;
    });
    for (const [step, hours] of [1, -1, 0].entries()) {
      Date.now = () => real() + hours * 3_600_000;
      await setTimeout(1_000);
      assert.equal(await other.acquire(name, minute), undefined, `after ${step + 1} s`);
      assert.equal(lease?.held, true);
    }
    await lease?.release();
  });

  test(`${store}: who waits gets it when it is given back, and gives up when the time is over`, async () => {
    const name = newName();
    const lease = await one.acquire(name, minute);
    const started = performance.now();
    assert.equal(await other.acquire(name, { ttlMs: 1_000, waitMs: 300 }), undefined);
    assert.ok(performance.now() - started >= 299);
    const waiting = other.acquire(name, { ttlMs: 1_000, waitMs: 20_000 });
    await lease?.release();
    assert.ok((await waiting)?.held);
  });
}

type Leases = ReturnType<typeof createLeases>;

/** A store of which a test says what it answers. */
const scripted = (answers: Partial<LeaseStore>) => {
  const calls: string[] = [];
  const store: LeaseStore = {
    take: async () => 1,
    renew: async () => true,
    release: async () => void calls.push('release'),
    ...answers,
  };
  return { calls, leases: createLeases(store) };
};

test('when the store does not answer the lease is held to its end, and not beyond', async () => {
  const { leases } = scripted({ renew: () => Promise.reject(new Error('away')) });
  const started = performance.now();
  const lease = await leases.acquire('housekeeping', { ttlMs: 500 });
  await new Promise((lost) => lease?.signal.addEventListener('abort', lost));
  const lasted = performance.now() - started;
  assert.ok(lasted >= 440, `${lasted} ms`);
  assert.equal(lease?.held, false);
});

test('one renewal without an answer costs nothing', async () => {
  let asked = 0;
  const renew = async () => {
    asked += 1;
    if (asked === 1) throw new Error('away');
    return true;
  };
  const lease = await scripted({ renew }).leases.acquire('housekeeping', { ttlMs: 3_000 });
  await setTimeout(3_500);
  assert.ok(lease?.held);
  assert.ok(asked >= 2);
  await lease.release();
});

test('a process that stood still knows at once, before any timer has told it', async () => {
  const lease = await scripted({}).leases.acquire('housekeeping', { ttlMs: 300 });
  assert.equal(lease?.held, true);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
  assert.equal(lease?.held, false);
  assert.equal(lease?.signal.aborted, false);
});

test('a lease whose answer was lost is given back, and the caller hears that nobody can say', async () => {
  const { calls, leases } = scripted({ take: () => Promise.reject(new Error('no answer')) });
  await assert.rejects(leases.acquire('housekeeping', { ttlMs: 1_000 }), /no answer/);
  assert.deepEqual(calls, ['release']);
});
