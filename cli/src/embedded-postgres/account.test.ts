import assert from 'node:assert/strict';
import { test } from 'node:test';
import { passes } from './account.ts';

const account = { uid: 1000, gid: 100, change: true };

for (const { uid, gid, mode, expected } of [
  { uid: 0, gid: 0, mode: 0o40755, expected: true },
  { uid: 0, gid: 0, mode: 0o40700, expected: false },
  { uid: 0, gid: 0, mode: 0o41777, expected: true },
  { uid: 1000, gid: 0, mode: 0o40700, expected: true },
  { uid: 1000, gid: 100, mode: 0o40077, expected: false }, // the owner's bits decide, whatever the others say
  { uid: 0, gid: 100, mode: 0o40710, expected: true },
  { uid: 0, gid: 100, mode: 0o40701, expected: false },
]) {
  test(`uid 1000, gid 100 ${expected ? 'passes' : 'does not pass'} ${mode.toString(8)} of ${uid}:${gid}`, () => {
    assert.equal(passes({ uid, gid, mode }, account), expected);
  });
}
