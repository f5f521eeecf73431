/** Processes that start while Vault is away: the first one needs it to make keys, later ones only to sign. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soon } from '../support/auth-server.ts';
import { createDatabase } from '../support/database.ts';
import { newKeyName, vaultSettings } from '../support/key-homes.ts';
import { launchServer } from '../support/started-server.ts';
import { openFaultyVault } from '../support/vault-server.ts';

const vault = await openFaultyVault();
const { faults } = vault;

test('the first keys wait for Vault; a process with a ring starts without it, and verifies [threat M10]', async (t) => {
  const { dsn, drop } = await createDatabase();
  t.after(drop);
  const env = { ...vaultSettings(vault, newKeyName()), STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: dsn };
  faults.seal();
  const first = await launchServer({ by: 'service', role: 'token', env });
  await first.process.printed('waiting for the home of the signing keys');
  assert.ok(!first.process.stdout().includes(vault.rootToken));
  const alive = () =>
    fetch(`${first.issuer}/livez`).then(
      ({ status }) => status === 200,
      () => false,
    );
  await soon('it is alive', alive, 10_000);
  faults.unseal();
  await first.ready();
  const jwks = async (issuer: string) => (await fetch(`${issuer}/.well-known/jwks.json`)).json();
  const published = (await jwks(first.issuer)) as { keys: unknown[] };
  assert.equal(published.keys.length, 2);

  faults.seal();
  const second = await launchServer({ by: 'service', role: 'token', env });
  await second.ready();
  assert.deepEqual(await jwks(second.issuer), published);
  faults.unseal();
  for (const server of [first, second]) {
    server.process.signal('SIGTERM');
    assert.deepEqual(await server.process.ended(), { code: 0, signal: null });
  }
});

test('a token that Vault does not know ends the first start with a message that does not repeat it', async (t) => {
  const { dsn, drop } = await createDatabase();
  t.after(drop);
  const token = 'hvs.canary-of-this-test';
  const server = await launchServer({
    by: 'service',
    role: 'token',
    env: {
      ...{ ...vaultSettings(vault, newKeyName()), VAULT_TOKEN: token },
      ...{ STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: dsn },
    },
  });
  assert.deepEqual(await server.process.ended(), { code: 1, signal: null });
  assert.match(server.process.stderr(), /Vault: .*403/);
  assert.ok(!`${server.process.stderr()}${server.process.stdout()}`.includes('canary'));
});
