import assert from 'node:assert/strict';
import { test } from 'node:test';
import { featureStates } from './features.ts';
import { ConfigSchema } from './schema.ts';

const vouch_for = [{ client_id: 'agent', audience: 'https://as.example.com' }];
const cases: [settings: object, enabled: string[]][] = [
  [{}, ['token_exchange', 'xaa']],
  [{ token_exchange: { enabled: false } }, ['xaa']],
  [{ agents: { enable_jwks_listing: true } }, ['token_exchange', 'agents_in_jwks', 'xaa']],
  [{ xaa: { vouch_for } }, ['token_exchange', 'xaa', 'xaa_vouching']],
  [{ xaa: { enabled: false, vouch_for } }, ['token_exchange']],
];
const about = ['token_exchange', 'agents_in_jwks', 'xaa', 'xaa_vouching'];

for (const [settings, enabled] of cases)
  test(`${JSON.stringify(settings)} offers ${enabled.join(', ')}`, () => {
    const states = featureStates(ConfigSchema.parse(settings), 'admin_only');
    assert.deepEqual(
      about.filter((name) => states[name] === 'enabled'),
      enabled,
    );
    assert.ok(about.every((name) => name in states));
  });
