import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigSchema } from './schema.ts';
import { brokenSigningRules } from './signing-rules.ts';

const address = 'https://vault.example.com:8200';
const vault = (settings: object) => ({ key_store: 'vault_transit', vault_transit: { address, ...settings } });
const approle = { role_id: 'role', secret_id: 'hunter2-canary' };

type Case = [what: string, signing: object, problems: RegExp[], more?: object];
const cases: Case[] = [
  ['nothing', {}, []],
  ['no rotation', { rotation_interval: '0' }, []],
  ['the shortest rotation', { rotation_interval: '10m' }, []],
  ['a rotation that could not be kept', { rotation_interval: '599s' }, [/^signing.rotation_interval: .*10m/]],
  ['the database without encryption', { key_store: 'postgres_key' }, [/^data_encryption.driver: is required/]],
  ['the database', { key_store: 'postgres_key' }, [], { data_encryption: { driver: 'aes_master' } }],
  ['Vault alone', { key_store: 'vault_transit' }, [/vault_transit.address: is required/]],
  ['Vault without a login', vault({}), [/vault_transit.token: is required, or approle/]],
  ['Vault with a token', vault({ token: 'hvs.hunter2-canary' }), []],
  ['Vault with an AppRole', vault({ approle }), []],
  ['both', vault({ token: 'hvs.hunter2-canary', approle }), [/vault_transit.token: set either/]],
  ['half an AppRole', vault({ approle: { role_id: 'role' } }), [/approle.secret_id: is required/]],
  ['the other half', vault({ approle: { secret_id: 'hunter2-canary' } }), [/approle.role_id: is required/]],
  ['Vault beside files', { key_store: 'keyfile', vault_transit: { address } }, [/vault_transit.token: is required/]],
  ...['a/b', '../x', '', 'a b', '-x', 'x.', 'x'.repeat(101)].map(
    (key_name): Case => [
      `a key named ${JSON.stringify(key_name)}`,
      vault({ token: 't', key_name }),
      [/key_name: (must be|is empty|must not be empty)/],
    ],
  ),
  ['Vault in the clear', vault({ token: 't', address: 'http://vault:8200' }), []],
  [
    ...['Vault in the clear off localhost', vault({ token: 't', address: 'http://vault:8200' })],
    ...[[/address: must use https/], { server: { issuer: 'https://as.example.com' } }],
  ] as Case,
  [
    ...['an agent beside us', vault({ token: 't', address: 'http://127.0.0.1:8200' })],
    ...[[], { server: { issuer: 'https://as.example.com' } }],
  ] as Case,
];

for (const [what, signing, problems, more = {}] of cases)
  test(`where signing keys live: ${what}`, () => {
    const read = ConfigSchema.safeParse({ signing, ...more });
    const found = read.success
      ? [...brokenSigningRules(read.data)].map(({ key, message }) => `${key}: ${message}`)
      : read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    assert.equal(found.length, problems.length, found.join('\n'));
    for (const [index, problem] of problems.entries()) assert.match(found[index] ?? '', problem);
    assert.doesNotMatch(found.join(), /canary/);
  });
