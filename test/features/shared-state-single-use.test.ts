/** What may be used once, in both places it may be kept: the same cases for each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type SingleUse, singleUseInPostgres } from '@authserver/replay';
import { openDatabase, shortLived } from '@authserver/store';
import { race } from '../support/race.ts';
import { inMs, randomName, sharedEngines } from '../support/shared-state.ts';

const engines = await sharedEngines();

for (const { name: store, pods, age, place } of engines) {
  const [one, other, third] = pods.map(({ singleUse }) => singleUse) as [SingleUse, SingleUse, SingleUse];

  test(`${store}: of many claims on three pods exactly one wins`, async () => {
    for (let round = 0; round < 20; round += 1) {
      const key = randomName();
      const claims = Array.from({ length: 21 }, (_, index) =>
        [one, other, third][index % 3]?.claim('dpop_proof', key, inMs(60_000)),
      );
      assert.equal((await Promise.all(claims)).filter(Boolean).length, 1);
      assert.equal(await one.claim('dpop_proof', key, inMs(60_000)), false);
    }
  });

  test(`${store}: of processes that claim the same keys at the same moment one wins each`, async () => {
    const keys = Array.from({ length: 200 }, randomName);
    const won = await race({ place, task: 'claim', names: keys, processes: 3 });
    assert.deepEqual(won.flat().toSorted(), keys.toSorted());
    assert.ok(won.filter((mine) => mine.length > 0).length > 1, 'it was no race');
  });

  test(`${store}: many keys at once, in any order, all win once`, async () => {
    const keys = Array.from({ length: 150 }, randomName);
    const claim = (by: SingleUse, of: string[]) => of.map((key) => by.claim('dpop_proof', key, inMs(60_000)));
    const answers = await Promise.all([...claim(one, keys), ...claim(other, keys.toReversed())]);
    assert.equal(answers.filter(Boolean).length, keys.length);
  });

  test(`${store}: kinds have key spaces of their own`, async () => {
    const key = randomName();
    assert.equal(await one.claim('dpop_proof', key, inMs(60_000)), true);
    assert.equal(await one.claim('client_assertion', key, inMs(60_000)), true);
    assert.equal(await one.claim('consent_answer', `${key} `, inMs(60_000)), true);
    assert.equal(await one.claim('client_assertion', key, inMs(60_000)), false);
  });

  test(`${store}: keys of any text, however long`, async () => {
    for (const key of ['', '\u0000', 'x'.repeat(100_000), 'ümläut', "'; drop table single_use; --", '{a}:b'])
      assert.deepEqual(
        [await one.claim('consent_answer', key, inMs(2_000)), await other.claim('consent_answer', key, inMs(2_000))],
        [true, false],
      );
  });

  test(`${store}: a claim lasts until its time is over and no longer, however its end was given`, async () => {
    for (const kept of [() => inMs(60_000), () => ({ forSeconds: 60 })]) {
      const key = randomName();
      assert.equal(await one.claim('dpop_proof', key, kept()), true);
      await age(55_000);
      assert.equal(await other.claim('dpop_proof', key, kept()), false);
      await age(5_100);
      assert.equal(await other.claim('dpop_proof', key, kept()), true);
      assert.equal(await one.claim('dpop_proof', key, kept()), false, 'and the new one counts from then');
    }
  });

  test(`${store}: whether something was claimed can be asked, at every pod, until it is over`, async () => {
    const key = randomName();
    const asked = (kind: 'consent_answer' | 'dpop_proof' = 'consent_answer') =>
      Promise.all([one, other].map((pod) => pod.isClaimed(kind, key)));
    assert.deepEqual(await asked(), [false, false]);
    assert.equal(await one.claim('consent_answer', key, { forSeconds: 60 }), true, 'to ask is not to claim');
    assert.deepEqual(
      [await asked(), await asked('dpop_proof')],
      [
        [true, true],
        [false, false],
      ],
    );
    await age(60_100);
    assert.deepEqual(await asked(), [false, false]);
  });

  test(`${store}: what is over already is nobody's, so a pod whose clock is late wins nothing [threat E02]`, async () => {
    for (const ms of [-3_600_000, -60_000, -1_000, 0]) {
      const key = randomName();
      for (const pod of [one, other]) assert.equal(await pod.claim('dpop_proof', key, inMs(ms)), false, `${ms} ms`);
      assert.equal(await one.claim('dpop_proof', key, inMs(60_000)), true, 'and nothing was left behind');
    }
  });

  test(`${store}: a claim that ends within the second is won once, and then can be forgotten`, async () => {
    const key = randomName();
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => [one, other].map((by) => by.claim('dpop_proof', key, inMs(400)))).flat(),
    );
    assert.equal(answers.filter(Boolean).length, 1);
    await setTimeout(500);
    assert.equal(await one.claim('dpop_proof', key, inMs(60_000)), true);
  });

  test(`${store}: times far away are times as well`, async () => {
    const year = 365 * 86_400;
    for (const kept of [inMs(100 * year * 1000), { forSeconds: 10 * year }]) {
      const key = randomName();
      assert.equal(await one.claim('dpop_proof', key, kept), true);
      assert.equal(await other.claim('dpop_proof', key, kept), false);
    }
  });
}

const { place } = engines[0] as (typeof engines)[number];
const database = openDatabase({
  dsn: 'dsn' in place ? place.dsn : '',
  maxConnections: 2,
  applicationName: 'authserver test',
});
test.after(() => database.end());

test('PostgreSQL: claims that come together share statements', async () => {
  let statements = 0;
  const counting = singleUseInPostgres({
    query: (...args) => {
      statements += 1;
      return database.query(...args);
    },
  });
  await Promise.all(Array.from({ length: 1_000 }, () => counting.claim('dpop_proof', randomName(), inMs(60_000))));
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
    { queue: 50, batch: 10, inFlight: 1 },
  );
  const answers = await Promise.allSettled(
    Array.from({ length: 200 }, () => flaky.claim('dpop_proof', randomName(), inMs(60_000))),
  );
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set(['rejected']));
  assert.equal(answers.filter((answer) => 'reason' in answer && answer.reason.status === 503).length, 150);
  fails = false;
  assert.equal(await flaky.claim('dpop_proof', randomName(), inMs(60_000)), true);
});

test('PostgreSQL: what is over is deleted in small numbers, and what is not stays, whatever a pod takes for the time', async () => {
  const { pods, age } = engines[0] as (typeof engines)[number];
  const { singleUse } = pods[0];
  const hourAhead = () => new Date(Date.now() + 3_600_000);
  const deleteClaims = async () =>
    (await shortLived.dpopProofs.deleteSome(database, { now: hourAhead(), limit: 20 })).deleted;
  await database.query('test_clear', 'delete from single_use');
  await Promise.all(Array.from({ length: 30 }, () => singleUse.claim('dpop_proof', randomName(), inMs(2_000))));
  const kept = randomName();
  await singleUse.claim('dpop_proof', kept, inMs(600_000));
  await age(30_000);
  assert.equal(await deleteClaims(), 0, 'the last minute stays');
  await age(90_000);
  assert.deepEqual([await deleteClaims(), await deleteClaims(), await deleteClaims()], [20, 10, 0]);
  assert.equal(await singleUse.claim('dpop_proof', kept, inMs(60_000)), false);
});
