import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { SigningUnavailable } from './errors.ts';
import { createKeyPair } from './key-pair.ts';
import { type KeySet, type KeyStore, type SigningAlgorithm, signingAlgorithms } from './key-store.ts';
import { keyfileStore } from './keyfile.ts';
import { createKeyring } from './keyring.ts';
import { newRecord, SIGN_UNCONFIRMED_SECONDS } from './lifecycle.ts';
import { localSigner } from './local-signer.ts';

const TOKEN_LIFETIME = 3600;
type Store = Pick<KeyStore, 'load'>;

/** A keyring over a new directory, and a clock one can move. */
async function startKeyring(algorithm: SigningAlgorithm, t: { after(fn: () => Promise<void>): void }) {
  const directory = await mkdtemp(join(tmpdir(), 'keyring-'));
  t.after(() => rm(directory, { recursive: true }));
  let now = new Date('2026-01-01T00:00:00Z');
  const clock = { now: () => now };
  const store = keyfileStore({ directory, algorithm, maxTokenLifetimeSeconds: TOKEN_LIFETIME, clock });
  const keyring = createKeyring({ store, clock });
  await keyring.reload();
  return {
    keyring,
    clock,
    wait: (seconds: number) => {
      now = new Date(now.getTime() + seconds * 1000);
    },
    async rotate(to: SigningAlgorithm = algorithm, force = false) {
      const rotated = await store.rotate({ now, algorithm: to, force });
      await keyring.reload();
      return rotated;
    },
    issue: async (claims = { sub: 'alice' }) => await keyring.signJwt(JSON.stringify(claims)),
    published: () => structuredClone(keyring.jwks(now)) as JSONWebKeySet,
    verify: (token: string, jwks: JSONWebKeySet) => jwtVerify(token, createLocalJWKSet(jwks), { typ: 'at+jwt' }),
  };
}

/** What a store hands over, made without one. */
async function keySet(): Promise<KeySet> {
  const [current, next] = [await createKeyPair('ES256'), await createKeyPair('ES256')];
  const now = new Date();
  return { records: [newRecord(current, 'current', now), newRecord(next, 'next', now)], signer: localSigner(current) };
}

for (const algorithm of signingAlgorithms) {
  test(`${algorithm}: tokens verify with the JWKS from before, during and after rotations`, async (t) => {
    const ring = await startKeyring(algorithm, t);
    const issued: { token: string; at: number }[] = [];
    let at = 0;
    let cached = ring.published(); // what a verifier fetched one cache lifetime ago
    for (let rotation = 0; rotation < 6; rotation += 1) {
      issued.push({ token: await ring.issue(), at });
      ring.wait(300);
      at += 300;
      await ring.rotate();
      const { protectedHeader, payload } = await ring.verify(await ring.issue(), cached);
      assert.deepEqual(protectedHeader, { alg: algorithm, typ: 'at+jwt', kid: ring.keyring.current().kid });
      assert.equal(payload.sub, 'alice');
      cached = ring.published();
      for (const { token } of issued.filter((one) => at - one.at <= TOKEN_LIFETIME)) await ring.verify(token, cached);
    }
    assert.deepEqual(ring.published().keys.length, 2 + 6);
  });
}

test('the JWKS holds public members only, current first', async (t) => {
  for (const algorithm of signingAlgorithms) {
    const ring = await startKeyring(algorithm, t);
    ring.wait(300);
    await ring.rotate();
    const { keys } = ring.published();
    const members = { ES256: ['crv', 'x', 'y'], RS256: ['e', 'n'], EdDSA: ['crv', 'x'] }[algorithm];
    for (const key of keys) {
      assert.deepEqual(Object.keys(key).sort(), [...members, 'alg', 'kid', 'kty', 'use'].sort());
      assert.deepEqual([key.alg, key.use], [algorithm, 'sig']);
    }
    assert.deepEqual(
      ring.keyring.status().map(({ kid, state }) => [kid, state]),
      [
        [keys[0]?.kid, 'current'],
        [keys[1]?.kid, 'next'],
        [keys[2]?.kid, 'retiring'],
      ],
    );
    assert.equal(keys[0]?.kid, ring.keyring.signer().kid);
  }
});

test('a retiring key leaves the JWKS by time, without a reload', async (t) => {
  const ring = await startKeyring('ES256', t);
  const first = ring.keyring.current().kid;
  ring.wait(300);
  await ring.rotate();
  ring.wait(TOKEN_LIFETIME + 300);
  assert.ok(ring.published().keys.some(({ kid }) => kid === first));
  assert.ok(ring.keyring.verificationKey(first));
  ring.wait(1);
  assert.equal(ring.published().keys.length, 2);
  assert.equal(ring.keyring.verificationKey(first), undefined);
  assert.equal(ring.keyring.status().length, 2);
});

test('an algorithm change, gentle and forced', async (t) => {
  const ring = await startKeyring('ES256', t);
  ring.wait(300);
  assert.equal((await ring.rotate('EdDSA')).alg, 'ES256');
  ring.wait(300);
  const before = await ring.issue();
  const cached = ring.published();
  assert.equal((await ring.rotate('EdDSA')).alg, 'EdDSA');
  await ring.verify(await ring.issue(), cached);
  assert.equal((await ring.rotate('RS256', true)).alg, 'RS256');
  await ring.verify(await ring.issue(), ring.published());
  await ring.verify(before, ring.published());
});

test('verificationKey verifies what signJwt made, with its algorithm', async (t) => {
  const ring = await startKeyring('EdDSA', t);
  const found = ring.keyring.verificationKey(ring.keyring.current().kid);
  assert.equal(found?.alg, 'EdDSA');
  await jwtVerify(await ring.issue(), found.key, { algorithms: [found.alg] });
  assert.equal(ring.keyring.verificationKey('unknown'), undefined);
  assert.equal(ring.keyring.verificationKey('__proto__'), undefined);
});

test('signJwt takes another typ and a signer that lives elsewhere', async () => {
  const { records, signer } = await keySet();
  const remote = { ...signer, sign: async (input: string) => signer.sign(input) };
  const store: Store = { load: async () => ({ records, signer: remote }) };
  const keyring = createKeyring({ store, clock: { now: () => new Date() } });
  assert.throws(() => keyring.signJwt('{}'), /not been loaded/);
  await keyring.reload();
  const token = await keyring.signJwt('{"sub":"zoë"}', 'JWT');
  const jwks = createLocalJWKSet(keyring.jwks(new Date()) as JSONWebKeySet);
  const { payload, protectedHeader } = await jwtVerify(token, jwks);
  assert.deepEqual([payload.sub, protectedHeader.typ], ['zoë', 'JWT']);
  assert.equal(token.split('.')[0], keyring.current().encodedHeader('JWT'));
  await jwtVerify(await keyring.signJwt('{}'), jwks, { typ: 'at+jwt' });
});

test('a failed reload keeps the keys in use and says why', async () => {
  const set = await keySet();
  const loads = [async () => set, () => Promise.reject(new Error('disk on fire'))];
  const store: Store = { load: () => loads.shift()?.() ?? assert.fail() };
  const keyring = createKeyring({ store, clock: { now: () => new Date() } });
  await keyring.reload();
  await assert.rejects(keyring.reload(), /disk on fire/);
  assert.equal(keyring.signer().kid, set.signer.kid);
});

test('of overlapping reloads the one that began last decides', async () => {
  const [older, newer] = [await keySet(), await keySet()];
  const slow = Promise.withResolvers<KeySet>();
  const loads = [slow.promise, Promise.resolve(newer)];
  const store: Store = { load: () => loads.shift() ?? assert.fail() };
  const keyring = createKeyring({ store, clock: { now: () => new Date() } });
  const first = keyring.reload();
  await keyring.reload();
  slow.resolve(older);
  await first;
  assert.equal(keyring.signer().kid, newer.signer.kid);
});

test('who could not read the ring for too long signs no more, and still publishes and verifies [threat M09]', async () => {
  const set = await keySet();
  let reachable = true;
  let ms = 1_000;
  const keyring = createKeyring({
    store: { load: async () => (reachable ? set : assert.fail('away')) },
    clock: { now: () => new Date() },
    monotonicMs: () => ms,
  });
  await keyring.reload();
  ms += SIGN_UNCONFIRMED_SECONDS * 1000;
  const token = await keyring.signJwt('{}');
  reachable = false;
  await assert.rejects(keyring.reload());
  ms += 1;
  assert.equal(keyring.isConfirmed(), false);
  const refused = (error: unknown) => error instanceof SigningUnavailable && error.failure === 'unconfirmed';
  assert.throws(() => keyring.signJwt('{}'), refused);
  assert.throws(() => keyring.signer(), refused);
  assert.equal(keyring.jwks(new Date()).keys.length, 2);
  const held = keyring.verificationKey(keyring.current().kid);
  assert.ok(held && (await jwtVerify(token, held.key)));
  reachable = true;
  await keyring.reload();
  assert.ok(keyring.isConfirmed());
  await keyring.signJwt('{}');
});

test('what counts is when a reading began, not when it ended', async () => {
  const set = await keySet();
  const slow = Promise.withResolvers<KeySet>();
  let ms = 0;
  const keyring = createKeyring({
    store: { load: () => slow.promise },
    clock: { now: () => new Date() },
    monotonicMs: () => ms,
  });
  const reload = keyring.reload();
  ms = SIGN_UNCONFIRMED_SECONDS * 1000 + 1;
  slow.resolve(set);
  await reload;
  assert.equal(keyring.isConfirmed(), false);
});
