import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listOf, present } from './flags.ts';

test('a list comes with commas, repeated, or from the environment', () => {
  assert.deepEqual(listOf(['a, b', 'c']), ['a', 'b', 'c']);
  assert.deepEqual(listOf('a,b'), ['a', 'b']);
  assert.deepEqual(listOf(['']), []);
  assert.equal(listOf(undefined), undefined);
});

test('what was not given is not sent', () => {
  assert.deepEqual(present({ name: undefined, scope: '', agent: false }), { scope: '', agent: false });
});
