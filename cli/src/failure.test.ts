import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdminApiError } from '@authserver/admin-api';
import { toFailure, usageFailure } from './failure.ts';

test('the answer of the admin API decides the exit code', () => {
  const cases = [
    [400, 1],
    [401, 3],
    [403, 3],
    [404, 4],
    [409, 5],
    [429, 1],
    [503, 1],
  ] as const;
  for (const [status, exitCode] of cases) {
    const failure = toFailure(new AdminApiError(status, 'some_code', 'In words.'));
    assert.deepEqual(failure, { exitCode, code: 'some_code', status, detail: 'In words.' });
  }
});

test('everything else is told in one line, except a list of configuration problems', () => {
  const parseError = Object.assign(
    new Error('The following error occurred:\n  Missing required flag id\nSee more help with --help'),
    {
      oclif: { exit: 2 },
    },
  );
  assert.deepEqual(toFailure(parseError), {
    exitCode: 2,
    code: 'usage',
    detail: 'Missing required flag id (see --help)',
  });
  assert.deepEqual(toFailure(usageFailure('no')), { exitCode: 2, code: 'usage', detail: 'no' });
  assert.deepEqual(toFailure(new Error('a\nb')), { exitCode: 1, code: 'failure', detail: 'a; b' });
  const config = Object.assign(new Error('configuration has 2 problems:\n  1. a\n  2. b'), { name: 'ConfigError' });
  assert.equal(toFailure(config).detail, config.message);
});
