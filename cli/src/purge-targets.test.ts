import assert from 'node:assert/strict';
import { test } from 'node:test';
import { purgeTargetNames } from '@authserver/telemetry';
import { readPurgeTargets } from './purge-targets.ts';

test('without --only everything is selected, in the order it is done', () => {
  assert.deepEqual(readPurgeTargets(undefined), purgeTargetNames);
  assert.deepEqual(purgeTargetNames, purgeTargetNames.toSorted());
});

test('blanks and empty names do not count, the order is ours, and twice is once', () => {
  assert.deepEqual(readPurgeTargets(' sessions ,,jti, jti,'), ['jti', 'sessions']);
});

for (const only of ['', ' ', ',,', 'tables', 'jti,everything', 'JTI', 'jti sessions'])
  test(`"${only}" is refused, and the answer names what there is`, () => {
    assert.throws(() => readPurgeTargets(only), {
      exitCode: 2,
      message: new RegExp(`valid targets are ${purgeTargetNames.join(', ')}$`),
    });
  });
