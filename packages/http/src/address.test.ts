import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressKey } from './address.ts';

const cases: [spellings: string[], key: string][] = [
  [['192.0.2.7', '::ffff:192.0.2.7', '::FFFF:192.0.2.7', '::ffff:c000:207', '0:0:0:0:0:ffff:192.0.2.7'], '192.0.2.7'],
  [['2001:db8::1', '2001:DB8:0:0::2', '2001:0db8:0000:0000:ffff:ffff:ffff:ffff'], '2001:db8:0:0::/64'],
  [['2001:db8:0:1::1', '2001:db8:0:1:2:3:4:5', '2001:db8:0:1:2:3:192.0.2.1'], '2001:db8:0:1::/64'],
  [['::1', '::', '::2'], '0:0:0:0::/64'],
  [['fe80::1%eth0', 'fe80::2'], 'fe80:0:0:0::/64'],
  [['64:ff9b::192.0.2.7'], '64:ff9b:0:0::/64'],
  [['unknown'], 'unknown'],
  [['not:an:address'], 'not:an:address'],
  [[''], ''],
];

for (const [spellings, key] of cases)
  for (const spelling of spellings)
    test(`${JSON.stringify(spelling)} counts as ${key}`, () => assert.equal(addressKey(spelling), key));
