import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { brokenEncryptionRules } from './encryption-rules.ts';
import { ConfigSchema } from './schema.ts';

const directory = mkdtempSync(join(tmpdir(), 'encryption-rules-'));
const file = (content: string): string => {
  const path = join(directory, Math.random().toString(36).slice(2));
  writeFileSync(path, content);
  return path;
};
const one = '0123456789abcdef'.repeat(4);
const two = 'c0ffee'.padEnd(64, '0');
const canary = 'hunter2-canary';
const env = {
  ONE: one,
  ONE_AGAIN: one.toUpperCase(),
  TWO: two,
  IN_FILE_FILE: file(`${two}\n`),
  TOKEN: 'hvs.x',
  EMPTY: '',
};

const aes = (settings: object) => ({ driver: 'aes_master', aes_master: settings });
const address = 'https://vault.example.com:8200';
const vault = (settings: object) => ({
  driver: 'vault_transit_encrypt',
  vault_transit_encrypt: { address, key_name: 'data', token_env: 'TOKEN', ...settings },
});

type Case = [what: string, settings: object, problems: RegExp[], issuer?: string];
const cases: Case[] = [
  ['nothing', {}, []],
  ['a master key', aes({ key_env: 'ONE' }), []],
  ['a master key and the one before it', aes({ key_env: 'ONE', old_key_env: 'TWO' }), []],
  ['a master key in a file', aes({ key_env: 'IN_FILE' }), []],
  ['a master key of no driver', { aes_master: { key_env: 'ONE' } }, [/^driver: is required/]],
  ['no master key', aes({}), [/^aes_master.key_env: is required/]],
  ['a variable that is not set', aes({ key_env: 'NONE' }), [/key_env: names NONE, which is not set/]],
  ['an empty variable', aes({ key_env: 'EMPTY' }), [/key_env: names EMPTY, which is not set/]],
  ['a word as key', aes({ key_env: 'WORD' }), [/key_env: names WORD, which must hold 64 hexadecimal digits/]],
  ['one digit', aes({ key_env: 'SAME' }), [/key_env: names SAME, which holds the same digit 64 times/]],
  [
    'an old key that is bad',
    aes({ key_env: 'ONE', old_key_env: 'WORD' }),
    [/old_key_env: names WORD, which must hold/],
  ],
  ['the same variable twice', aes({ key_env: 'ONE', old_key_env: 'ONE' }), [/old_key_env: names the same variable/]],
  ['the same key twice', aes({ key_env: 'ONE', old_key_env: 'ONE_AGAIN' }), [/old_key_env: holds the same key/]],
  ['variable and file', aes({ key_env: 'BOTH' }), [/names BOTH, but BOTH_FILE is set as well/]],
  ['a file that is not there', aes({ key_env: 'LOST' }), [/names LOST, whose file cannot be read/]],
  ['an empty file', aes({ key_env: 'HOLLOW' }), [/names HOLLOW, whose file is empty/]],
  ['everything wrong at once', aes({ key_env: 'WORD', old_key_env: 'NONE' }), [/\.key_env: /, /old_key_env: /]],
  ['Vault with a token', vault({}), []],
  ['Vault alone', { driver: 'vault_transit_encrypt' }, [/address: is/, /key_name: is/, /token_env: is required when/]],
  ['Vault without its token', vault({ token_env: 'NONE' }), [/token_env: names NONE, which is not set/]],
  ['AppRole', vault({ auth_method: 'approle', approle: { role_id_env: 'TOKEN', secret_id_env: 'TOKEN' } }), []],
  [
    'AppRole without ids',
    vault({ auth_method: 'approle' }),
    [/role_id_env: is required/, /secret_id_env: is required/],
  ],
  ['Vault now, a master key before', { ...aes({ key_env: 'ONE' }), ...vault({}) }, []],
  ['Vault now, a bad key before', { ...aes({ key_env: 'WORD' }), ...vault({}) }, [/names WORD, which must hold/]],
  [
    'a master key now, half a Vault',
    { ...vault({ key_name: undefined }), ...aes({ key_env: 'ONE' }) },
    [/key_name: is/],
  ],
  ['Vault in the clear on localhost', vault({ address: 'http://vault:8200' }), []],
  [
    'Vault in the clear',
    vault({ address: 'http://vault:8200' }),
    [/address: must use https/],
    'https://as.example.com',
  ],
  ['an agent beside us', vault({ address: 'http://127.0.0.1:8200' }), [], 'https://as.example.com'],
];

const values = {
  ...env,
  WORD: canary,
  SAME: 'a'.repeat(64),
  BOTH: one,
  BOTH_FILE: file(two),
  LOST_FILE: canary,
  HOLLOW_FILE: file(''),
};
for (const [what, data_encryption, problems, issuer = 'http://localhost:9000'] of cases)
  test(`data encryption with ${what}: ${problems.length} problems`, () => {
    const found = brokenEncryptionRules(ConfigSchema.parse({ data_encryption, server: { issuer } }), values).map(
      ({ key, message }) => `${key.replace('data_encryption.', '')}: ${message}`,
    );
    assert.equal(found.length, problems.length, found.join('\n'));
    for (const [index, problem] of problems.entries()) assert.match(found[index] ?? '', problem);
    assert.ok(![canary, one, two].some((secret) => found.join().includes(secret)), found.join());
  });
