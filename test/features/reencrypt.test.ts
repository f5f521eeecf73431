/** Secrets are encrypted anew after the key changed: beside traffic, in parts, and never over what somebody else wrote. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { aesMasterCipher, type DataCipher, readMasterKey, type Sealed } from '@authserver/encryption';
import { encryptedColumns, uuidv7 } from '@authserver/store';
import { refused, traceOf } from '../support/admin-answers.ts';
import { type AuthServer, startAuthServer } from '../support/auth-server.ts';
import { github, newProvider } from '../support/brokering.ts';
import { masterKey, newMasterKey } from '../support/master-key.ts';
import { openVault } from '../support/vault-server.ts';

const keys = { old: newMasterKey(), current: newMasterKey(), lost: newMasterKey() };
const cipherOf = (key: string) => aesMasterCipher({ current: readMasterKey(key) ?? assert.fail() });
const [old, current, lost] = [cipherOf(keys.old), cipherOf(keys.current), cipherOf(keys.lost)];
const { client_secret_ref: _, ...oauth } = github;

const rotating = () => startAuthServer({ admin: true, ...masterKey(keys.current, keys.old) });

/** Providers with a secret each, encrypted by `cipher`; returns their ids. */
const providersOf = async (server: AuthServer, cipher: DataCipher, count: number): Promise<string[]> => {
  const ids = Array.from({ length: count }, () => uuidv7(new Date()));
  const sealed = await Promise.all(ids.map((id) => cipher.encrypt(`provider:${id}`, Buffer.from(`secret of ${id}`))));
  await server.sql(
    `insert into broker_providers (id, slug, display_name, protocol, config_data, enc_secret_data, enc_secret_backend)
     select id, 'up-' || id, 'Up', 'oauth', $4::jsonb, blob, backend
       from unnest($1::uuid[], $2::bytea[], $3::text[]) as t (id, blob, backend)`,
    [ids, sealed.map(({ blob }) => blob), sealed.map(({ backend }) => backend), JSON.stringify(oauth)],
  );
  return ids;
};

const secretOf = async (server: AuthServer, id: string, cipher: DataCipher): Promise<string> => {
  const [row] = await server.sql<{ blob: Buffer; backend: Sealed['backend'] }>(
    'select enc_secret_data as blob, enc_secret_backend as backend from broker_providers where id = $1',
    [id],
  );
  return String(await cipher.decrypt(`provider:${id}`, row as Sealed));
};

/** One value in every column, encrypted by the old key; returns how each is found again. */
const oneOfEach = async (server: AuthServer): Promise<void> => {
  const provider = await newProvider(server);
  const user = await server.user();
  const seal = async (owner: string) => (await old.encrypt(owner, Buffer.from(owner))).blob;
  const grant = uuidv7(new Date());
  const hash = randomBytes(32);
  await server.sql(
    `insert into signing_keys (kid, alg, state, public_jwk, enc_private, enc_backend)
     values ('k1', 'ES256', 'next', '{}', $1, 'aes_master')`,
    [await seal('signing-key:k1')],
  );
  await server.sql(
    `insert into broker_grants (id, user_id, broker_provider_id, enc_credential, enc_backend) values ($1, $2, $3, $4, 'aes_master')`,
    [grant, user.id, provider.id, await seal(`broker-grant:${grant}`)],
  );
  await server.sql(
    `insert into connect_pending_states (state_hash, user_id, broker_provider_id, enc_verifier, enc_backend, created_at, expires_at)
     values ($1, $2, $3, $4, 'aes_master', now(), now())`,
    [hash, user.id, provider.id, await seal(`connect-state:${hash.toString('hex')}`)],
  );
  await providersOf(server, old, 1);
};

test('after a rotation every value of every column is encrypted with the new key, once', async () => {
  const server = await rotating();
  await oneOfEach(server);
  const ids = await providersOf(server, old, 250);
  await providersOf(server, current, 3);

  const before = await server.admin.crypto.status();
  assert.equal(before.to_reencrypt, 254);
  const rehearsed = await server.admin.crypto.reencrypt({ query: { dry_run: 'true' } });
  assert.deepEqual([rehearsed.reencrypted, rehearsed.left, rehearsed.scanned], [254, 0, 257]);
  assert.deepEqual(await server.admin.crypto.status(), before);

  const { audit } = await traceOf(server, async () => {
    const { unreadable_owners, ...result } = await server.admin.crypto.reencrypt({});
    assert.deepEqual(unreadable_owners, []);
    const none = { changed: 0, unreadable: 0, left: 0 };
    assert.deepEqual(result, { driver: 'aes_master', scanned: 257, reencrypted: 254, ...none });
  });
  assert.deepEqual(
    audit.map(({ action, details }) => [action, details.pending]),
    [['crypto.reencrypted', 254]],
  );
  for (const id of ids) assert.equal(await secretOf(server, id, current), `secret of ${id}`);
  const after = await server.admin.crypto.status();
  assert.equal(after.to_reencrypt, 0);
  assert.ok(
    after.values.length === encryptedColumns.length && after.values.every(({ current, opens }) => current && opens),
  );
  assert.deepEqual((await server.admin.crypto.reencrypt({})).reencrypted, 0);
});

test('whoever asks for lines hears how far it is, and the result as the last', async () => {
  const server = await rotating();
  await providersOf(server, old, 450);
  const [plane] = server.admins;
  const response = await fetch(`${plane?.url}/admin/crypto/reencrypt`, {
    method: 'POST',
    headers: { authorization: `Bearer ${plane?.key}`, accept: 'application/x-ndjson' },
  });
  const lines = (await response.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const done = lines.slice(0, -1).map(({ progress }) => progress.done);
  assert.ok(done.length >= 5, JSON.stringify(lines));
  assert.deepEqual(
    done,
    [...done].sort((a, b) => a - b),
  );
  assert.equal(lines.at(-1).result.reencrypted, 450);
});

test('a value that no key opens is named and left alone, and the rest is done', async () => {
  const server = await rotating();
  const [broken] = await providersOf(server, lost, 1);
  const [good] = await providersOf(server, old, 1);
  const result = await server.admin.crypto.reencrypt({});
  assert.deepEqual([result.reencrypted, result.unreadable, result.left], [1, 1, 1]);
  assert.deepEqual(result.unreadable_owners, [`provider:${broken}`]);
  assert.equal(await secretOf(server, good ?? '', current), `secret of ${good}`);
  assert.equal(await secretOf(server, broken ?? '', lost), `secret of ${broken}`);
  const { values } = await server.admin.crypto.status();
  assert.deepEqual(values.map(({ opens, current }) => [opens, current]).sort(), [
    [false, false],
    [true, true],
  ]);
});

test('what is written meanwhile stays, whoever comes first', async () => {
  const server = await rotating();
  const ids = await providersOf(server, old, 300);
  const run = server.admin.crypto.reencrypt({});
  const written = new Map<string, string>();
  for (const id of ids.filter((_, index) => index % 10 === 9)) {
    written.set(id, `written meanwhile ${id}`);
    const client_secret = written.get(id) as string;
    await server.admin.provider.update({ id, body: { config_data: { ...oauth, client_secret } } });
    // Reads the row, secret and all, and writes it again without meaning the secret.
    const other = ids[ids.indexOf(id) - 1] as string;
    await server.admin.provider.update({ id: other, body: { display_name: 'Renamed' } });
  }
  const result = await run;
  assert.equal(result.left, 0);
  for (const id of ids) assert.equal(await secretOf(server, id, current), written.get(id) ?? `secret of ${id}`);
});

test('a value is replaced only while it is as it was read', async () => {
  const server = await rotating();
  const [id = ''] = await providersOf(server, old, 1);
  const column = encryptedColumns.find(({ table }) => table === 'broker_providers') ?? assert.fail();
  const { encryptedValues } = server.store;
  const [before] = await encryptedValues.page(column, undefined, 10);
  assert.ok(before);
  const after = await current.encrypt(`provider:${id}`, Buffer.from('stale'));
  await server.admin.provider.update({ id, body: { config_data: { ...oauth, client_secret: 'newer' } } });
  assert.equal(await encryptedValues.replace(column, [{ key: id, before, after }]), 0);
  assert.equal(await secretOf(server, id, current), 'newer');
});

test('two runs at once do it once, and both end well', async () => {
  const server = await rotating();
  const ids = await providersOf(server, old, 300);
  const results = await Promise.all([server.admin.crypto.reencrypt({}), server.admin.crypto.reencrypt({})]);
  assert.ok(results.every(({ left, unreadable }) => left === 0 && unreadable === 0));
  assert.equal(
    results.reduce((sum, { reencrypted }) => sum + reencrypted, 0),
    300,
  );
  for (const id of ids) assert.equal(await secretOf(server, id, current), `secret of ${id}`);
});

test('without a key there is nothing to encrypt with, and what is there is shown all the same', async () => {
  const server = await startAuthServer({ admin: true });
  await providersOf(server, old, 2);
  const answer = await server.adminRequest('POST', '/admin/crypto/reencrypt');
  assert.match(refused(answer, 'conflict'), /data_encryption\.driver/);
  const { driver, values, to_reencrypt } = await server.admin.crypto.status();
  assert.deepEqual([driver, to_reencrypt], ['', 2]);
  assert.deepEqual(
    values.map(({ opens, current, count }) => [opens, current, count]),
    [[false, false, 2]],
  );
});

test('from a master key to Vault and back: what Vault does not do now it does later', async (t) => {
  const vault = await openVault();
  const key = await vault.newKey();
  const toVault = {
    DATA_ENCRYPTION_DRIVER: 'vault_transit_encrypt',
    DATA_ENCRYPTION_VAULT_ADDRESS: vault.address,
    DATA_ENCRYPTION_VAULT_KEY_NAME: key,
    DATA_ENCRYPTION_VAULT_TOKEN_ENV: 'VAULT_TOKEN_OF_OURS',
    DATA_ENCRYPTION_KEY_ENV: 'MASTER_KEY',
  };
  const secrets = { MASTER_KEY: keys.old, VAULT_TOKEN_OF_OURS: vault.rootToken };
  const server = await startAuthServer({ admin: true, env: toVault, secrets });
  await providersOf(server, old, 30);

  await t.test('while Vault is sealed', { skip: !vault.faults }, async () => {
    vault.faults?.seal();
    try {
      const answer = await server.adminRequest('POST', '/admin/crypto/reencrypt');
      assert.deepEqual([answer.status, answer.body.code], [503, 'unavailable']);
      const { subsystems } = await server.admin.system.status();
      assert.equal(subsystems.find(({ name }) => name === 'encryption')?.status, 'unhealthy');
    } finally {
      vault.faults?.unseal();
    }
  });
  const result = await untilAnswered(() => server.adminRequest('POST', '/admin/crypto/reencrypt'));
  assert.deepEqual([result.reencrypted, result.left, result.driver], [30, 0, 'vault_transit_encrypt']);
  const { values } = await server.admin.crypto.status();
  assert.deepEqual(
    values.map(({ backend, key, count }) => [backend, key, count]),
    [['vault_transit_encrypt', 'v1', 30]],
  );
  const { subsystems } = await server.admin.system.status();
  const { status, driver } = subsystems.find(({ name }) => name === 'encryption') ?? {};
  assert.deepEqual([status, driver], ['healthy', 'vault_transit_encrypt']);
});

/** The breaker may keep us away for some seconds. */
const untilAnswered = async (ask: () => Promise<{ status: number; body: Record<string, unknown> }>) => {
  for (let tries = 0; ; tries += 1) {
    const { status, body } = await ask();
    if (status === 200 || tries === 50) return body;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
};
