import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimedIn, readClaims } from '../conformance/claims.ts';
import { exceptions, remarks } from '../conformance/exceptions.ts';
import { missing } from '../conformance/generate.ts';
import { documents, requirements } from '../conformance/requirements.ts';

const claims = readClaims();

test('ids are found in the names of tests, and nowhere else', () => {
  const text = [
    `test('a token has a type [R9449-12 MDP-03]', async () => {`,
    `test("it is the client's [R7009-03, R7009-10] (RFC 7009 §2.1)", () => {`,
    'test(`$' + '{name} is refused [O21-09] [threat B6]`, () => {',
    `test.skip('later [R9126-01]', () => {`,
    `test('where there is a browser [O21-57]', { skip }, () => {`,
    `const all = [R9068-01]; // [R9068-02]`,
    `assert.match(text, /[A-Z0-9]/);`,
  ].join('\n');
  assert.deepEqual(claimedIn(text), ['R9449-12', 'MDP-03', 'R7009-03', 'R7009-10', 'O21-09']);
});

test('every id is given once', () => {
  assert.equal(
    requirements.size,
    documents.reduce((sum, { rows }) => sum + rows.length, 0),
  );
});

test('every mandatory requirement has a test that names it, or a reason', () => {
  assert.deepEqual(
    missing(claims).map(({ id, text }) => `${id}: ${text}`),
    [],
  );
});

test('a test names requirements that exist', () => {
  assert.deepEqual(
    [...claims].filter(([id]) => !requirements.has(id)).map(([id, files]) => `${id} in ${files.join(', ')}`),
    [],
  );
});

test('a reason is given for a requirement that exists and has no test', () => {
  assert.deepEqual(
    Object.keys(exceptions).filter((id) => !requirements.has(id) || claims.has(id)),
    [],
  );
});

test('a remark is made on a requirement that has a test', () => {
  assert.deepEqual(
    Object.keys(remarks).filter((id) => !claims.has(id)),
    [],
  );
});
