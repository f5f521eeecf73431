/** What every home of signing keys does alike, whichever `signing.key_store` names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createKeyring,
  KeyInUseError,
  type KeyRecord,
  KeyStoreError,
  KeyTooYoungError,
  signingAlgorithms,
} from '@authserver/keys';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { homeKinds, kidOf, later, start } from '../support/key-homes.ts';

const times = (count: number) => Array.from({ length: count });
const states = (records: readonly KeyRecord[]) => records.map(({ alg, state }) => `${alg} ${state}`).sort();
const asTold = ({ kid, state, createdAt, activatedAt, retiredAt, goneAfter }: KeyRecord) => [
  ...[kid, state],
  ...[createdAt, activatedAt, retiredAt, goneAfter].map((at) => at?.toISOString()),
];

for (const { name, start: startHome } of await homeKinds()) {
  test(`${name}: the first use makes a current and a next key, once, however many processes begin [threat M09]`, async () => {
    const home = await startHome();
    const stores = await Promise.all(times(4).map(() => home.open()));
    const loaded = await Promise.all(stores.map((store) => store.load()));
    const [first] = loaded;
    assert.deepEqual(states(first?.records ?? []), ['ES256 current', 'ES256 next']);
    for (const { records, signer } of loaded) {
      assert.deepEqual(records, first?.records);
      assert.equal(signer.kid, kidOf(records, 'current'));
    }
    assert.deepEqual((await home.privateKids()).sort(), first?.records.map(({ kid }) => kid).sort());
  });

  test(`${name}: tokens verify with the keys published before, during and after rotations, on two processes`, async () => {
    for (const algorithm of signingAlgorithms) {
      const home = await startHome();
      const [store, other] = [await home.open({ algorithm }), await home.open({ algorithm })];
      const [one, two] = [createKeyring({ store, ...home }), createKeyring({ store: other, ...home })];
      const reload = () => Promise.all([one.reload(), two.reload()]);
      await reload();
      const issued: string[] = [];
      const published = () => structuredClone(two.jwks(home.clock.at)) as JSONWebKeySet;
      for (let rotation = 1; rotation <= 3; rotation += 1) {
        const cached = published();
        issued.push(await one.signJwt('{"sub":"alice"}'));
        home.clock.at = later(300 * rotation);
        const { kid, alg, previous } = await (rotation % 2 ? store : other).rotate({
          ...{ now: home.clock.at, algorithm },
        });
        assert.deepEqual([alg, previous], [algorithm, one.current().kid]);
        await reload();
        assert.deepEqual([one.current().kid, two.current().kid], [kid, kid]);
        const fresh = await one.signJwt('{"sub":"alice"}');
        await jwtVerify(fresh, createLocalJWKSet(cached), { algorithms: [algorithm] });
        for (const token of issued) await jwtVerify(token, createLocalJWKSet(published()), { algorithms: [algorithm] });
      }
      for (const key of published().keys) assert.deepEqual([key.alg, key.use, key.d], [algorithm, 'sig', undefined]);
    }
  });

  test(`${name}: keys keep their times, are hidden once gone, and are deleted by the rotation after`, async () => {
    const home = await startHome();
    const [store, other] = [await home.open(), await home.open()];
    const before = await store.load();
    home.clock.at = later(300);
    const { records } = await store.rotate({ now: home.clock.at, algorithm: 'ES256' });
    assert.deepEqual((await other.load()).records.map(asTold).sort(), records.map(asTold).sort());
    const [current, next] = [kidOf(before.records, 'current'), kidOf(before.records, 'next')];
    assert.deepEqual(
      records
        .filter(({ state }) => state !== 'next')
        .map(asTold)
        .sort(),
      [
        [current, 'retiring', ...[start, start, later(300), later(300 + 3600 + 300)].map((at) => at.toISOString())],
        [next, 'current', start.toISOString(), later(300).toISOString(), undefined, undefined],
      ].sort(),
    );
    home.clock.at = later(4200);
    assert.equal((await store.load()).records.length, 3);
    home.clock.at = later(4201);
    assert.equal((await store.load()).records.length, 2);
    await store.rotate({ now: home.clock.at, algorithm: 'ES256' });
    assert.equal((await home.privateKids()).includes(current), !home.deletes);
    home.clock.at = later(0);
    assert.ok(!(await other.load()).records.some(({ kid }) => kid === current), 'it is not only hidden');
  });

  test(`${name}: a next key too young is refused with the seconds left, and changes nothing; force overrides`, async () => {
    const home = await startHome();
    const store = await home.open();
    const before = (await store.load()).records;
    await assert.rejects(
      store.rotate({ now: later(299), algorithm: 'ES256' }),
      (error) => error instanceof KeyTooYoungError && error.secondsLeft === 1 && error.kid === kidOf(before, 'next'),
    );
    assert.deepEqual((await store.load()).records, before);
    const { kid } = await store.rotate({ now: later(1), algorithm: 'ES256', force: true });
    assert.equal(kid, kidOf(before, 'next'));
  });

  test(`${name}: a dry run answers what would be and changes nothing`, async () => {
    const home = await startHome();
    const store = await home.open();
    const before = await store.load();
    const rehearsed = await store.rotate({ now: later(300), algorithm: 'ES256', dryRun: true });
    assert.deepEqual(
      [rehearsed.kid, rehearsed.previous],
      [kidOf(before.records, 'next'), kidOf(before.records, 'current')],
    );
    await store.rotate({ now: start, algorithm: 'EdDSA', force: true, dryRun: true });
    assert.deepEqual((await store.load()).records, before.records);
    await store.rotate({ now: start, algorithm: 'ES256', force: true });
    assert.equal((await store.retire(before.signer.kid, { now: start, force: true, dryRun: true }))?.state, 'retiring');
    assert.equal((await store.load()).records.length, 3);
  });

  test(`${name}: forced rotations at once come one after the other and lose no key [threat M09]`, async () => {
    const home = await startHome();
    const stores = await Promise.all(times(3).map(() => home.open()));
    const [store] = stores as [(typeof stores)[0]];
    const first = kidOf((await store.load()).records, 'current');
    const rotations = await Promise.all(
      stores.flatMap((one) => times(3).map(() => one.rotate({ now: start, algorithm: 'ES256', force: true }))),
    );
    const signed = rotations.map(({ kid }) => kid);
    assert.equal(new Set(signed).size, 9, 'each promoted another key');
    assert.equal(new Set(rotations.map(({ previous }) => previous)).size, 9);
    const { records } = await store.load();
    assert.equal(records.filter(({ state }) => state === 'current').length, 1);
    assert.equal(records.filter(({ state }) => state === 'next').length, 1);
    assert.deepEqual(
      records
        .filter(({ state }) => state !== 'next')
        .map(({ kid }) => kid)
        .sort(),
      [first, ...signed].sort(),
    );
  });

  test(`${name}: of polite rotations at once one is made, the others find the next key too young [threat K11]`, async () => {
    const home = await startHome();
    const stores = await Promise.all(times(5).map(() => home.open()));
    await stores[0]?.load();
    const results = await Promise.allSettled(stores.map((one) => one.rotate({ now: later(300), algorithm: 'ES256' })));
    const refused = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
    assert.equal(refused.length, 4);
    for (const reason of refused) assert.ok(reason instanceof KeyTooYoungError, String(reason));
  });

  test(`${name}: of scheduled rotations at once one is made, the others find that it is not time any more`, async () => {
    const home = await startHome();
    const stores = await Promise.all(times(4).map(() => home.open()));
    await stores[0]?.load();
    const scheduled = (seconds: number) =>
      Promise.all(
        stores.map((one) =>
          one.rotate({ now: later(seconds), algorithm: 'ES256', ifCurrentSince: later(seconds - 1000) }),
        ),
      );
    const early = await scheduled(999);
    assert.ok(early.every(({ kid, previous }) => kid === previous));
    const due = await scheduled(1000);
    assert.equal(due.filter(({ kid, previous }) => kid !== previous).length, 1);
    assert.equal(new Set(due.map(({ kid }) => kid)).size, 1, 'all name the key that signs now');
  });

  test(`${name}: retire forgets a retiring key, with force or at its end, and no other [threat K11]`, async () => {
    const home = await startHome();
    const [store, other] = [await home.open(), await home.open()];
    const { records, signer } = await store.load();
    for (const { kid } of records)
      await assert.rejects(store.retire(kid, { now: start, force: true }), KeyInUseError, 'current and next');
    for (const kid of ['x'.repeat(22), '../keyring', 'authserver-signing-v99', ''])
      assert.equal(await store.retire(kid, { now: start, force: true }), undefined);
    await store.rotate({ now: start, algorithm: 'ES256', force: true });
    await assert.rejects(store.retire(signer.kid, { now: start }), KeyInUseError);
    assert.equal((await store.retire(signer.kid, { now: start, force: true }))?.kid, signer.kid);
    assert.equal(await other.retire(signer.kid, { now: start, force: true }), undefined);
    const second = kidOf((await other.load()).records, 'current');
    await other.rotate({ now: later(300), algorithm: 'ES256' });
    assert.equal((await store.retire(second, { now: later(300 + 3600 + 301) }))?.kid, second);
    assert.equal((await other.load()).records.length, 2);
  });

  test(`${name}: another algorithm comes in over two rotations, or with force at once`, async () => {
    const home = await startHome();
    const store = await home.open();
    await store.load();
    assert.equal((await store.rotate({ now: later(300), algorithm: 'EdDSA' })).alg, 'ES256');
    assert.deepEqual(states((await store.load()).records), ['ES256 current', 'ES256 retiring', 'EdDSA next']);
    assert.equal((await store.rotate({ now: later(600), algorithm: 'EdDSA' })).alg, 'EdDSA');
    assert.equal((await store.load()).signer.alg, 'EdDSA');
    const forced = await store.rotate({ now: later(601), algorithm: 'ES256', force: true });
    assert.equal(forced.alg, 'ES256');
    const { records, signer } = await store.load();
    assert.deepEqual([signer.kid, signer.alg], [forced.kid, 'ES256']);
    assert.deepEqual(states(records), [
      ...['ES256 current', 'ES256 next', 'ES256 retiring', 'ES256 retiring', 'EdDSA retiring'],
    ]);
  });

  test(`${name}: a next key whose private part is lost is not promoted; force replaces it`, async () => {
    const home = await startHome();
    const lost = kidOf((await (await home.open()).load()).records, 'next');
    await home.lose(lost);
    const store = await home.open(); // one that has not seen it before
    await store.load();
    await assert.rejects(
      store.rotate({ now: later(300), algorithm: 'ES256' }),
      (error) => error instanceof KeyStoreError && error.message.includes(lost),
    );
    const { kid } = await store.rotate({ now: later(300), algorithm: 'ES256', force: true });
    const { records, signer } = await store.load();
    assert.ok(!records.some((record) => record.kid === lost));
    assert.equal(signer.kid, kid);
    await signer.sign('something');
  });

  test(`${name}: a ring that is lost is not replaced by a new one, unless that is asked for`, async () => {
    const home = await startHome();
    const store = await home.open();
    await store.load();
    await home.loseAll();
    const refused = (error: unknown) => error instanceof KeyStoreError && /there were/.test(error.message);
    await assert.rejects(store.load(), refused, 'a running process');
    await assert.rejects(store.rotate({ now: later(300), algorithm: 'ES256', force: true }), refused);
    await assert.rejects((await home.open({ mayCreate: false })).load(), refused, 'one that starts');
    assert.equal((await (await home.open({ mayCreate: true })).load()).records.length >= 2, true);
  });
}
