import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLedger, type Group } from './ledger.ts';

const unsigned = (claims: object): string =>
  [{ alg: 'ES256', kid: 'k' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
const now = () => Math.floor(Date.now() / 1000);
const tokenOf = (jti: string, lifetime = 600) => `${unsigned({ jti, iat: now(), exp: now() + lifetime })}.x`;

const world = () => {
  const ledger = createLedger();
  const add = (jti: string, groups: Group[] = ['family:1', 'user:u']) =>
    ledger.add(tokenOf(jti), groups, performance.now());
  return { ledger, add };
};

test('what nobody ended is alive', () => {
  const { ledger, add } = world();
  assert.equal(ledger.fateOf(add('a'), performance.now()), 'live');
});

test('what is about to expire may be called either', () => {
  const { ledger } = world();
  const token = ledger.add(tokenOf('a', 3), [], performance.now());
  assert.equal(ledger.fateOf(token, performance.now()), 'unknown');
});

test('between the attempt and its confirmation nobody can tell, afterwards it is dead', async () => {
  const { ledger, add } = world();
  const [token, other] = [add('a'), add('b', ['family:2'])];
  const askedBefore = performance.now();
  const confirm = ledger.ending('family:1', 'all');
  assert.equal(ledger.fateOf(token, performance.now()), 'unknown');
  await sleep(2);
  confirm();
  assert.equal(ledger.fateOf(token, askedBefore), 'unknown', 'the question was asked before the answer had come');
  await sleep(2);
  assert.equal(ledger.fateOf(token, performance.now()), 'dead');
  assert.equal(ledger.fateOf(add('late'), performance.now()), 'dead', 'a member that came late is dead as well');
  assert.equal(ledger.fateOf(other, performance.now()), 'live');
});

test('an ending of what was there leaves what comes later alone', async () => {
  const { ledger, add } = world();
  const before = add('before');
  await sleep(2);
  const confirm = ledger.ending('user:u', 'earlier');
  const meanwhile = add('meanwhile');
  await sleep(2);
  confirm();
  await sleep(2);
  const after = add('after');
  assert.deepEqual(
    [before, meanwhile, after].map((token) => ledger.fateOf(token, performance.now())),
    ['dead', 'unknown', 'live'],
  );
});

test('what is opened again lives again, once that is confirmed', async () => {
  const { ledger, add } = world();
  const token = add('a', ['client:c']);
  ledger.ending('client:c', 'all')();
  await sleep(2);
  assert.equal(ledger.fateOf(token, performance.now()), 'dead');
  const confirm = ledger.reopening('client:c');
  assert.equal(ledger.fateOf(token, performance.now()), 'unknown');
  confirm();
  await sleep(2);
  assert.equal(ledger.fateOf(token, performance.now()), 'live');
});

test('what is in doubt may be called either, until its end is confirmed', async () => {
  const { ledger, add } = world();
  const [token, other] = [add('a'), add('b', ['family:2'])];
  assert.deepEqual([ledger.isInDoubt('family:1'), ledger.doubted()], [false, []]);
  ledger.doubt('family:1');
  assert.equal(ledger.isInDoubt('family:1'), true);
  await sleep(2);
  assert.equal(ledger.fateOf(token, performance.now()), 'unknown');
  assert.equal(ledger.fateOf(add('later'), performance.now()), 'unknown', 'what comes later may end as well');
  assert.equal(ledger.fateOf(other, performance.now()), 'live');
  assert.deepEqual(
    ledger.doubted().map(({ jti }) => jti),
    ['a', 'later'],
  );
  ledger.ending('user:u', 'all')();
  await sleep(2);
  assert.equal(ledger.fateOf(token, performance.now()), 'dead');
  assert.deepEqual(ledger.doubted(), [], 'something else has ended it');
});

for (const ended of [true, false])
  test(`a doubt is settled: it has ${ended ? 'ended' : 'lived on'}`, async () => {
    const { ledger, add } = world();
    const token = add('a');
    ledger.doubt('family:1');
    ledger.settle(token, ended);
    await sleep(2);
    assert.equal(ledger.fateOf(token, performance.now()), ended ? 'dead' : 'live');
  });
