import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createVaultClient, type VaultError, type VaultFailure, type VaultOptions, vaultPath } from '@authserver/vault';
import { certificate, privateKey } from '../support/metadata-host.ts';
import { openVault } from '../support/vault-server.ts';

const vault = await openVault();
const { faults } = vault;
const key = await vault.newKey();
const mayEncrypt = `path "transit/encrypt/${key}" { capabilities = ["update"] }`;
const plaintext = Buffer.from('something').toString('base64');

const connect = (
  t: { after(work: () => void): void },
  options: Partial<VaultOptions> & Pick<VaultOptions, 'login'>,
) => {
  const client = createVaultClient({ address: vault.address, timeoutMs: 5_000, ...options });
  t.after(() => client.close());
  return {
    ...client,
    encrypt: (name = key) => client.call('POST', vaultPath('transit', 'encrypt', name), { plaintext }),
  };
};

const fails = (work: Promise<unknown>, failure: VaultFailure, message: RegExp) =>
  assert.rejects(work, (error: VaultError) => {
    assert.equal(error.name, 'VaultError');
    assert.equal(error.failure, failure, error.message);
    assert.match(error.message, message);
    return true;
  });

const asked = (what: string): number => faults?.requests.filter((request) => request === what).length ?? 0;

test('a token calls what its policy allows, and is told what it does not', async (t) => {
  const token = await vault.newToken(mayEncrypt);
  const client = connect(t, { login: { method: 'token', token } });
  assert.match(String((await client.encrypt())?.ciphertext), /^vault:v1:/);
  await fails(
    client.call('GET', `transit/keys/${key}`),
    'denied',
    /^Vault: transit\/keys\/.*: 403 .*permission denied/,
  );
});

test('a token that may not look at itself is used all the same', async (t) => {
  const token = await vault.newToken(mayEncrypt, { no_default_policy: true });
  assert.ok(await connect(t, { login: { method: 'token', token } }).encrypt());
});

test('a key that does not exist is nothing, a mount that does not exist is a refusal', async (t) => {
  const client = connect(t, { login: { method: 'token', token: vault.rootToken } });
  assert.equal(await client.call('GET', 'transit/keys/none-of-this-name'), undefined);
  await fails(client.call('GET', 'not-mounted/keys/x'), 'refused', /no handler for route/);
});

test('a wrong token is denied, and no message holds it', async (t) => {
  const token = 'hvs.canary-7f3a-canary-7f3a';
  const client = connect(t, { login: { method: 'token', token } });
  await assert.rejects(client.encrypt(), (error: VaultError) => {
    assert.equal(error.failure, 'denied');
    assert.ok(!`${error.stack} ${JSON.stringify(error)} ${error.cause}`.includes('canary'));
    return true;
  });
});

test('an AppRole logs in once for all who come at the same moment', async (t) => {
  const role = await vault.newAppRole(mayEncrypt);
  const client = connect(t, { login: { method: 'approle', mount: 'approle', ...role } });
  const before = asked('POST auth/approle/login');
  await Promise.all(Array.from({ length: 20 }, () => client.encrypt()));
  if (faults) assert.equal(asked('POST auth/approle/login') - before, 1);
});

test('a wrong or used up secret id is denied, and the next call tries again', async (t) => {
  const { roleId, secretId } = await vault.newAppRole(mayEncrypt, { secret_id_num_uses: 1 });
  const first = connect(t, { login: { method: 'approle', mount: 'approle', roleId, secretId } });
  assert.ok(await first.encrypt());
  const second = connect(t, { login: { method: 'approle', mount: 'approle', roleId, secretId } });
  for (let n = 0; n < 2; n += 1) await fails(second.encrypt(), 'denied', /auth\/approle\/login: 400 invalid/);
  assert.ok(await first.encrypt());
});

test('a lease is renewed before it ends, without another login', async (t) => {
  const role = await vault.newAppRole(mayEncrypt, { token_ttl: '2s' });
  const client = connect(t, { login: { method: 'approle', mount: 'approle', ...role } });
  const logins = asked('POST auth/approle/login');
  for (let n = 0; n < 5; n += 1) {
    assert.ok(await client.encrypt());
    await sleep(900);
  }
  if (!faults) return;
  assert.equal(asked('POST auth/approle/login') - logins, 1);
  assert.ok(asked('POST auth/token/renew-self') >= 2);
});

test('a lease that cannot be renewed further is followed by a new login', async (t) => {
  const role = await vault.newAppRole(mayEncrypt, { token_ttl: '2s', token_max_ttl: '3s' });
  const client = connect(t, { login: { method: 'approle', mount: 'approle', ...role } });
  const logins = asked('POST auth/approle/login');
  for (let n = 0; n < 6; n += 1) {
    assert.ok(await client.encrypt());
    await sleep(800);
  }
  if (faults) assert.ok(asked('POST auth/approle/login') - logins >= 2);
});

test('a configured token that cannot be renewed further is used to its end, and somebody is told', async (t) => {
  const token = await vault.newToken(mayEncrypt, { ttl: '2s', explicit_max_ttl: '3s' });
  const told: string[] = [];
  const client = connect(t, {
    login: { method: 'token', token },
    onRenewalFailure: (error) => told.push(error.message),
  });
  for (let n = 0; n < 2; n += 1) {
    assert.ok(await client.encrypt());
    await sleep(1_000);
  }
  await sleep(1_800);
  await fails(client.encrypt(), 'denied', /403/);
  assert.match(told.join(), /nears its end/);
});

test('what a policy does not allow is no reason to log in again', async (t) => {
  const role = await vault.newAppRole(mayEncrypt);
  const client = connect(t, { login: { method: 'approle', mount: 'approle', ...role } });
  const logins = asked('POST auth/approle/login');
  for (let n = 0; n < 10; n += 1)
    await fails(client.call('POST', `transit/sign/${key}`, { input: '' }), 'denied', /403/);
  if (faults) assert.equal(asked('POST auth/approle/login') - logins, 1);
});

// What follows needs faults that a real Vault does not have.
const withFaults = { skip: faults === undefined && 'this is a real Vault' };

test('a token that was revoked is replaced, and the call is made again', withFaults, async (t) => {
  const role = await vault.newAppRole(mayEncrypt);
  const client = connect(t, { login: { method: 'approle', mount: 'approle', ...role } });
  assert.ok(await client.encrypt());
  await sleep(5_100); // a younger one counts as denied by a policy
  faults?.revokeTokens();
  const logins = asked('POST auth/approle/login');
  assert.ok((await Promise.all(Array.from({ length: 10 }, () => client.encrypt()))).every(Boolean));
  assert.equal(asked('POST auth/approle/login') - logins, 1);
});

const broken: [what: string, set: () => void, unset: () => void, message: RegExp][] = [
  ['sealed', () => faults?.seal(), () => faults?.unseal(), /503 Vault is sealed/],
  ['slow', () => faults?.delay(600), () => faults?.delay(0), /no answer in time/],
  ['hanging up', () => faults?.hangUp(true), () => faults?.hangUp(false), /not reached/],
];
for (const [what, set, unset, message] of broken)
  test(
    `a Vault that is ${what} is unavailable, soon without being asked, and again when it is back`,
    withFaults,
    async (t) => {
      const client = connect(t, { login: { method: 'token', token: vault.rootToken }, timeoutMs: 300 });
      assert.ok(await client.encrypt());
      set();
      try {
        for (let n = 0; n < 5; n += 1) await fails(client.encrypt(), 'unavailable', message);
        const before = faults?.requests.length;
        for (let n = 0; n < 100; n += 1) await fails(client.encrypt(), 'unavailable', /not asked/);
        assert.equal(faults?.requests.length, before);
      } finally {
        unset();
      }
      await sleep(300);
      assert.ok(await client.encrypt());
    },
  );

test('a Vault that is down at first is logged in to when it comes', withFaults, async (t) => {
  const role = await vault.newAppRole(mayEncrypt);
  await faults?.stop();
  const client = connect(t, { login: { method: 'approle', mount: 'approle', ...role } });
  await fails(client.encrypt(), 'unavailable', /not reached \(ECONNREFUSED\)/).finally(() => faults?.start());
  assert.ok(await client.encrypt());
});

test('a connection that Vault closed meanwhile costs nobody a call', withFaults, async (t) => {
  const client = connect(t, { login: { method: 'token', token: vault.rootToken } });
  assert.ok(await client.encrypt());
  await faults?.stop();
  await faults?.start();
  assert.ok(await client.encrypt());
});

test('what Vault repeats of a value does not reach a message', withFaults, async (t) => {
  const client = connect(t, { login: { method: 'token', token: vault.rootToken } });
  assert.ok(await client.encrypt());
  faults?.failNext(1, 400, `could not read ${plaintext} of ${vault.rootToken}`);
  await fails(client.encrypt(), 'refused', /400 could not read … of …$/);
});

test('what is sent: below the path of the address, with namespace and token, and to nobody that Vault names', async (t) => {
  const heard: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const { 'x-vault-namespace': namespace, 'x-vault-token': token, 'x-vault-request': marked } = request.headers;
    heard.push(`${request.method} ${request.url} ${namespace} ${token} ${marked}`);
    if (request.url?.endsWith('/elsewhere'))
      response.writeHead(307, { location: `${vault.address}/v1/sys/health` }).end();
    else response.end('{"data":{"some":"thing"}}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/behind/`;
  const client = connect(t, { address, login: { method: 'token', token: 'hvs.x' }, namespace: 'team' });
  assert.deepEqual(await client.encrypt(), { some: 'thing' });
  assert.deepEqual(heard, [
    'GET /behind/v1/auth/token/lookup-self team hvs.x true',
    `POST /behind/v1/transit/encrypt/${key} team hvs.x true`,
  ]);
  await fails(client.call('GET', 'elsewhere'), 'unavailable', /307/);
});

test('over TLS only an authority that is trusted, or the one that is given, vouches for Vault', async (t) => {
  const server = createHttpsServer({ cert: certificate, key: privateKey }, (_request, response) => {
    response.end('{"data":{"some":"thing"}}');
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const login = { method: 'token', token: 'hvs.x' } as const;
  const address = `https://localhost:${port}`;
  await fails(connect(t, { address, login }).encrypt(), 'unavailable', /not reached \(DEPTH_ZERO_SELF_SIGNED_CERT\)/);
  assert.deepEqual(await connect(t, { address, login, ca: certificate }).encrypt(), { some: 'thing' });
  const other = `https://127.0.0.1:${port}`; // not a name of it
  await fails(connect(t, { address: other, login, ca: certificate }).encrypt(), 'unavailable', /ERR_TLS_CERT_ALTNAME/);
});
