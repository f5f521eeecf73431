import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressesCollide, parseAddress } from './address.ts';

test('an address is a port with or without a host', () => {
  assert.deepEqual(parseAddress(':9000'), { port: 9000 });
  assert.deepEqual(parseAddress('127.0.0.1:9000'), { host: '127.0.0.1', port: 9000 });
  assert.deepEqual(parseAddress('localhost:0'), { host: 'localhost', port: 0 });
  assert.deepEqual(parseAddress('[::1]:9000'), { host: '::1', port: 9000 });
});

for (const text of ['9000', '', ':', ':70000', '::1:9000', 'http://localhost:9000', 'localhost', ':-1', ':9000/']) {
  test(`"${text}" is not an address`, () => assert.throws(() => parseAddress(text), RangeError));
}

const collisions: [one: string, other: string, collide: boolean][] = [
  [':9000', ':9000', true],
  [':9000', '127.0.0.1:9000', true],
  ['0.0.0.0:9000', '10.0.0.1:9000', true],
  ['[::]:9000', '10.0.0.1:9000', true],
  ['10.0.0.1:9000', '10.0.0.2:9000', false],
  [':9000', ':9001', false],
  [':0', ':0', false],
];

for (const [one, other, collide] of collisions) {
  test(`${one} and ${other} ${collide ? 'collide' : 'go together'}`, () => {
    assert.equal(addressesCollide(parseAddress(one), parseAddress(other)), collide);
  });
}
