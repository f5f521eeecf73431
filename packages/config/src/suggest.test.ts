import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editDistance, nearest } from './suggest.ts';

test('the edit distance counts insertions, deletions and replacements', () => {
  assert.equal(editDistance('', 'abc'), 3);
  assert.equal(editDistance('issuer', 'issuer'), 0);
  assert.equal(editDistance('isuer', 'issuer'), 1);
  assert.equal(editDistance('kitten', 'sitting'), 3);
});

test('only a near name is suggested', () => {
  const known = ['issuer', 'address', 'read_timeout', 'write_timeout'];
  assert.equal(nearest('isuer', known), 'issuer');
  assert.equal(nearest('ADRESS', known), 'address');
  assert.equal(nearest('readtimeout', known), 'read_timeout');
  assert.equal(nearest('colour', known), undefined);
});
