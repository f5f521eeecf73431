import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readReference, referenceOf } from './reference.ts';

test('a reference is found as it was heard, and by the request id it was made from', () => {
  const reference = referenceOf('kJ3d-000001');
  assert.match(reference, /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/);
  assert.notEqual(referenceOf('kJ3d-000002'), reference);
  assert.equal(readReference(reference), reference);
  assert.equal(readReference(` ${reference.toLowerCase().replace('-', '')} `), reference);
  assert.equal(readReference(reference.replaceAll('0', 'o').replaceAll('1', 'l')), reference);
  assert.equal(readReference('kJ3d-000001'), reference);
});
