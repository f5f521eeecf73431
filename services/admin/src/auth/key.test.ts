import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdminKey } from '@authserver/store';
import { adminKeyStatus, looksLikeAdminKey, newAdminKey } from './key.ts';

test('keys are long, random and can be told from other text', () => {
  const keys = Array.from({ length: 100 }, newAdminKey);
  assert.equal(new Set(keys).size, 100);
  for (const key of keys) assert.match(key, /^asak_[A-Za-z0-9_-]{43}$/);
  assert.ok(keys.every(looksLikeAdminKey));
  const [key = ''] = keys;
  for (const other of [
    '',
    'asak_',
    key.slice(1),
    key.slice(0, -1),
    `${key}x`,
    ` ${key}`,
    `${key}\n`,
    key.toUpperCase(),
  ])
    assert.ok(!looksLikeAdminKey(other), JSON.stringify(other));
});

test('a key is over from the moment it expires or is revoked', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const cases: [Partial<AdminKey>, ReturnType<typeof adminKeyStatus>][] = [
    [{}, 'active'],
    [{ expiresAt: new Date(now.getTime() + 1) }, 'active'],
    [{ expiresAt: now }, 'expired'],
    [{ revokedAt: now }, 'revoked'],
    [{ revokedAt: now, expiresAt: now }, 'revoked'],
  ];
  for (const [key, status] of cases) assert.equal(adminKeyStatus(key as AdminKey, now), status);
});
