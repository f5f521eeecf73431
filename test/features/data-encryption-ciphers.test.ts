import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  aesMasterCipher,
  anyBackendCipher,
  CipherUnavailableError,
  type DataCipher,
  DecryptionError,
  type MasterKey,
  readMasterKey,
  type Sealed,
  vaultTransitCipher,
} from '@authserver/encryption';
import { createVaultClient, type VaultOptions } from '@authserver/vault';
import { openVault } from '../support/vault-server.ts';

const vault = await openVault();
const { faults } = vault;

type Hooks = { after(work: () => void): void };
const vaultCipher = (t: Hooks, keyName: string, options: Partial<VaultOptions> = {}): DataCipher => {
  const login = { method: 'token', token: vault.rootToken } as const;
  const client = createVaultClient({ address: vault.address, login, timeoutMs: 5_000, ...options });
  t.after(() => client.close());
  return vaultTransitCipher({ vault: client, mount: 'transit', keyName });
};
const newMasterKey = (): MasterKey => readMasterKey(randomBytes(32).toString('hex')) ?? assert.fail();

/** One home of a key through its life: `rotated` opens what `cipher` encrypted, `retired` does not any more. */
type Home = { cipher: DataCipher; rotate(): Promise<DataCipher>; retire(): Promise<DataCipher> };
const homes: Record<string, (t: Hooks) => Promise<Home>> = {
  async aes_master() {
    const [previous, current] = [newMasterKey(), newMasterKey()];
    return {
      cipher: aesMasterCipher({ current: previous }),
      rotate: async () => aesMasterCipher({ current, previous }),
      retire: async () => aesMasterCipher({ current }),
    };
  },
  async vault_transit_encrypt(t) {
    const key = await vault.newKey();
    return {
      cipher: vaultCipher(t, key),
      async rotate() {
        await vault.root('POST', `transit/keys/${key}/rotate`, {});
        return vaultCipher(t, key);
      },
      async retire() {
        await vault.root('POST', `transit/keys/${key}/config`, { min_decryption_version: 2 });
        return vaultCipher(t, key);
      },
    };
  },
};

const owner = 'provider:0190f6f2-0000-7000-8000-000000000001';
const secret = Buffer.from('sk-live-canary-7f3a');

for (const [backend, open] of Object.entries(homes)) {
  test(`${backend}: what was encrypted is opened, byte for byte`, async (t) => {
    const { cipher } = await open(t);
    assert.equal(cipher.backend, backend);
    for (const plaintext of [Buffer.alloc(0), Buffer.of(0), Buffer.from('ünïcödé'), randomBytes(64 * 1024)]) {
      const sealed = await cipher.encrypt(owner, plaintext);
      assert.equal(sealed.backend, backend);
      assert.deepEqual(await cipher.decrypt(owner, sealed), plaintext);
    }
  });

  test(`${backend}: two encryptions of a value differ, and show nothing of it`, async (t) => {
    const { cipher } = await open(t);
    const [one, two] = await Promise.all([cipher.encrypt(owner, secret), cipher.encrypt(owner, secret)]);
    assert.notDeepEqual(one.blob, two.blob);
    for (const hidden of [secret, Buffer.from(secret.toString('base64').slice(0, 16))])
      assert.ok(!one.blob.includes(hidden));
  });

  test(`${backend}: a value that was copied to another row is not opened`, async (t) => {
    const { cipher } = await open(t);
    const sealed = await cipher.encrypt(owner, secret);
    for (const other of [`${owner}1`, owner.slice(0, -1), owner.replace('provider', 'signing-key'), ''])
      await refused(cipher.decrypt(other, sealed));
    assert.deepEqual(await cipher.decrypt(owner, sealed), secret);
  });

  test(`${backend}: a value that was changed anywhere is not opened`, async (t) => {
    const { cipher } = await open(t);
    const { blob } = await cipher.encrypt(owner, secret);
    for (let at = 0; at < blob.length; at += 1) {
      const changed = Buffer.from(blob);
      changed[at] = (changed[at] as number) ^ 1;
      // In base64 a bit may be padding: then nothing was changed.
      const opened = await cipher.decrypt(owner, { backend: cipher.backend, blob: changed }).catch(expectRefusal);
      if (opened) assert.deepEqual(opened, secret);
      else assert.equal(opened, undefined);
    }
    for (const length of [0, 1, 8, 20, blob.length - 4])
      await refused(cipher.decrypt(owner, { backend: cipher.backend, blob: blob.subarray(0, length) }));
  });

  test(`${backend}: after a rotation old values are opened but not current, and at last not opened`, async (t) => {
    const home = await open(t);
    const before = await home.cipher.encrypt(owner, secret);
    assert.equal(await home.cipher.isCurrent(before), true);

    const rotated = await home.rotate();
    assert.deepEqual(await rotated.decrypt(owner, before), secret);
    assert.equal(await rotated.isCurrent(before), false);
    const after = await rotated.encrypt(owner, secret);
    assert.equal(await rotated.isCurrent(after), true);

    const retired = await home.retire();
    assert.deepEqual(await retired.decrypt(owner, after), secret);
    await refused(retired.decrypt(owner, before));
  });

  test(`${backend}: whether a value is current shows in its first bytes`, async (t) => {
    const { cipher } = await open(t);
    const { blob } = await cipher.encrypt(owner, secret);
    const start = backend === 'aes_master' ? 9 : blob.indexOf(':', 'vault:'.length) + 1;
    assert.equal(await cipher.isCurrent({ backend: cipher.backend, blob: blob.subarray(0, start) }), true);
    for (const junk of [Buffer.alloc(0), Buffer.from('junk'), randomBytes(60)])
      assert.equal(await cipher.isCurrent({ backend: cipher.backend, blob: junk }), false);
  });
}

for (const [from, to] of [
  ['aes_master', 'vault_transit_encrypt'],
  ['vault_transit_encrypt', 'aes_master'],
] as const)
  test(`from ${from} to ${to}: what the old one encrypted is opened, and is not current`, async (t) => {
    const [old, current] = await Promise.all([homes[from]?.(t), homes[to]?.(t)]);
    assert.ok(old && current);
    const before = await old.cipher.encrypt(owner, secret);
    const both = anyBackendCipher(current.cipher, [old.cipher]);
    assert.deepEqual(await both.decrypt(owner, before), secret);
    assert.equal(await both.isCurrent(before), false);
    assert.equal((await both.encrypt(owner, secret)).backend, to);
    await refused(anyBackendCipher(current.cipher, []).decrypt(owner, before));
    await refused(current.cipher.decrypt(owner, before));
  });

test('a key that Vault does not have, and a policy that allows too little, are no fault of the value', async (t) => {
  const key = await vault.newKey();
  const sealed = await vaultCipher(t, key).encrypt(owner, secret);
  const missing = vaultCipher(t, 'a-name-without-a-key');
  await unavailable(missing.decrypt(owner, sealed), /encryption key not found/);
  await unavailable(missing.isCurrent(sealed), /no such key/);

  const token = await vault.newToken(`path "transit/encrypt/${key}" { capabilities = ["update"] }`);
  const limited = vaultCipher(t, key, { login: { method: 'token', token } });
  await unavailable(limited.decrypt(owner, sealed), /403 .*permission denied/);
  await unavailable(limited.isCurrent(sealed), /403/);
});

test('a policy that lets nobody make keys does not get one made by a wrong name', async (t) => {
  const token = await vault.newToken(`path "transit/+/no-such-key" { capabilities = ["update", "read"] }`);
  await unavailable(vaultCipher(t, 'no-such-key', { login: { method: 'token', token } }).encrypt(owner, secret), /403/);
});

test('a Vault that is sealed is unavailable, and good again when it is not', { skip: !faults }, async (t) => {
  const cipher = vaultCipher(t, await vault.newKey());
  const sealed = await cipher.encrypt(owner, secret);
  faults?.seal();
  await unavailable(cipher.encrypt(owner, secret), /sealed/);
  await unavailable(cipher.decrypt(owner, sealed), /sealed/).finally(() => faults?.unseal());
  assert.deepEqual(await cipher.decrypt(owner, sealed), secret);
});

test('a rotation in Vault is noticed by a process that runs', async (t) => {
  const key = await vault.newKey();
  const cipher = vaultCipher(t, key);
  const before = await cipher.encrypt(owner, secret);
  assert.equal(await cipher.isCurrent(before), true);
  await vault.root('POST', `transit/keys/${key}/rotate`, {});
  const after = await cipher.encrypt(owner, secret);
  assert.equal(await cipher.isCurrent(after), true);
  for (let tries = 0; (await cipher.isCurrent(before)) && tries < 150; tries += 1) await sleep(100);
  assert.equal(await cipher.isCurrent(before), false);
});

test('a Vault that ignores associated_data is refused, because values could be moved between rows', async (t) => {
  const server = createServer(async (request, response) => {
    const body = JSON.parse((await request.toArray()).join('') || '{}');
    const data = request.url?.includes('/encrypt/')
      ? { ciphertext: `vault:v1:${body.plaintext}` }
      : { plaintext: body.ciphertext?.slice('vault:v1:'.length) };
    response.end(JSON.stringify({ data }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  const cipher = vaultCipher(t, 'data', { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  for (let n = 0; n < 2; n += 1) await unavailable(cipher.encrypt(owner, secret), /ignores associated_data/);
});

const expectRefusal = (error: unknown): undefined => {
  assert.ok(error instanceof DecryptionError, String(error));
  assert.ok(!error.message.includes('canary'), error.message);
  return undefined;
};

const refused = async (work: Promise<Buffer>): Promise<void> => {
  assert.equal(await work.catch(expectRefusal), undefined);
};

const unavailable = (work: Promise<Sealed | Buffer | boolean>, message: RegExp): Promise<void> =>
  assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof CipherUnavailableError, String(error));
    assert.match(error.message, message);
    return true;
  });
