import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readExposition } from './exposition.ts';

const text = String.raw`# HELP requests_total Requests.
# TYPE requests_total counter
requests_total 3
requests_total{path="/a",status="200"} 5
requests_total{path="odd \"}\" \\ \n value",status="404"} 1 1700000000000
seconds_bucket{le="+Inf"} 7
gauge -1.5e-3
gauge{of="nothing"} Nan
gauge{
unwanted 1
nonsense`;

test('values by their series, with labels as they were meant', () => {
  const reading = readExposition(text, new Set(['requests_total', 'seconds_bucket', 'gauge']));
  assert.deepEqual(
    [...reading.values()].map(({ name, labels, value }) => [name, labels, value]),
    [
      ['requests_total', {}, 3],
      ['requests_total', { path: '/a', status: '200' }, 5],
      ['requests_total', { path: 'odd "}" \\ \n value', status: '404' }, 1],
      ['seconds_bucket', { le: '+Inf' }, 7],
      ['gauge', {}, -0.0015],
    ],
  );
  assert.deepEqual([...reading.keys()].slice(0, 2), ['requests_total', 'requests_total{path="/a",status="200"}']);
});

test('what is no such text has no values', () => {
  for (const other of ['', '<html>', '{"a":1}', '\0\u{10ffff}'])
    assert.equal(readExposition(other, new Set(['a'])).size, 0);
});
