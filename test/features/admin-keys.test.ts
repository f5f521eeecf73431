import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { ok } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true, pods: 2 });
const { admin } = server;
const job = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read'],
});
const resource = await server.resource();

const tokenFrom = async (pod: number): Promise<string> =>
  ok(await job.clientCredentials({ resource: resource.uri, scope: 'tools/read' }, pod)).access_token;
const kidOf = (token: string) => decodeProtectedHeader(token).kid;
const jwks = async (pod: number): Promise<JSONWebKeySet> =>
  (await (await fetch(`${server.pods[pod]?.url}/.well-known/jwks.json`)).json()) as JSONWebKeySet;
const verifies = async (token: string, pod: number): Promise<boolean> =>
  jwtVerify(token, createLocalJWKSet(await jwks(pod)), { issuer: server.issuer, currentDate: server.clock.now() }).then(
    () => true,
    () => false,
  );
const bothSignWith = (kid: string) =>
  soon('both pods sign with the new key', async () => {
    const kids = await Promise.all([0, 1].map(async (pod) => kidOf(await tokenFrom(pod))));
    return kids.every((signing) => signing === kid);
  });
const byState = async () => {
  const { keys } = await admin.key.list();
  return Object.fromEntries(['current', 'next', 'retiring'].map((s) => [s, keys.filter((key) => key.status === s)]));
};

test('the next key is in the JWKS before it ever signs, and the list shows public facts only [threat F09]', async () => {
  const { keys } = await admin.key.list();
  assert.deepEqual(
    keys.map(({ status, alg, use }) => [status, alg, use]),
    [
      ['current', 'ES256', 'sig'],
      ['next', 'ES256', 'sig'],
    ],
  );
  for (const key of keys)
    assert.deepEqual(
      Object.keys(key).filter((name) => ['d', 'pem', 'private'].includes(name)),
      [],
    );
  for (const pod of [0, 1])
    assert.deepEqual(
      (await jwks(pod)).keys.map(({ kid, d }) => [kid, d]),
      keys.map(({ kid }) => [kid, undefined]),
    );
  assert.equal(kidOf(await tokenFrom(0)), keys[0]?.kid);
});

test('a key verifiers may not have fetched yet does not sign: conflict, with the seconds to wait [threat F09]', async () => {
  const before = await admin.key.list();
  const trace = await traceOf(server, async () => {
    const detail = refused(await server.adminRequest('POST', '/admin/keys/rotate'), 'conflict');
    const seconds = Number(/ in (\d+) s/.exec(detail)?.[1]);
    assert.ok(seconds > 0 && seconds <= 300, detail);
    assert.match(detail, /force/);
  });
  assert.deepEqual(trace, nothing);
  assert.deepEqual(await admin.key.list(), before);
});

test('a rotation makes next the current one, and both pods follow through the change feed', async () => {
  const before = await byState();
  const old = await tokenFrom(0);
  server.clock.advance(301);
  const { audit, changes } = await traceOf(server, async () => {
    const answer = await server.adminRequest('POST', '/admin/keys/rotate');
    assert.deepEqual([answer.status, answer.body], [200, { kid: before.next?.[0]?.kid, alg: 'ES256' }]);
  });
  assert.deepEqual(
    audit.map(({ action, details }) => [
      action,
      (details.before as { kid: string }).kid,
      (details.after as { kid: string }).kid,
    ]),
    [['key.rotated', before.current?.[0]?.kid, before.next?.[0]?.kid]],
  );
  assert.deepEqual(
    changes.map(({ kind }) => kind),
    ['signing_key'],
  );
  await bothSignWith(before.next?.[0]?.kid ?? '');
  const after = await byState();
  assert.equal(after.retiring?.[0]?.kid, before.current?.[0]?.kid);
  assert.ok(after.retiring?.[0]?.retired_at);
  assert.ok(after.current?.[0]?.activated_at);
  assert.notEqual(after.next?.[0]?.kid, before.next?.[0]?.kid);
  assert.deepEqual(await jwks(0), await jwks(1));
  for (const pod of [0, 1]) assert.ok(await verifies(old, pod));
});

for (const [name, request] of Object.entries({
  'in the query': () => server.adminRequest('POST', '/admin/keys/rotate?force=true'),
  'in the body': () => server.adminRequest('POST', '/admin/keys/rotate', { force: true }),
}))
  test(`force ${name} rotates a young key`, async () => {
    refused(await server.adminRequest('POST', '/admin/keys/rotate', { force: false }), 'conflict');
    const { status, body } = await request();
    assert.equal(status, 200);
    await bothSignWith(String(body.kid));
  });

test('any number of rotations in a row breaks no live token, on either pod [threat F09]', async () => {
  const tokens = [await tokenFrom(0)];
  for (let rotation = 0; rotation < 5; rotation += 1) {
    const { kid } = await admin.key.rotate({ query: { force: 'true' } });
    await bothSignWith(kid);
    tokens.push(await tokenFrom(rotation % 2));
  }
  assert.equal(new Set(tokens.map(kidOf)).size, 6);
  for (const token of tokens)
    for (const pod of [0, 1]) {
      assert.ok(await verifies(token, pod));
      assert.equal(ok(await job.introspect(token, pod)).active, true);
    }
  assert.deepEqual(await jwks(0), await jwks(1));
});

test('a token of the first second after a rotation verifies with the keys somebody fetched a cache lifetime before [threat F09]', async () => {
  for (let rotation = 0; rotation < 3; rotation += 1) {
    let before = [await jwks(0), await jwks(1)];
    await soon('both pods publish the same keys', async () => {
      before = [await jwks(0), await jwks(1)];
      return JSON.stringify(before[0]) === JSON.stringify(before[1]);
    });
    for (const key of before.flatMap(({ keys }) => keys)) {
      assert.notEqual(key.kty, 'oct');
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.ok(!(secret in key), secret);
    }
    server.clock.advance(301);
    const { kid } = await admin.key.rotate({ query: {} });
    const check = async (pod: number, copy: JSONWebKeySet) => {
      const token = await tokenFrom(pod);
      return jwtVerify(token, createLocalJWKSet(copy), { issuer: server.issuer, currentDate: server.clock.now() });
    };
    for (const copy of before) for (const pod of [0, 1]) await check(pod, copy);
    await bothSignWith(kid);
    for (const copy of before) for (const pod of [0, 1]) await check(pod, copy);
  }
});

test('a retired key leaves the JWKS when the longest token it signed has ended [threat F09]', async () => {
  const old = await tokenFrom(0);
  const { kid } = await admin.key.rotate({ query: { force: 'true' } });
  await bothSignWith(kid);
  server.clock.advance(3600);
  assert.ok(
    (await jwks(0)).keys.some((key) => key.kid === kidOf(old)),
    'not before',
  );
  server.clock.advance(302);
  for (const pod of [0, 1]) assert.ok(!(await jwks(pod)).keys.some((key) => key.kid === kidOf(old)));
  assert.deepEqual((await byState()).retiring, []);
});

test('rotations at the same time happen one after the other', async () => {
  const answers = await Promise.all([1, 2, 3].map(() => server.adminRequest('POST', '/admin/keys/rotate?force=true')));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  );
  assert.equal(new Set(answers.map(({ body }) => body.kid)).size, 3);
  const { current, next } = await byState();
  assert.deepEqual([current?.length, next?.length], [1, 1]);
  await bothSignWith(current?.[0]?.kid ?? '');
});

test('a rotation that fails leaves no trace and the old key in use', async () => {
  const before = await tokenFrom(0);
  const manifest = join(server.config.signing.key_path, 'keyring.json');
  const content = await readFile(manifest);
  await writeFile(manifest, 'damaged');
  const trace = await traceOf(server, async () => {
    const answer = await server.adminRequest('POST', '/admin/keys/rotate?force=true');
    assert.equal(answer.status, 500);
    assert.equal(answer.body.code, 'internal_error');
    assert.ok(!JSON.stringify(answer.body).includes(manifest));
    const { subsystems } = await admin.system.status();
    assert.equal(subsystems.find(({ name }) => name === 'signing')?.status, 'unhealthy');
  });
  assert.deepEqual(trace, nothing);
  assert.equal(kidOf(await tokenFrom(1)), kidOf(before));
  await writeFile(manifest, content);
  const { kid } = await admin.key.rotate({ query: { force: 'true' } });
  await bothSignWith(kid);
});
