/** `signing.key_store: postgres_key`: what the database shows, and what becomes of a change that does not end. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { KeyStoreError, type KeyTable } from '@authserver/keys';
import { repositories } from '@authserver/store';
import { database, kidOf, later, masterKeys, postgresKey, start } from '../support/key-homes.ts';

const startHome = () => postgresKey.start();
const rows = async () =>
  (await database.query('test_rows', 'select * from signing_keys order by kid')).rows as Record<string, unknown>[];
const set = (column: string, kid: string, value: unknown) =>
  database.query('test_set', `update signing_keys set ${column} = $2 where kid = $1`, [kid, value], {
    planned: 'anew',
  });

test('private keys are stored encrypted, and only as long as they may sign [threat K06]', async () => {
  const home = await startHome();
  const store = await home.open();
  await store.load();
  await store.rotate({ now: start, algorithm: 'ES256', force: true });
  for (const { state, enc_private: blob, enc_backend: backend, public_jwk: jwk } of await rows()) {
    if (state === 'retiring') {
      assert.deepEqual([blob, backend], [null, null]);
      continue;
    }
    assert.equal(backend, 'aes_master');
    assert.ok(Buffer.isBuffer(blob));
    assert.ok(!/PRIVATE|BEGIN/.test(blob.toString('latin1')));
    assert.deepEqual(Object.keys(jwk as object).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  }
});

test('a rotation in a transaction that is rolled back has not happened, whichever statement fails [threat M09]', async () => {
  const home = await startHome();
  const [store, other] = [await home.open(), await home.open()];
  await store.load();
  await store.rotate({ now: start, algorithm: 'ES256', force: true });
  const before = await rows();
  const failure = new Error('the test lets it fail');

  /** The table, until a statement too many. */
  const failing = (table: KeyTable, statements: number): KeyTable => {
    let left = statements;
    const step =
      <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        if (left === 0) throw failure;
        left -= 1;
        return work(...args);
      };
    const { lock, list, insert, move, delete: remove } = table;
    return { lock: step(lock), list: step(list), insert: step(insert), move: step(move), delete: step(remove) };
  };
  let statements = 0;
  for (; ; statements += 1) {
    const table = (tx: Parameters<typeof repositories>[0]) => failing(repositories(tx).signingKeys, statements);
    const rotation = database.transaction(async (tx) => {
      await store.rotate({ now: later(5000), algorithm: 'EdDSA', force: true, table: table(tx) });
      throw new Error('rolled back at the very end');
    });
    const why = await rotation.catch((error: unknown) => error);
    assert.deepEqual(await rows(), before);
    await other.load();
    if (why !== failure) break;
  }
  assert.ok(statements >= 7, `${statements} statements`);
  const { kid } = await other.rotate({ now: later(300), algorithm: 'ES256' });
  assert.equal(kidOf((await store.load()).records, 'current'), kid);
});

test('a rotation whose connection is killed leaves the ring as it was, and the lock free [threat M09]', async () => {
  const home = await startHome();
  const [store, other] = [await home.open(), await home.open()];
  await store.load();
  const before = await rows();
  const rotation = database.transaction(async (tx) => {
    await store.rotate({ now: later(300), algorithm: 'ES256', table: repositories(tx).signingKeys });
    const [{ pid }] = (await tx.query<{ pid: number }>('test_pid', 'select pg_backend_pid() as pid')).rows as [
      { pid: number },
    ];
    await database.query('test_kill', 'select pg_terminate_backend($1)', [pid]);
    await tx.query('test_after', 'select 1');
  });
  await assert.rejects(rotation);
  assert.deepEqual(await rows(), before);
  const { previous } = await other.rotate({ now: later(300), algorithm: 'ES256' });
  assert.equal(previous, before.find(({ state }) => state === 'current')?.kid);
});

test('who waits for the ring while another changes it reads what the other committed', async () => {
  const home = await startHome();
  const [store, other] = [await home.open(), await home.open()];
  await store.load();
  const waiting = Promise.withResolvers<void>();
  const first = database.transaction(async (tx) => {
    const rotation = await store.rotate({
      now: start,
      algorithm: 'ES256',
      force: true,
      table: repositories(tx).signingKeys,
    });
    await waiting.promise;
    return rotation;
  });
  const second = other.rotate({ now: start, algorithm: 'ES256', force: true });
  const { signer } = await other.load(); // reading waits for nobody
  assert.ok(signer.kid);
  waiting.resolve();
  assert.equal((await second).previous, (await first).kid);
});

test('a private key of another row, another master key or another kind opens nothing, and says nothing [threat K06]', async () => {
  const home = await startHome();
  const { records } = await (await home.open()).load();
  const [current, next] = [kidOf(records, 'current'), kidOf(records, 'next')];
  const [mine, others] = (await rows()).map(({ enc_private }) => enc_private) as [Buffer, Buffer];
  const [first] = [current, next].sort();
  const refuses = async (options?: Parameters<typeof home.open>[0]) =>
    assert.rejects((await home.open(options)).load(), (error) => {
      assert.ok(error instanceof KeyStoreError, String(error));
      assert.match(error.message, /cannot be opened/);
      assert.ok(error.message.includes(current));
      assert.ok(!error.message.includes('PRIVATE'));
      return true;
    });

  await refuses({ secrets: { MASTER_KEY: randomBytes(32).toString('hex') } });
  await set('enc_private', current, first === current ? others : mine);
  await refuses();
  await set('enc_private', current, randomBytes(200));
  await refuses();
  await set('enc_private', current, first === current ? mine : others);
  await (await home.open()).load();
});

test('a key that is known is not decrypted again by a reload', async () => {
  const home = await startHome();
  const store = await home.open();
  const { records, signer } = await store.load();
  for (const { kid } of records) await home.lose(kid);
  const again = await store.load();
  assert.equal(again.signer, signer);
  assert.equal(again.nextProblem, undefined);
  const fresh = await home.open();
  await assert.rejects(fresh.load(), /has no private part/);
});

test('a row that was changed by hand is named, and not published [threat F09]', async () => {
  const home = await startHome();
  const { records } = await (await home.open()).load();
  const current = kidOf(records, 'current');
  const good = (await rows()).find(({ kid }) => kid === current) ?? {};
  const jwk = good.public_jwk as Record<string, unknown>;
  const [foreign] = records.filter(({ kid }) => kid !== current);
  const cases: [column: string, value: unknown, problem: RegExp][] = [
    ['alg', 'none', /algorithm is not known/],
    ['alg', 'RS256', /public part/],
    ['public_jwk', JSON.stringify({ ...foreign?.publicJwk, kid: current }), /public part/],
    ['public_jwk', '"text"', /public part/],
    ['public_jwk', '{}', /public part/],
    ['activated_at', null, /no time of activation/],
    ['state', 'retiring', /no end|no current key/],
  ];
  for (const [column, value, problem] of cases) {
    await set(column, current, value);
    await assert.rejects((await home.open()).load(), (error) => {
      assert.ok(error instanceof KeyStoreError, `${column}: ${error}`);
      assert.match(error.message, problem, column);
      return true;
    });
    await set(column, current, column === 'public_jwk' ? JSON.stringify(good[column]) : good[column]);
  }
  await set('public_jwk', current, JSON.stringify({ ...jwk, d: 'c2VjcmV0' }));
  for (const { publicJwk } of (await (await home.open()).load()).records) assert.ok(!('d' in publicJwk));
});

test('the master key can be replaced: the old one opens what it encrypted', async () => {
  const home = await startHome();
  const { signer } = await (await home.open()).load();
  const secrets = { MASTER_KEY: randomBytes(32).toString('hex'), OLD_KEY: masterKeys.MASTER_KEY };
  const old = { AUTHPLANE_DATA_ENCRYPTION_OLD_KEY_ENV: 'OLD_KEY' };
  const store = await home.open({ secrets: { ...secrets, ...old } });
  assert.equal((await store.load()).signer.kid, signer.kid);
  await store.rotate({ now: later(300), algorithm: 'ES256' });
  await store.rotate({ now: later(600), algorithm: 'ES256' });
  await (await home.open({ secrets })).load(); // both keys are of the new master key now
});
