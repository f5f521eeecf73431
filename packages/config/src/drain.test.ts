import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drainTimes } from './drain.ts';
import { ConfigSchema } from './schema.ts';

const cases: readonly [what: string, server: Record<string, string>, delayMs: number, waitMs: number][] = [
  ['nobody balances localhost', {}, 0, 10_000],
  ['elsewhere balancers need a moment', { issuer: 'https://auth.example.com' }, 5_000, 5_000],
  ['a short wait is halved', { issuer: 'https://auth.example.com', shutdown_wait: '4s' }, 2_000, 2_000],
  ['no wait has no delay', { issuer: 'https://auth.example.com', shutdown_wait: '0' }, 0, 0],
  ['what is set wins', { shutdown_wait: '30s', drain_delay: '12s' }, 12_000, 18_000],
  ['also when it is none', { issuer: 'https://auth.example.com', drain_delay: '0' }, 0, 10_000],
];

for (const [what, server, delayMs, waitMs] of cases)
  test(what, () => assert.deepEqual(drainTimes(ConfigSchema.parse({ server })), { delayMs, waitMs }));
