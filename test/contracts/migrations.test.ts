import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMigrations } from '@authserver/store';
import { version } from '@authserver/telemetry';
import { breachesOf } from '../support/migration-rules.ts';

/** Written before there was a release that could run beside the next one. Nothing is added here. */
const beforeTheFirstRelease = new Set([
  '0009_client_and_resource_demands',
  '0012_pushed_requests',
  '0013_several_resources',
  '0015_self_registration',
  '0016_secrets_and_documents',
  '0023_brokering',
]);

const migrations = await readMigrations();
const numbers = (text: string) => text.split('.').map(Number);
const isEarlier = (one: string, other: string): boolean => {
  const [a, b] = [numbers(one), numbers(other)];
  const at = a.findIndex((number, index) => number !== b[index]);
  return at >= 0 && (a[at] as number) < (b[at] as number);
};

test('migrations expand, and contract only what an earlier release stopped using (docs/upgrades.md)', () => {
  const wrong = migrations
    .filter(({ name }) => !beforeTheFirstRelease.has(name))
    .flatMap(({ name, sql }) =>
      breachesOf(sql)
        .filter(({ unusedSince }) => unusedSince === undefined || !isEarlier(unusedSince, version))
        .map(
          ({ rule, statement, unusedSince }) =>
            `${name} ${rule} (unused since: ${unusedSince ?? 'not said'}): ${statement}`,
        ),
    );
  assert.deepEqual(wrong, [], `\n${wrong.join('\n')}\n`);
});

test('those that are excepted are there, and need it', () => {
  const unneeded = [...beforeTheFirstRelease].filter((excepted) => {
    const sql = migrations.find(({ name }) => name === excepted)?.sql;
    return sql === undefined || breachesOf(sql).length === 0;
  });
  assert.deepEqual(unneeded, []);
});

test('a release that is named is compared by its numbers', () => {
  for (const [one, other, earlier] of [
    ['0.9.0', '0.10.0', true],
    ['0.2.0', '0.2.0', false],
    ['1.0.0', '0.9.9', false],
    ['0.2.9', '0.3.0', true],
  ] as const)
    assert.equal(isEarlier(one, other), earlier, `${one} ${other}`);
});
