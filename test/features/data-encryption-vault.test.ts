/** A server whose secrets Vault encrypts: with the policy of docs/data-encryption.md, and while Vault is away. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { nothing, traceOf } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { github } from '../support/brokering.ts';
import { openVault } from '../support/vault-server.ts';

const vault = await openVault();
const { faults } = vault;
const { client_secret_ref: _, ...oauth } = github;

/** What the documentation says to allow, for another key. */
const page = readFileSync(new URL('../../docs/data-encryption.md', import.meta.url), 'utf8');
const policyFor = (key: string) =>
  (/```hcl\n([^`]*)```/.exec(page)?.[1] ?? assert.fail()).replaceAll('authserver-data', key);

const withAppRole = (key: string, role: { roleId: string; secretId: string }) => ({
  env: {
    DATA_ENCRYPTION_DRIVER: 'vault_transit_encrypt',
    DATA_ENCRYPTION_VAULT_ADDRESS: vault.address,
    DATA_ENCRYPTION_VAULT_KEY_NAME: key,
    DATA_ENCRYPTION_VAULT_TIMEOUT: '2s',
    DATA_ENCRYPTION_VAULT_AUTH_METHOD: 'approle',
    DATA_ENCRYPTION_VAULT_ROLE_ID_ENV: 'VAULT_ROLE_ID',
    DATA_ENCRYPTION_VAULT_SECRET_ID_ENV: 'VAULT_SECRET_ID',
  },
  secrets: { VAULT_ROLE_ID: role.roleId, VAULT_SECRET_ID: role.secretId },
});
const body = (client_secret: string) => ({
  slug: `up-${crypto.randomUUID().slice(0, 8)}`,
  ...{ display_name: 'Up', protocol: 'oauth', config_data: { ...oauth, client_secret } },
});

test('the documented policy is enough to keep secrets, to rotate in Vault and to encrypt anew', async () => {
  const key = await vault.newKey();
  const role = await vault.newAppRole(policyFor(key));
  const server = await startAuthServer({ admin: true, ...withAppRole(key, role) });
  const create = async () =>
    assert.equal((await server.adminRequest('POST', '/admin/broker-providers', body('a'))).status, 201);
  const stored = async () => {
    const rows = await server.sql<{ blob: Buffer }>('select enc_secret_data as blob from broker_providers order by id');
    return rows.map(({ blob }) => /^vault:v\d+:/.exec(blob.toString())?.[0]);
  };
  await create();
  assert.deepEqual(await stored(), ['vault:v1:']);

  await vault.root('POST', `transit/keys/${key}/rotate`, {});
  await create();
  assert.deepEqual(await stored(), ['vault:v1:', 'vault:v2:']);
  const result = await server.admin.crypto.reencrypt({});
  assert.deepEqual([result.reencrypted, result.left], [1, 0]);
  assert.deepEqual(await stored(), ['vault:v2:', 'vault:v2:']);

  await vault.root('POST', `transit/keys/${key}/config`, { min_decryption_version: 2 });
  const { values } = await server.admin.crypto.status();
  assert.deepEqual(
    values.map(({ column, key, opens }) => [column, key, opens]),
    [['broker_providers.enc_secret_data', 'v2', true]],
  );
});

test('a server starts while Vault is away, refuses what needs it with 503 and nothing written, and recovers [threat M10]', {
  skip: !faults,
}, async () => {
  const key = await vault.newKey();
  const role = await vault.newAppRole(policyFor(key));
  await faults?.stop();
  const server = await startAuthServer({ admin: true, ...withAppRole(key, role) });
  const ask = () => server.adminRequest('POST', '/admin/broker-providers', body('canary-9e21'));
  const trace = await traceOf(server, async () => {
    for (let tries = 0; tries < 7; tries += 1) {
      const answer = await ask();
      assert.deepEqual([answer.status, answer.body.code], [503, 'unavailable']);
      assert.ok(answer.headers.get('retry-after'));
      assert.ok(!JSON.stringify(answer.body).includes('canary'));
    }
  });
  assert.deepEqual(trace, nothing);
  const { subsystems } = await server.admin.system.status();
  assert.equal(subsystems.find(({ name }) => name === 'encryption')?.status, 'unhealthy');
  const { config_data, ...plain } = body('');
  const without = { ...plain, config_data: github };
  assert.equal((await server.adminRequest('POST', '/admin/broker-providers', without)).status, 201, 'the rest goes on');

  await faults?.start();
  let status = 503;
  for (const deadline = Date.now() + 10_000; status === 503 && Date.now() < deadline; ) {
    status = (await ask()).status;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(status, 201);
});
