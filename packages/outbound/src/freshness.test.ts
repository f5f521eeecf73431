import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshForSeconds } from './freshness.ts';

const now = new Date('2026-01-01T00:00:00Z');
const bounds = { floor: 60, ceiling: 3600, unspecified: 300 };
const in10Minutes = new Date(now.getTime() + 600_000).toUTCString();

const cases: [name: string, headers: Record<string, string>, seconds: number][] = [
  ['nothing said', {}, 300],
  ['max-age', { 'cache-control': 'max-age=600' }, 600],
  ['max-age in company', { 'cache-control': 'public, MAX-AGE="600", must-revalidate' }, 600],
  ['below the floor', { 'cache-control': 'max-age=5' }, 60],
  ['beyond the ceiling', { 'cache-control': 'max-age=31536000' }, 3600],
  ['no-store', { 'cache-control': 'no-store, max-age=600' }, 0],
  ['no-cache', { 'cache-control': 'no-cache' }, 0],
  ['max-age=0', { 'cache-control': 'max-age=0' }, 0],
  ['max-age that is no number', { 'cache-control': 'max-age=soon' }, 0],
  ['an age', { 'cache-control': 'max-age=600', age: '200' }, 400],
  ['an age beyond the lifetime', { 'cache-control': 'max-age=600', age: '900' }, 60],
  ['an age that is no number', { 'cache-control': 'max-age=600', age: 'old' }, 600],
  ['Expires', { expires: in10Minutes }, 600],
  [
    'Expires by the clock of its host',
    { expires: in10Minutes, date: new Date(now.getTime() + 300_000).toUTCString() },
    300,
  ],
  ['Expires in the past', { expires: 'Thu, 01 Jan 1970 00:00:00 GMT' }, 0],
  ['Expires that is no date', { expires: '0' }, 0],
  ['max-age before Expires', { 'cache-control': 'max-age=600', expires: '0' }, 600],
];
for (const [name, headers, seconds] of cases)
  test(`lifetime of a response: ${name} [CIMD-11]`, () =>
    assert.equal(freshForSeconds(new Headers(headers), now, bounds), seconds));

test('a ceiling below the floor wins', () => {
  assert.equal(freshForSeconds(new Headers({ 'cache-control': 'max-age=600' }), now, { ...bounds, ceiling: 10 }), 10);
});
