import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readThreatClaims } from '../conformance/attacks.ts';
import { readClaims } from '../conformance/claims.ts';
import { threatExceptions } from '../conformance/threat-exceptions.ts';
import { threatGroups, threats, threatsIn } from '../conformance/threats.ts';

const claims = readThreatClaims();

test('attacks are found in the names of tests, beside requirements or alone', () => {
  const text = [
    `test('a code is good once [threat A01]', async () => {`,
    `test('both at once [O21-38 O21-39] [threat A02 A03]', async () => {`,
    `test('no way inside [CIMD-18 threat G03]', async () => {`,
    `['a proof of 4 KB [threat E11]', { jti }],`,
    `test('somebody else at a URL [A99]', async () => {`,
    `test('where there is a browser [threat H05]', { skip }, () => {`,
    'const all = [threat, B01];',
  ].join('\n');
  assert.deepEqual(threatsIn(text), ['A01', 'A02', 'A03', 'G03', 'E11']);
});

test('every attack is listed once', () => {
  assert.equal(
    threats.size,
    threatGroups.reduce((sum, group) => sum + group.threats.length, 0),
  );
});

test('every attack has a test that runs it, or a reason', () => {
  assert.deepEqual(
    [...threats.values()]
      .filter(({ id }) => !claims.has(id) && !(id in threatExceptions))
      .map(({ id, title }) => `${id}: ${title}`),
    [],
  );
});

test('a test names attacks that are listed', () => {
  assert.deepEqual(
    [...readClaims(threatsIn)].filter(([id]) => !threats.has(id)).map(([id, files]) => `${id} in ${files.join(', ')}`),
    [],
  );
});

test('a reason is given for an attack that is listed and has no test', () => {
  assert.deepEqual(
    Object.keys(threatExceptions).filter((id) => !threats.has(id) || claims.has(id)),
    [],
  );
});
