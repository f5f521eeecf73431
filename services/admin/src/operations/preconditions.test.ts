import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '@authserver/http';
import { isKnownVersion, matchVersion } from './preconditions.ts';

test('If-Match compares strongly, and a list or a star will do (RFC 9110 §13.1.1)', () => {
  for (const header of [undefined, '"3"', '*', '"2", "3"', '"3","4"']) matchVersion(header)(3);
  for (const header of ['"2"', '3', 'W/"3"', '', '"33"', '"3'])
    assert.throws(
      () => matchVersion(header)(3),
      (error) => error instanceof Problem && error.status === 412,
      header,
    );
});

test('If-None-Match compares weakly (RFC 9110 §13.1.2)', () => {
  for (const header of ['"3"', 'W/"3"', '*', '"1", W/"3"']) assert.ok(isKnownVersion(header, 3), header);
  for (const header of [undefined, '"2"', '3']) assert.ok(!isKnownVersion(header, 3), String(header));
  assert.ok(!isKnownVersion('*', undefined));
});
