import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpan } from './span.ts';

for (const [text, seconds] of [
  ['90s', 90],
  ['12h', 43_200],
  ['1d12h', 129_600],
  ['30d', 2_592_000],
] as const)
  test(`${text} is ${seconds} seconds`, () => assert.equal(parseSpan('--overlap', text), seconds));

for (const text of ['', '5', 'soon', '-1d', '1.5ms'])
  test(`${JSON.stringify(text)} is refused, with the name of the flag`, () =>
    assert.throws(() => parseSpan('--overlap', text), /--overlap expects whole seconds with a unit, such as 1h or 7d/));
