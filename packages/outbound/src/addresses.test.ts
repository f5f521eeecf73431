import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPublicAddress } from './addresses.ts';

const refused: Record<string, readonly string[]> = {
  'this network': ['0.0.0.0', '0.1.2.3', '::'],
  loopback: ['127.0.0.1', '127.255.255.255', '::1'],
  private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', 'fc00::1', 'fd00:ec2::254'],
  'carrier-grade': ['100.64.0.1', '100.100.100.200', '100.127.255.255'],
  'link-local': ['169.254.169.254', '169.254.0.1', 'fe80::1', 'febf::1', 'fec0::1', 'fe80::1%eth0'],
  'cloud platform': ['168.63.129.16'],
  assignments: ['192.0.0.1', '192.0.0.192', '2001::1', '2001:1ff::1', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
  documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
  benchmarks: ['198.18.0.1', '198.19.255.255', '2001:2::1'],
  '6to4': ['192.88.99.1', '2002:7f00:1::', '2002:a9fe:a9fe::1'],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
  reserved: ['240.0.0.1', '255.255.255.255', '4000::1', '5f00::1', '100::1', '0100::'],
  'IPv4 in IPv6': ['::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:a9fe:a9fe', '::127.0.0.1', '::ffff:0:127.0.0.1'],
  NAT64: [
    '64:ff9b::127.0.0.1',
    '64:ff9b::10.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b::',
    '64:ff9b::1',
    '64:ff9b:1::8.8.8.8',
  ],
  'no address': ['', 'localhost', '8.8.8', '[::1]', '2606:4700::1111%1', '8.8.8.8 '],
};
for (const [kind, addresses] of Object.entries(refused))
  test(`${kind} is not the public internet [CIMD-18 threat G03]`, () => {
    for (const address of addresses) assert.equal(isPublicAddress(address), false, address);
  });

test('hosts of the public internet', () => {
  const open = ['1.1.1.1', '8.8.8.8', '9.255.255.255', '100.63.255.255', '100.128.0.1', '172.15.0.1', '172.32.0.1'];
  const six = ['2606:4700:4700::1111', '2a00:1450:4001::1', '2001:200::1', '2001:4860:4860::8888', '64:ff9b::8.8.8.8'];
  for (const address of [...open, '192.0.1.1', '192.169.0.1', '198.17.0.1', '223.255.255.255', ...six])
    assert.equal(isPublicAddress(address), true, address);
});
