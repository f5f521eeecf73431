import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from './duration.ts';

const cases: [text: string, seconds: number | undefined][] = [
  ['10s', 10],
  ['15m', 900],
  ['168h', 604_800],
  ['7d', 604_800],
  ['500ms', 0.5],
  ['1.5h', 5400],
  ['1h30m', 5400],
  ['1m0.5s', 60.5],
  [' 10s ', 10],
  ['0', 0],
  ['0s', 0],
  ['10', undefined],
  ['1.5', undefined],
  ['', undefined],
  ['s', undefined],
  ['-5s', undefined],
  ['10 s', undefined],
  ['10s5', undefined],
  ['10w', undefined],
  ['1e3s', undefined],
];

for (const [text, seconds] of cases) {
  test(`"${text}" is ${seconds === undefined ? 'not a duration' : `${seconds} seconds`}`, () => {
    assert.equal(parseDuration(text), seconds);
  });
}
