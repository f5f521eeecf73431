import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientAddress, trustedProxyCheck } from './proxies.ts';

test('nobody is trusted unless somebody is named', () => assert.equal(trustedProxyCheck([]), false));

const cases: [cidr: string, trusted: string[], refused: string[]][] = [
  ['10.0.0.0/8', ['10.0.0.1', '10.255.255.255', '::ffff:10.1.2.3'], ['11.0.0.1', '::1', '9.255.255.255']],
  ['192.0.2.7', ['192.0.2.7', '::ffff:192.0.2.7'], ['192.0.2.8', '::192.0.2.7']],
  ['192.0.2.7/32', ['192.0.2.7'], ['192.0.2.6']],
  ['::1', ['::1', '0:0:0:0:0:0:0:1'], ['::2', '127.0.0.1']],
  ['fd00::/8', ['fd00::1', 'fdff::1'], ['fe00::1', '10.0.0.1']],
];

for (const [cidr, trusted, refused] of cases)
  test(`${cidr} trusts its own addresses alone`, () => {
    const check = trustedProxyCheck([cidr]);
    assert.ok(check);
    for (const address of trusted) assert.ok(check(address), address);
    for (const address of [...refused, '', 'localhost', 'unix:', '10.0.0.1, 10.0.0.2', '10.0.0'])
      assert.ok(!check(address), JSON.stringify(address));
  });

test('a list trusts all of its members', () => {
  const check = trustedProxyCheck(['10.0.0.0/8', '::1']);
  assert.ok(check);
  assert.deepEqual(['10.9.9.9', '::1', '8.8.8.8'].map(check), [true, true, false]);
});

const walks: [peer: string, forwardedFor: string | undefined, from: string][] = [
  ['8.8.8.8', '203.0.113.7', '8.8.8.8'],
  ['10.0.0.1', undefined, '10.0.0.1'],
  ['10.0.0.1', '', '10.0.0.1'],
  ['10.0.0.1', '203.0.113.7', '203.0.113.7'],
  ['::ffff:10.0.0.1', '203.0.113.7', '203.0.113.7'],
  ['10.0.0.1', '198.51.100.1, 203.0.113.7', '203.0.113.7'],
  ['10.0.0.1', '198.51.100.1,203.0.113.7,10.0.0.2 , 10.0.0.3', '203.0.113.7'],
  ['10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ['10.0.0.1', '203.0.113.7:4711', '203.0.113.7'],
  ['10.0.0.1', '[2001:db8::1]:4711', '2001:db8::1'],
  ['10.0.0.1', '[2001:db8::1]', '2001:db8::1'],
  ['10.0.0.1', '2001:db8::1', '2001:db8::1'],
  ['10.0.0.1', 'unknown', '10.0.0.1'],
  ['10.0.0.1', '203.0.113.7, unknown', '10.0.0.1'],
  ['10.0.0.1', '203.0.113.7, junk, 10.0.0.2', '10.0.0.2'],
  ['10.0.0.1', '203.0.113.7, ', '10.0.0.1'],
  ['10.0.0.1', '999.1.1.1', '10.0.0.1'],
  ['10.0.0.1', '1.2.3', '10.0.0.1'],
  ['10.0.0.1', `203.0.113.7${', 10.0.0.2'.repeat(500)}`, '203.0.113.7'],
];

for (const [peer, forwardedFor, from] of walks)
  test(`from ${peer} with X-Forwarded-For: ${forwardedFor?.slice(0, 60)} it comes from ${from}`, () => {
    const check = trustedProxyCheck(['10.0.0.0/8']);
    assert.ok(check);
    assert.equal(clientAddress(peer, forwardedFor, check), from);
  });
