import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatUptime } from './uptime.ts';

test('uptime for people', () => {
  const cases: [number, string][] = [
    [0, '0s'],
    [59, '59s'],
    [60, '1m 0s'],
    [3600, '1h 0m 0s'],
    [93_784, '1d 2h 3m 4s'],
  ];
  for (const [seconds, text] of cases) assert.equal(formatUptime(seconds), text);
});
