import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';
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
    const { status, body } = await server.adminRequest('POST', '/admin/keys/rotate', { reason: 'it is time' });
    assert.deepEqual([status, body.kid, body.alg], [200, before.next?.[0]?.kid, 'ES256']);
    const { keys } = await admin.key.list();
    const [next, previous] = ['next', 'retiring'].map((state) => keys.find(({ status }) => status === state));
    assert.deepEqual(body.next, { kid: next?.kid, alg: 'ES256', signs_from: next?.signs_from });
    assert.deepEqual(body.previous, { kid: previous?.kid, gone_after: previous?.gone_after });
    assert.equal(previous?.kid, before.current?.[0]?.kid);
  });
  assert.deepEqual(
    audit.map(({ action, details }) => [
      action,
      details.reason,
      (details.before as { kid: string }).kid,
      (details.after as { kid: string }).kid,
    ]),
    [['key.rotated', 'it is time', before.current?.[0]?.kid, before.next?.[0]?.kid]],
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

test('the list says when each key was made, began and ended to sign, and until when it is kept', async () => {
  await admin.key.rotate({ query: { force: 'true' } });
  const { current, next, retiring } = await byState();
  const seconds = (from = '', to = '') => (Date.parse(to) - Date.parse(from)) / 1000;
  assert.equal(seconds(next?.[0]?.created_at, next?.[0]?.signs_from), 300);
  assert.deepEqual(
    [next?.[0]?.activated_at, next?.[0]?.retired_at, next?.[0]?.gone_after],
    [undefined, undefined, undefined],
  );
  assert.ok(current?.[0]?.activated_at);
  assert.deepEqual(
    [current[0].signs_from, current[0].retired_at, current[0].gone_after],
    [undefined, undefined, undefined],
  );
  for (const key of retiring ?? []) {
    assert.ok(key.activated_at && seconds(key.activated_at, key.retired_at) >= 0);
    assert.equal(seconds(key.retired_at, key.gone_after), 3600 + 300);
  }
});

const signsWith = async (): Promise<string> => (await byState()).current?.[0]?.kid ?? '';
const retire = (kid: string, body?: unknown) => server.adminRequest('POST', `/admin/keys/${kid}/retire`, body);

test('a leaked key is retired with force: its tokens are refused on both pods, and nobody else is [threat I02]', async () => {
  const leaked = await tokenFrom(0);
  const kid = String(kidOf(leaked));
  const { kid: current } = await admin.key.rotate({ query: { force: 'true' } });
  await bothSignWith(current);
  const good = await tokenFrom(1);

  const refusal = await traceOf(server, async () => {
    const detail = refused(await retire(kid), 'conflict');
    assert.match(detail, /may live until \d{4}-\d\d-\d\dT.* with force/);
    assert.equal((await server.adminRequest('POST', `/admin/keys/${kid}/retire?force=true&dry_run=true`)).status, 200);
  });
  assert.deepEqual(refusal, nothing);
  assert.equal(ok(await job.introspect(leaked, 1)).active, true);

  const { audit, changes } = await traceOf(server, async () => {
    const { status, body } = await retire(kid, { force: true, reason: 'on a laptop that was stolen' });
    assert.deepEqual([status, body], [200, { kid, status: 'gone' }]);
  });
  assert.deepEqual(
    audit.map(({ action, details }) => [action, details.kid, details.force, details.reason]),
    [['key.retired', kid, true, 'on a laptop that was stolen']],
  );
  assert.deepEqual(changes, [{ kind: 'signing_key', key: kid }]);
  await soon('both pods forget the key', async () => {
    const sets = await Promise.all([0, 1].map(jwks));
    return sets.every(({ keys }) => !keys.some((key) => key.kid === kid));
  });
  for (const pod of [0, 1]) {
    assert.equal(await verifies(leaked, pod), false);
    assert.equal(ok(await job.introspect(leaked, pod)).active, false);
    assert.equal(ok(await job.introspect(good, pod)).active, true);
  }
  refused(await retire(kid, { force: true }), 'not_found');
});

test('the key that signs and the one after it are retired by nobody, a key that never was is not found [threat K11]', async () => {
  const { current, next } = await byState();
  const trace = await traceOf(server, async () => {
    for (const kid of [current?.[0]?.kid, next?.[0]?.kid])
      for (const body of [undefined, { force: true }])
        assert.match(refused(await retire(String(kid), body), 'conflict'), /only a rotation/);
    for (const kid of ['x'.repeat(22), '..%2f..%2fkeyring', 'keyring.json'])
      refused(await retire(kid, { force: true }), 'not_found');
    for (const body of [{ force: 'yes' }, { forced: true }, { reason: 'x'.repeat(501) }, []])
      refused(await retire(String(current?.[0]?.kid), body), 'invalid_request');
  });
  assert.deepEqual(trace, nothing);
  await bothSignWith(String(current?.[0]?.kid));
});

test('what is dangerous is done by POST with the key of an operator, and by force only with that of an owner [threat K11]', async () => {
  const signing = await signsWith();
  await admin.key.rotate({ query: { force: 'true' } });
  const retiring = signing;
  const { key: operator } = await admin.adminKey.create({ body: { label: 'operator', role: 'operator' } });
  const asOperator = { authorization: `Bearer ${operator}` };
  const before = await admin.key.list();
  const trace = await traceOf(server, async () => {
    for (const path of ['/admin/keys/rotate', `/admin/keys/${retiring}/retire`])
      for (const method of ['GET', 'PUT', 'PATCH', 'DELETE'])
        refused(await server.adminRequest(method, path), 'method_not_allowed');
    for (const { kid } of before.keys) refused(await server.adminRequest('DELETE', `/admin/keys/${kid}`), 'not_found');

    // A form on another site: the browser brings its cookies, and cannot bring the key.
    for (const path of ['/admin/keys/rotate?force=true', `/admin/keys/${retiring}/retire?force=true`]) {
      const crossSite = {
        'content-type': 'application/x-www-form-urlencoded',
        cookie: `key=${server.adminKey}`,
        origin: 'https://evil.example',
      };
      refused(
        await server.adminRequest('POST', path, 'force=true', { ...crossSite, authorization: undefined }),
        'unauthorized',
      );
      refused(await server.adminRequest('POST', path, 'force=true', crossSite), 'unsupported_media_type');
      refused(await server.adminRequest('POST', path, undefined, asOperator), 'forbidden');
      refused(await server.adminRequest('POST', path.split('?')[0] ?? '', { force: true }, asOperator), 'forbidden');
    }
    refused(await server.adminRequest('POST', '/admin/keys/rotate', undefined, asOperator), 'conflict');
  });
  assert.deepEqual(trace, nothing);
  assert.deepEqual(await admin.key.list(), before);
});

test('rotating a hundred times in a minute is refused, and when it is forced breaks no token [threat K11]', async () => {
  server.clock.advance(301);
  const polite = await Promise.all(Array.from({ length: 10 }, () => server.adminRequest('POST', '/admin/keys/rotate')));
  assert.deepEqual(polite.map(({ status }) => status).sort(), [200, ...Array(9).fill(409)]);
  await bothSignWith(await signsWith());

  const tokens = [await tokenFrom(0)];
  for (let rotation = 1; rotation <= 100; rotation += 1) {
    const { kid } = await admin.key.rotate({ query: { force: 'true' } });
    if (rotation % 20 > 0) continue;
    await bothSignWith(kid);
    tokens.push(await tokenFrom(rotation % 40 ? 0 : 1));
  }
  const { current, next, retiring } = await byState();
  assert.deepEqual([current?.length, next?.length], [1, 1]);
  assert.ok((retiring?.length ?? 0) >= 100);
  for (const token of tokens) for (const pod of [0, 1]) assert.ok(await verifies(token, pod));
  server.clock.advance(3600 + 300 + 1);
  assert.deepEqual((await byState()).retiring, []);
});

test('admin key: which key signs, which is next, until when the old one is kept; and its end', async () => {
  const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
  const before = await byState();
  const [old, next] = [before.current?.[0]?.kid, before.next?.[0]?.kid];
  const rotated = await runCli(['admin', 'key', 'rotate', '--force', '--reason', 'a test'], { env });
  assert.deepEqual([rotated.code, rotated.stdout], [0, `key rotated: kid=${next} alg=ES256\n`]);
  const after = await byState();
  assert.equal(
    rotated.stderr,
    `${next} signs now. ${after.next?.[0]?.kid} is published and signs after the next rotation, from ${after.next?.[0]?.signs_from} on. ${old} is kept until ${after.retiring?.[0]?.gone_after} for the tokens it signed.\n`,
  );
  const listed = await runCli(['admin', 'key', 'list'], { env });
  assert.match(
    listed.stdout,
    new RegExp(
      `kid=${old} alg=ES256 use=sig status=retiring created_at=\\S+ activated_at=\\S+ retired_at=\\S+ gone_after=\\S+\n`,
    ),
  );
  assert.match(failedWith(await runCli(['admin', 'key', 'retire', '--kid', String(old)], { env }), 5), /force/);
  const retired = await runCli(['admin', 'key', 'retire', '--kid', String(old), '--force'], { env });
  assert.deepEqual([retired.code, retired.stdout], [0, `key retired: kid=${old}\n`], retired.stderr);
  assert.deepEqual((await byState()).retiring, []);
});
