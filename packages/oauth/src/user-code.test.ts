import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newUserCode, readUserCode, showUserCode } from './user-code.ts';

test('a code is eight consonants, and no two are alike (RFC 8628 §6.1)', () => {
  const codes = Array.from({ length: 1000 }, newUserCode);
  for (const code of codes) assert.match(code, /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/);
  assert.equal(new Set(codes).size, codes.length);
  assert.equal(new Set(codes.join('')).size, 20, 'every letter occurs');
});

for (const [typed, read] of [
  ['WDJB-MJHT', 'WDJBMJHT'],
  ['wdjbmjht', 'WDJBMJHT'],
  [' wdjb mjht ', 'WDJBMJHT'],
  ['W.D.J.B.M.J.H.T', 'WDJBMJHT'],
  ['WDJB\u2010MJHT', 'WDJBMJHT'],
  ['', undefined],
  [undefined, undefined],
  ['WDJB-MJH', undefined],
  ['WDJB-MJHTT', undefined],
  ['WDJA-MJHT', undefined],
  ['WDJ0-MJHT', undefined],
  ['\u0412DJB-MJHT', undefined], // a Cyrillic letter that looks like one of ours
  ['WDJBMJH\u0000T', 'WDJBMJHT'],
  ['\ufb00'.repeat(4), undefined], // the ligature ff: two letters, once in upper case
  ['WDJBMJH\u017f', undefined], // the long s
  ['-'.repeat(57).concat('WDJBMJHT'), undefined],
] as const)
  test(`${JSON.stringify(typed)} is read as ${read}`, () => assert.equal(readUserCode(typed), read));

test('it is shown in two groups', () => assert.equal(showUserCode('WDJBMJHT'), 'WDJB-MJHT'));
