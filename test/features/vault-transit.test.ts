/** `signing.key_store: vault_transit`: what is asked of Vault, what may happen to its keys, and what it may be away for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyring, KeyStoreError, SigningUnavailable } from '@authserver/keys';
import { repositories } from '@authserver/store';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { database, deleteTransitKey, later, newKeyName, openHome, start, vaultSettings } from '../support/key-homes.ts';
import { openFaultyVault, openVault } from '../support/vault-server.ts';

const vault = await openVault();

const startHome = async (keyName = newKeyName(), more: Record<string, string> = {}) => ({
  keyName,
  ...(await openHome({ ...vaultSettings(vault, keyName), ...more })),
});
const told = async () =>
  (await repositories(database).signingKeys.list()).map(
    ({ kid, state, sealed }) => `${state} ${kid} ${sealed === undefined}`,
  );
const unavailable = (failure: string) => (error: unknown) => {
  assert.ok(error instanceof SigningUnavailable, String(error));
  assert.equal(error.failure, failure, error.message);
  assert.ok(!error.message.includes(vault.rootToken));
  return true;
};

test('the ring is ours, the keys are versions in Vault, and nothing but public parts is in the database', async () => {
  const { keyName, open } = await startHome();
  const store = await open();
  await store.load();
  assert.deepEqual((await told()).sort(), [`current ${keyName}-v1 true`, `next ${keyName}-v2 true`]);
  await vault.root('POST', `transit/keys/${keyName}/rotate`, {}); // an operator, or auto_rotate_period
  const { kid } = await store.rotate({ now: later(300), algorithm: 'ES256' });
  assert.equal(kid, `${keyName}-v2`, 'a version that was not published does not sign');
  assert.deepEqual((await told()).sort(), [
    `current ${keyName}-v2 true`,
    `next ${keyName}-v4 true`,
    `retiring ${keyName}-v1 true`,
  ]);
  const text = JSON.stringify((await store.load()).records);
  for (const { publicJwk } of (await store.load()).records)
    assert.deepEqual(Object.keys(publicJwk).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'], text);
});

test('each algorithm has a Transit key of its own, and tokens of all verify', async () => {
  const { keyName, open, clock } = await startHome();
  const store = await open();
  const ring = createKeyring({ store, clock });
  await ring.reload();
  const tokens = [await ring.signJwt('{}')];
  const names: string[] = [];
  for (const algorithm of ['RS256', 'EdDSA', 'ES256', 'RS256'] as const) {
    const { kid, alg } = await store.rotate({ now: start, algorithm, force: true });
    assert.equal(alg, algorithm);
    names.push(kid);
    await ring.reload();
    tokens.push(await ring.signJwt('{}'));
  }
  assert.deepEqual(names, [`${keyName}-rs256-v1`, `${keyName}-eddsa-v1`, `${keyName}-v3`, `${keyName}-rs256-v3`]);
  const jwks = createLocalJWKSet(ring.jwks(start) as JSONWebKeySet);
  for (const token of tokens) await jwtVerify(token, jwks);
});

test('a Transit key that is there already is taken over: its newest version signs, older ones still verify', async () => {
  const { keyName, open } = await startHome();
  await vault.root('POST', `transit/keys/${keyName}`, { type: 'ecdsa-p256' });
  for (const _ of [2, 3, 4]) await vault.root('POST', `transit/keys/${keyName}/rotate`, {});
  await vault.root('POST', `transit/keys/${keyName}/config`, { min_decryption_version: 2 });
  const { records, signer } = await (await open()).load();
  assert.deepEqual(records.map(({ kid, state }) => `${state} ${kid}`).sort(), [
    `current ${keyName}-v4`,
    `next ${keyName}-v5`,
    `retiring ${keyName}-v2`,
    `retiring ${keyName}-v3`,
  ]);
  assert.equal(signer.kid, `${keyName}-v4`);
});

test('a key of another kind under our name is left alone, and one under the name for the algorithm is refused', async () => {
  const { keyName, open } = await startHome();
  await vault.root('POST', `transit/keys/${keyName}`, { type: 'aes256-gcm96' });
  assert.equal((await (await open()).load()).signer.kid, `${keyName}-es256-v1`);
  const other = await startHome();
  await vault.root('POST', `transit/keys/${other.keyName}`, { type: 'rsa-2048' });
  await vault.root('POST', `transit/keys/${other.keyName}-es256`, { type: 'ed25519' });
  await assert.rejects((await other.open()).load(), (error) => {
    assert.ok(error instanceof KeyStoreError);
    assert.match(error.message, /-es256 in Vault is ed25519; for ES256 it must be ecdsa-p256/);
    return true;
  });
  assert.deepEqual(await told(), []);
});

test('a Transit key that was made anew under its name signs nothing and is not promoted', async () => {
  const { keyName, open } = await startHome();
  const store = await open();
  const { signer, records } = await store.load();
  await signer.sign('before');
  await deleteTransitKey(vault, keyName);
  await assert.rejects(Promise.resolve(signer.sign('x')), unavailable('refused'));
  await vault.root('POST', `transit/keys/${keyName}`, { type: 'ecdsa-p256' });
  await vault.root('POST', `transit/keys/${keyName}/rotate`, {});
  await assert.rejects(Promise.resolve(signer.sign('x')), unavailable('refused'));
  await assert.rejects(store.rotate({ now: later(300), algorithm: 'ES256' }), /is another than the one published/);
  assert.deepEqual((await store.load()).records, records);
  const { kid } = await store.rotate({ now: later(300), algorithm: 'ES256', force: true });
  assert.equal(kid, `${keyName}-v3`, 'a kid that was published never means another key');
  await (await store.load()).signer.sign('after');
});

test('an AppRole that may sign is all a token process needs; rotating needs more [threat K06]', async () => {
  const keyName = newKeyName();
  const paths = (operation: string) => [keyName, `${keyName}-*`].map((name) => `transit/${operation}/${name}`);
  const rule = (path: string, ...capabilities: string[]) =>
    `path "${path}" { capabilities = [${capabilities.map((name) => `"${name}"`).join(', ')}] }`;
  const mayManage = [
    ...paths('keys').map((path) => rule(path, 'read', 'create', 'update')),
    rule(`transit/keys/${keyName}/rotate`, 'update'),
    ...paths('sign').map((path) => rule(path, 'update')),
  ];
  const home = await startHome(keyName);
  const login = async (policy: string[]) => {
    const { roleId, secretId } = await vault.newAppRole(policy.join('\n'));
    return { VAULT_TOKEN: '', VAULT_APPROLE_ROLE_ID: roleId, VAULT_APPROLE_SECRET_ID: secretId };
  };
  const admin = await home.open({ settings: await login(mayManage) });
  await admin.load();
  const token = await home.open({ settings: await login(paths('sign').map((path) => rule(path, 'update'))) });
  await (await token.load()).signer.sign('something');
  await assert.rejects(token.rotate({ now: later(300), algorithm: 'ES256' }), unavailable('denied'));
  assert.equal((await admin.rotate({ now: later(300), algorithm: 'ES256' })).kid, `${keyName}-v2`);
  await (await token.load()).signer.sign('something');
  const stranger = await home.open({ settings: await login([rule('transit/sign/other', 'update')]) });
  await assert.rejects(Promise.resolve((await stranger.load()).signer.sign('x')), unavailable('denied'));
});

test('keys move from the database to Vault and back over rotations, and no token is lost', async () => {
  const { keyName, open, clock } = await startHome();
  const inDatabase = {
    SIGNING_KEY_STORE: 'postgres_key',
    DATA_ENCRYPTION_DRIVER: 'aes_master',
    DATA_ENCRYPTION_KEY_ENV: 'MASTER_KEY',
  };
  const inVault = { ...inDatabase, SIGNING_KEY_STORE: 'vault_transit' };
  const tokens: string[] = [];
  const signed: string[] = [];
  let seconds = 0;
  for (const settings of [inDatabase, inVault, inVault, inDatabase, inDatabase]) {
    const store = await open({ settings });
    const ring = createKeyring({ store, clock });
    await ring.reload();
    seconds += 300;
    clock.at = later(seconds);
    const cached = createLocalJWKSet(ring.jwks(clock.at) as JSONWebKeySet);
    const { kid } = await store.rotate({ now: clock.at, algorithm: 'ES256' });
    await ring.reload();
    const token = await ring.signJwt('{}');
    await jwtVerify(token, cached);
    tokens.push(token);
    signed.push(kid.startsWith(keyName) ? 'Vault' : 'database');
    const jwks = createLocalJWKSet(ring.jwks(clock.at) as JSONWebKeySet);
    for (const token of tokens) await jwtVerify(token, jwks);
  }
  assert.deepEqual(signed, ['database', 'database', 'Vault', 'Vault', 'database']);
  const alone = { ...inDatabase, VAULT_ADDR: '', VAULT_TOKEN: '' };
  await (await open({ settings: alone })).load(); // the current and the next key are in the database
  await (await open({ settings: inVault })).rotate({ now: later(seconds + 300), algorithm: 'ES256' });
  await (await open({ settings: inVault })).rotate({ now: later(seconds + 600), algorithm: 'ES256' });
  await assert.rejects(
    (await open({ settings: alone })).load(),
    /is in Vault, but signing.vault_transit is not configured/,
  );
});

test('a rotation that Vault does not finish leaves the ring as it was [threat M10]', async () => {
  const ill = await openFaultyVault();
  const { faults } = ill;
  const keyName = newKeyName();
  const { open } = await openHome(vaultSettings(ill, keyName));
  const [store, fresh] = [await open(), await open()];
  const { records } = await store.load();
  const before = await told();
  const rotation = () => store.rotate({ now: later(300), algorithm: 'ES256' });
  const asked = faults.requests.length;
  for (const work of [
    () => faults.failNext(1, 503, 'Vault is sealed'),
    () => faults.failNext(1, 500, 'internal error'),
    () => faults.failNext(1, 403, 'permission denied'),
  ]) {
    work();
    await assert.rejects(rotation(), SigningUnavailable);
    assert.deepEqual(await told(), before);
  }
  assert.ok(faults.requests.length > asked);
  faults.seal();
  await assert.rejects(rotation(), unavailable('unreachable'));
  assert.deepEqual((await fresh.load()).records, records, 'who starts now publishes the same keys');
  faults.unseal();
  const { kid } = await (await open()).rotate({ now: later(300), algorithm: 'ES256' });
  assert.equal(kid, `${keyName}-v2`);
});
