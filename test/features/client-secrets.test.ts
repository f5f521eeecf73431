/** Two secrets of one client while one replaces the other. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hashClientSecret, newClientSecret } from '@authserver/oauth';
import { exportJWK, generateKeyPair } from 'jose';
import { refused } from '../support/admin-answers.ts';
import { type AuthServer, soon, startAuthServer } from '../support/auth-server.ts';
import { runCli } from '../support/command-line.ts';
import { denied, ok, postForm } from '../support/test-app.ts';

const server: AuthServer = await startAuthServer({ admin: true, pods: 2 });
const { client } = server.admin;
const machine = {
  client_name: 'Job',
  grant_types: ['client_credentials' as const],
  token_endpoint_auth_method: 'client_secret_post' as const,
  scope: 'tools/read',
};
const create = async () => {
  const { client_id: id, client_secret: secret } = await client.create({ body: machine });
  return { id, secret: String(secret) };
};
const ask = (client_id: string, client_secret: string, pod = 0) =>
  postForm(`${server.pods[pod]?.url}/oauth/token`, { grant_type: 'client_credentials', client_id, client_secret });
const works = async (id: string, secret: string): Promise<boolean> => {
  const statuses = await Promise.all([ask(id, secret, 0), ask(id, secret, 1)]);
  return statuses.every(({ status }) => status === 200);
};
const fails = (id: string, secret: string) =>
  soon('the secret ends', async () => {
    const answers = await Promise.all([ask(id, secret, 0), ask(id, secret, 1)]);
    return answers.every(({ status }) => status === 401 || status === 429);
  });
/** Of our making, so it is in the answer. */
const rotate = async (input: Parameters<typeof client.rotateSecret>[0]) => {
  const { client_secret, ...rest } = await client.rotateSecret(input);
  assert.ok(client_secret);
  return { ...rest, client_secret };
};
const secretsOf = async (id: string) => (await client.get({ id })).secrets;

test('without an overlap the old secret ends at once', async () => {
  const { id, secret } = await create();
  assert.ok(await works(id, secret));
  const rotated = await rotate({ id });
  assert.equal(rotated.old_secret_expires_at, undefined);
  assert.ok(await works(id, rotated.client_secret), 'on every pod, before the news of it came there');
  denied(await ask(id, secret), 'invalid_client');
  assert.equal((await secretsOf(id)).length, 1);
});

test('a new secret works on a pod that has not heard of it, and the old one ends there with that', async () => {
  const { id, secret } = await create();
  assert.ok(await works(id, secret));
  const next = newClientSecret();
  await server.store.clients.replaceSecret(id, hashClientSecret(next)); // and nothing on the change feed
  assert.ok(await works(id, next));
  for (const pod of [0, 1]) denied(await ask(id, secret, pod), 'invalid_client');
});

test('with an overlap both are good until the old one ends', async () => {
  const { id, secret } = await create();
  const { client_secret: next, old_secret_expires_at } = await rotate({ id, body: { overlap: 3600 } });
  assert.ok(await works(id, next));
  assert.ok(await works(id, secret));
  const [old, fresh] = await secretsOf(id);
  assert.equal(old?.expires_at, old_secret_expires_at);
  assert.equal(fresh?.expires_at, undefined);
  assert.ok(Math.abs(new Date(String(old?.expires_at)).getTime() - server.clock.now().getTime() - 3_600_000) < 10_000);
  server.clock.advance(3601);
  denied(await ask(id, secret), 'invalid_client');
  assert.ok(await works(id, next));
});

test('at most two are alive: the next rotation ends the oldest', async () => {
  const { id, secret: first } = await create();
  const { client_secret: second } = await rotate({ id, body: { overlap: 3600 } });
  const { client_secret: third } = await rotate({ id, body: { overlap: 3600 } });
  await soon('the newest works', () => works(id, third));
  assert.ok(await works(id, second));
  await fails(id, first);
  assert.equal((await secretsOf(id)).length, 2);
  const { client_secret: last } = await rotate({ id });
  await soon('the last works', () => works(id, last));
  await fails(id, second);
  await fails(id, third);
  assert.equal((await secretsOf(id)).length, 1);
});

test('rotations at the same time leave no more than two', async () => {
  const { id } = await create();
  await Promise.allSettled(Array.from({ length: 5 }, () => client.rotateSecret({ id, body: { overlap: 60 } })));
  const secrets = await secretsOf(id);
  assert.ok(secrets.length <= 2, `${secrets.length} secrets`);
  assert.equal(secrets.filter(({ expires_at }) => expires_at === undefined).length, 1);
});

test('an operator ends the old one early, and never the one that stays', async () => {
  const { id, secret } = await create();
  const { client_secret: next } = await rotate({ id, body: { overlap: 3600 } });
  const [old, fresh] = await secretsOf(id);
  refused(await server.adminRequest('DELETE', `/admin/clients/${id}/secrets/${fresh?.id}`), 'conflict');
  refused(await server.adminRequest('DELETE', `/admin/clients/${id}/secrets/nobody`), 'not_found');
  const other = await create();
  refused(await server.adminRequest('DELETE', `/admin/clients/${other.id}/secrets/${old?.id}`), 'not_found');
  await client.revokeSecret({ id, secret_id: String(old?.id) });
  await fails(id, secret);
  assert.ok(await works(id, next));
  const [event] = await server.sql(
    `select details from audit_events where action = 'client.secret_revoked' and client_id = $1`,
    [id],
  );
  assert.deepEqual(event?.details, { name: 'Job', secret_id: old?.id });
});

test('it shows which one is still in use, and neither the secret nor its hash', async () => {
  const { id, secret } = await create();
  assert.equal((await secretsOf(id))[0]?.last_used_at, undefined);
  ok(await ask(id, secret));
  await soon('the use is seen', async () => (await secretsOf(id))[0]?.last_used_at !== undefined, 3_000);
  const { client_secret: next } = await rotate({ id, body: { overlap: 3600 } });
  const [old, fresh] = await secretsOf(id);
  assert.ok(old?.last_used_at);
  assert.equal(fresh?.last_used_at, undefined);
  const text = JSON.stringify(await server.adminRequest('GET', `/admin/clients/${id}`));
  const hashes = await server.sql(
    `select encode(secret_hash, 'hex') as hash from client_secrets where client_id = $1`,
    [id],
  );
  assert.equal(hashes.length, 2);
  for (const hidden of [secret, next, ...hashes.map(({ hash }) => String(hash))]) assert.ok(!text.includes(hidden));
});

test('noting the use is no statement in the way of a token, and one a minute', async () => {
  const { id, secret } = await create();
  const counted = () =>
    server.metric('authserver_db_operation_duration_seconds_count', { operation: 'client_touch_secrets' });
  const before = await counted();
  for (let n = 0; n < 20; n += 1) ok(await ask(id, secret));
  await new Promise((resolve) => setTimeout(resolve, 1_300));
  assert.equal((await counted()) - before, 1);
  server.clock.advance(61);
  ok(await ask(id, secret));
  await new Promise((resolve) => setTimeout(resolve, 1_300));
  assert.equal((await counted()) - before, 2);
});

test('an overlap is a number of seconds within reason, and nothing is an empty body', async () => {
  const { id } = await create();
  for (const overlap of [-1, 1.5, '60', 31 * 86_400, null])
    refused(await server.adminRequest('POST', `/admin/clients/${id}/rotate-secret`, { overlap }), 'invalid_request');
  refused(await server.adminRequest('POST', `/admin/clients/${id}/rotate-secret`, { grace: 1 }), 'invalid_request');
  for (const body of [undefined, {}, { overlap: 0 }])
    assert.equal((await server.adminRequest('POST', `/admin/clients/${id}/rotate-secret`, body)).status, 200);
});

const cli = async (...line: string[]): Promise<string[]> => {
  const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
  const { code, stdout, stderr } = await runCli(['admin', 'client', ...line], { env });
  assert.equal(code, 0, stderr);
  return stdout.trimEnd().split('\n');
};

test('admin client rotate-secret --overlap, get and revoke-secret', async () => {
  const { id, secret } = await create();
  const [said = '', next = ''] = await cli('rotate-secret', '--id', id, '--overlap', '600');
  assert.match(said, new RegExp(`^secret rotated: client_id=${id} old_secret_expires_at=\\S+Z$`));
  await soon('the new one works', () => works(id, next.replace('client_secret=', '')));
  assert.ok(await works(id, secret));
  const [, old = '', fresh = ''] = await cli('get', '--id', id);
  assert.match(old, /^secret=\S+ created_at=\S+ expires_at=\S+/);
  assert.match(fresh, /^secret=\S+ created_at=\S+/);
  const secretId = /^secret=(\S+)/.exec(old)?.[1] ?? '';
  assert.deepEqual(await cli('revoke-secret', '--id', id, '--secret', secretId), [
    `secret revoked: id=${id} secret=${secretId}`,
  ]);
  await fails(id, secret);
});

test('an overlap on the command line has a unit, or is in seconds', async () => {
  const { id } = await create();
  const overlapOf = async (span: string) => {
    const [said = ''] = await cli('rotate-secret', '--id', id, '--overlap', span);
    return (Date.parse(/old_secret_expires_at=(\S+)/.exec(said)?.[1] ?? '') - server.clock.now().getTime()) / 1000;
  };
  for (const [span, seconds] of Object.entries({ '12h': 43_200, '1d': 86_400, '600': 600 }))
    assert.ok(Math.abs((await overlapOf(span)) - seconds) < 60, span);
  for (const span of ['soon', '31d'])
    await assert.rejects(() => cli('rotate-secret', '--id', id, '--overlap', span), span);
});

test('admin client create --jwks-file and --jwks-uri: a client with keys and no secret', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'authserver-test-'));
  try {
    const file = join(directory, 'keys.json');
    const { publicKey } = await generateKeyPair('ES256', { extractable: true });
    await writeFile(file, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'first' }] }));
    const args = ['--name', 'Worker', '--grant-types', 'client_credentials', '--auth-method', 'private_key_jwt'];
    const said = await cli('create', ...args, '--jwks-file', file);
    assert.equal(said.length, 1);
    const id = /id=(\S+)/.exec(said[0] ?? '')?.[1] ?? '';
    assert.match((await cli('get', '--id', id))[0] ?? '', /jwks=\[first\]/);
    await cli('update', '--id', id, '--jwks-uri', 'https://worker.example/keys');
    const seen = await client.get({ id });
    assert.deepEqual([seen.jwks, seen.jwks_uri], [undefined, 'https://worker.example/keys']);
  } finally {
    await rm(directory, { recursive: true });
  }
});
