import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Params } from '../params.ts';
import { isFreshEnough, isStrongEnough, readPrompts } from './prompts.ts';

const read = (params: Record<string, string>) => readPrompts({ ...params, resources: [] } as unknown as Params);
const askedAt = new Date('2026-01-01T12:00:00.000Z');
const signIn = (seconds: number, acr: string | null = 'pwd') => ({
  authTime: new Date(askedAt.getTime() + seconds * 1000),
  signedInAt: new Date(askedAt.getTime() + seconds * 1000),
  acr: acr ?? undefined,
});

const fresh: [params: Record<string, string>, secondsAfterAsking: number, expected: boolean][] = [
  [{}, -86_400, true],
  [{ prompt: 'consent' }, -86_400, true],
  [{ prompt: 'login' }, -1, false],
  [{ prompt: 'login' }, 0, true],
  [{ prompt: 'login' }, 30, true],
  [{ prompt: 'consent select_account' }, -1, false],
  [{ prompt: 'select_account' }, 1, true],
  [{ max_age: '0' }, -1, false],
  [{ max_age: '0' }, 0, true],
  [{ max_age: '60' }, -60, true],
  [{ max_age: '60' }, -61, false],
  [{ max_age: '9999999999' }, -86_400, true],
  [{ max_age: '600', prompt: 'login' }, -1, false],
];
for (const [params, seconds, expected] of fresh)
  test(`${JSON.stringify(params)}: a sign-in ${seconds} s after asking is ${expected ? '' : 'not '}fresh enough`, () => {
    assert.equal(isFreshEnough(read(params), signIn(seconds), askedAt), expected);
  });

test('a sign-in at a provider that knew the person may be chosen anew without being proven anew', () => {
  const there = { ...signIn(-3600), signedInAt: askedAt };
  assert.equal(isFreshEnough(read({ prompt: 'select_account' }), there, askedAt), true);
  assert.equal(isFreshEnough(read({ prompt: 'login' }), there, askedAt), false);
  assert.equal(isFreshEnough(read({ max_age: '60' }), there, askedAt), false);
  assert.equal(isFreshEnough(read({ max_age: '3600' }), there, askedAt), true);
});

test('a sign-in is strong enough when it is one of those named', () => {
  assert.equal(isStrongEnough(read({}), signIn(0, null)), true);
  assert.equal(isStrongEnough(read({ acr_values: 'gold pwd' }), signIn(0)), true);
  assert.equal(isStrongEnough(read({ acr_values: 'gold pwd' }), signIn(0, null)), false);
});

for (const params of [{ prompt: 'none login' }, { prompt: 'login none' }, { max_age: '-1' }, { max_age: '1 ' }])
  test(`${JSON.stringify(params)} is refused`, () => {
    assert.throws(() => read(params), /invalid_request/);
  });

test('what we do not know is passed over, and what we cannot do is not', () => {
  assert.deepEqual(read({ prompt: 'create' }).prompts, []);
  assert.throws(() => read({ acr_values: 'gold' }), /unmet_authentication_requirements/);
  assert.equal(read({ login_hint: 'x'.repeat(255) }).loginHint, undefined);
});
