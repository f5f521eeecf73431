import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vaultPath } from './client.ts';

const cases: [segments: string[], path: string][] = [
  [['transit', 'keys', 'my-key'], 'transit/keys/my-key'],
  [['/teams/auth/transit/', 'sign', 'k'], 'teams/auth/transit/sign/k'],
  [['transit', 'keys', 'a key?#x%'], 'transit/keys/a%20key%3F%23x%25'],
  [['transit', 'keys', '../../sys/seal'], 'transit/keys/sys/seal'],
];
for (const [segments, path] of cases)
  test(`${segments.join(' ')} is ${path}`, () => assert.equal(vaultPath(...segments), path));
