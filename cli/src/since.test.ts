import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandFailure } from './failure.ts';
import { parseSince } from './since.ts';

const now = new Date('2026-01-31T12:00:00Z');

test('a span counts back from now, a timestamp stands for itself', () => {
  const cases = [
    ['24h', '2026-01-30T12:00:00.000Z'],
    ['7d', '2026-01-24T12:00:00.000Z'],
    ['2w', '2026-01-17T12:00:00.000Z'],
    ['1d12h', '2026-01-30T00:00:00.000Z'],
    ['1.5h', '2026-01-31T10:30:00.000Z'],
    [' 30s ', '2026-01-31T11:59:30.000Z'],
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z'],
  ] as const;
  for (const [span, moment] of cases) assert.equal(parseSince(span, now), moment, span);
});

test('anything else is a usage failure', () => {
  for (const span of ['', '7', 'd', '7 d', '-1h', '7y', 'yesterday', '2026-01-01', '99999999999w'])
    assert.throws(
      () => parseSince(span, now),
      (error) => error instanceof CommandFailure && error.exitCode === 2,
      span,
    );
});
