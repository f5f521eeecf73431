import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyInUseError, KeyTooYoungError } from './errors.ts';
import { createKeyPair } from './key-pair.ts';
import type { KeyRecord, KeyState } from './key-store.ts';
import { isCurrentSince, isGone, newRecord, planRetirement, planRotation, rotationsUntil } from './lifecycle.ts';

const start = new Date('2026-01-01T00:00:00Z');
const after = (seconds: number) => new Date(start.getTime() + seconds * 1000);
const policy = { maxTokenLifetimeSeconds: 3600 };
const current = newRecord(await createKeyPair('ES256'), 'current', start);
const next = newRecord(await createKeyPair('ES256'), 'next', start);

test('a rotation moves every key one state on', () => {
  const plan = planRotation([current, next], { now: after(300), algorithm: 'ES256' }, policy);
  assert.deepEqual(plan, {
    kept: [
      { ...next, state: 'current', activatedAt: after(300) },
      { ...current, state: 'retiring', retiredAt: after(300), goneAfter: after(300 + 3600 + 300) },
    ],
    missing: ['next'],
    dropped: [],
  });
});

test('a rotation that had to wait for a later one ends no key before it began', () => {
  const busy: KeyRecord = { ...current, activatedAt: after(310) };
  const { kept } = planRotation([busy, next], { now: after(300), algorithm: 'ES256' }, policy);
  assert.deepEqual(
    kept.map(({ activatedAt, retiredAt, goneAfter }) => [activatedAt, retiredAt, goneAfter]),
    [
      [after(310), undefined, undefined],
      [after(310), after(310), after(310 + 3600 + 300)],
    ],
  );
});

test('a key must have been published for one JWKS cache lifetime before it signs', () => {
  for (const [age, secondsLeft] of [
    [0, 300],
    [299, 1],
    [299.5, 1],
    [-60, 360], // a clock set back proves nothing
  ] as const) {
    assert.throws(
      () => planRotation([current, next], { now: after(age), algorithm: 'ES256' }, policy),
      (error) => error instanceof KeyTooYoungError && error.secondsLeft === secondsLeft && error.kid === next.kid,
    );
  }
  planRotation([current, next], { now: after(0), algorithm: 'ES256', force: true }, policy);
});

test('a changed algorithm signs from the rotation after, or at once with force', () => {
  const states = (records: KeyRecord[]) => records.map(({ kid, state }) => [kid, state]);
  const gentle = planRotation([current, next], { now: after(300), algorithm: 'EdDSA' }, policy);
  assert.deepEqual(gentle.missing, ['next'] satisfies KeyState[]);

  const forced = planRotation([current, next], { now: after(300), algorithm: 'EdDSA', force: true }, policy);
  assert.deepEqual(forced.missing, ['current', 'next'] satisfies KeyState[]);
  assert.deepEqual(states(forced.kept), [[current.kid, 'retiring']]);
  assert.deepEqual(states(forced.dropped), [[next.kid, 'next']]);
});

test('force discards a next key whose private part is lost', () => {
  const options = { now: after(300), algorithm: 'ES256', force: true, nextUsable: false } as const;
  assert.deepEqual(planRotation([current, next], options, policy).dropped, [next]);
});

test('a retiring key is dropped only after its last token', () => {
  const retiring: KeyRecord = { ...current, kid: 'old', state: 'retiring', retiredAt: start, goneAfter: after(400) };
  const dropped = (seconds: number) =>
    planRotation([current, next, retiring], { now: after(seconds), algorithm: 'ES256' }, policy).dropped;
  assert.equal(isGone(retiring, after(400)), false);
  assert.deepEqual(dropped(400), []);
  assert.deepEqual(dropped(400.001), [retiring]);
});

test('whether a key can be forgotten', () => {
  const retiring: KeyRecord = { ...current, kid: 'old', state: 'retiring', retiredAt: start, goneAfter: after(400) };
  const ring = [current, next, retiring];
  for (const [kid, seconds, force, wanted] of [
    [current.kid, 9999, true, 'current'], // never, whoever insists
    [next.kid, 9999, true, 'next'],
    ['old', 400, false, 'retiring'], // its last token ends at this very moment
    ['old', 400, true, 'forgotten'],
    ['old', 401, false, 'forgotten'],
    ['unknown', 0, true, 'unknown'],
  ] as const) {
    const decide = () => {
      try {
        return planRetirement(ring, kid, { now: after(seconds), force }) ? 'forgotten' : 'unknown';
      } catch (error) {
        if (!(error instanceof KeyInUseError)) throw error;
        return error.use;
      }
    };
    assert.equal(decide(), wanted, `${kid} after ${seconds} s`);
  }
});

test('rotations in a row, forced or not, keep every key as long as a token it signed may live', () => {
  let ring: KeyRecord[] = [current, next];
  const signed = new Map<string, number>(); // kid → when the last token it signed ends, in seconds
  for (let second = 0, round = 0; round < 200; round += 1, second += 7) {
    const signer = ring.find(({ state }) => state === 'current') as KeyRecord;
    signed.set(signer.kid, second + policy.maxTokenLifetimeSeconds);
    const force = round % 3 !== 0;
    try {
      const plan = planRotation(ring, { now: after(second), algorithm: 'ES256', force }, policy);
      const made = { ...next, kid: `made ${round}`, createdAt: after(second) };
      ring = [...plan.kept, made];
    } catch (error) {
      assert.ok(error instanceof KeyTooYoungError);
    }
    for (const [kid, until] of signed)
      if (until >= second)
        assert.ok(
          ring.some((record) => record.kid === kid && !isGone(record, after(second))),
          kid,
        );
  }
  assert.ok(signed.size > 60);
});

test('how many rotations bring an algorithm in', () => {
  const [es, ed] = [{ alg: 'ES256' }, { alg: 'EdDSA' }] as const;
  for (const [signing, waiting, wanted] of [
    [es, es, 0],
    [es, ed, 1],
    [ed, ed, 2],
    [ed, es, 1],
  ] as const) {
    const ring = [
      { ...current, ...signing },
      { ...next, ...waiting },
    ];
    const algorithm = wanted === 1 ? waiting.alg : 'ES256';
    assert.equal(rotationsUntil(ring, algorithm), wanted, `${signing.alg} ${waiting.alg}`);
  }
});

test('since when the current key signs', () => {
  for (const [seconds, wanted] of [
    [-1, false],
    [0, true],
    [1, true],
  ] as const)
    assert.equal(isCurrentSince([current, next], after(seconds)), wanted, `${seconds}`);
});
