/** Named keys of the admin API: made, shown once, changed, expired, revoked, and named in the audit trail. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { askAdmin } from '../support/admin-plane.ts';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { tablesWith } from '../support/database-contents.ts';

const pepper = 'a pepper of the tests, long enough';
const server = await startAuthServer({ admin: 2, env: { CLIENT_SECRET_PEPPER: pepper } });
const { admin, adminUrl } = server;
const make = (body: Partial<Parameters<typeof admin.adminKey.create>[0]['body']> = {}) =>
  admin.adminKey.create({ body: { label: 'a key', role: 'operator', ...body } });
const ask = (key: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  askAdmin({ url: adminUrl, key }, method, path, body, headers);
const statusOf = async (key: string) => (await ask(key, 'GET', '/admin/clients')).status;
const in90Days = () => server.clock.now().getTime() + 90 * 86_400_000;

test('a key is shown once, ends in 90 days unless said, and is kept as a hash under the pepper', async () => {
  const answer = await server.adminRequest('POST', '/admin/admin-keys', { label: 'CI', role: 'operator' });
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get('etag'), '"1"');
  const { key, ...shown } = answer.body as Awaited<ReturnType<typeof make>>;
  assert.match(key, /^asak_[A-Za-z0-9_-]{43}$/);
  const { id, created_at, expires_at } = shown;
  assert.deepEqual(shown, {
    ...{ id, label: 'CI', role: 'operator', status: 'active', created_by: 'admin', created_at, expires_at },
  });
  assert.ok(Math.abs(Date.parse(String(expires_at)) - in90Days()) < 60_000);

  assert.deepEqual(await admin.adminKey.get({ id }), shown);
  assert.deepEqual((await admin.adminKey.list()).at(-1), shown);
  assert.deepEqual(await tablesWith(server, key), []);
  const [row] = await server.sql<{ key_hash: Buffer }>('select key_hash from admin_keys where id = $1', [id]);
  assert.deepEqual(row?.key_hash, createHmac('sha256', pepper).update(key).digest());
  assert.equal(await statusOf(key), 200);
});

test('without a pepper the hash is SHA-256', async () => {
  const plain = await startAuthServer({ admin: true });
  const { key } = await plain.admin.adminKey.create({ body: { label: 'a key', role: 'viewer' } });
  const [row] = await plain.sql<{ key_hash: Buffer }>('select key_hash from admin_keys');
  assert.deepEqual(row?.key_hash, createHash('sha256').update(key).digest());
});

test('what is not a key of this API is refused with all problems at once', async () => {
  const create = (body: unknown) => server.adminRequest('POST', '/admin/admin-keys', body);
  const problems: [unknown, RegExp][] = [
    [{}, /label.*role/],
    [{ label: ' ', role: 'root', expires_in: 1 }, /label.*role.*expires_in/],
    [{ label: 'x', role: 'viewer', expires_in: 1e10 }, /expires_in/],
    [{ label: 'x', role: 'viewer', key: 'asak_chosen', key_hash: 'x' }, /key/],
    [{ label: 'x', role: 'viewer', created_by: 'somebody' }, /created_by/],
    [{ label: 'a\nb', role: 'viewer' }, /label/],
  ];
  const left = await traceOf(server, async () => {
    for (const [body, detail] of problems) assert.match(refused(await create(body), 'invalid_request'), detail);
  });
  assert.deepEqual(left, nothing);
  for (const id of [crypto.randomUUID(), 'no-uuid']) {
    refused(await server.adminRequest('GET', `/admin/admin-keys/${id}`), 'not_found');
    refused(await server.adminRequest('PATCH', `/admin/admin-keys/${id}`, { label: 'x' }), 'not_found');
    refused(await server.adminRequest('DELETE', `/admin/admin-keys/${id}`), 'not_found');
  }
});

test('what is done with a key has its id and its label of the time in the audit trail', async () => {
  const { id, key } = await make({ label: 'night job' });
  const { audit } = await traceOf(server, () => ask(key, 'PATCH', '/admin/settings/dcr', { mode: 'admin_only' }));
  assert.deepEqual(
    audit.map(({ action, actor_id, details }) => [action, actor_id, details.actor_label]),
    [['dcr.mode_updated', `key:${id}`, 'night job']],
  );
  await admin.adminKey.update({ id, body: { label: 'day job' } });
  const [event] = await admin.audit.list({ query: { actor_id: `key:${id}` } });
  assert.equal(event?.details.actor_label, 'night job');
  assert.match(event?.detail ?? '', /actor_label="night job"/);
});

test('several keys are good at once, so one can follow the other; a revoked one is refused at once everywhere', async () => {
  const [first, second] = [await make(), await make()];
  for (const { key } of [first, second]) assert.equal(await statusOf(key), 200);
  const deleted = await server.adminRequest('DELETE', `/admin/admin-keys/${first.id}`);
  assert.deepEqual([deleted.status, deleted.body], [204, { text: '' }]);
  for (const pod of server.admins) {
    refused(await askAdmin({ url: pod.url, key: first.key }, 'GET', '/admin/clients'), 'unauthorized');
    assert.equal((await askAdmin({ url: pod.url, key: second.key }, 'GET', '/admin/clients')).status, 200);
  }
  const after = await admin.adminKey.get({ id: first.id });
  assert.equal(after.status, 'revoked');
  assert.ok(after.revoked_at);
  refused(await server.adminRequest('DELETE', `/admin/admin-keys/${first.id}`), 'not_found');
  refused(await server.adminRequest('PATCH', `/admin/admin-keys/${first.id}`, { label: 'again' }), 'conflict');
});

test('an expired key is refused, and can be given more time', async () => {
  const { id, key } = await make({ expires_in: 60 });
  assert.equal(await statusOf(key), 200);
  server.clock.advance(61);
  refused(await ask(key, 'GET', '/admin/clients'), 'unauthorized');
  assert.equal((await admin.adminKey.get({ id })).status, 'expired');
  const { expires_at, status } = await admin.adminKey.update({ id, body: { expires_in: null } });
  assert.deepEqual([expires_at, status], [undefined, 'active']);
  assert.equal(await statusOf(key), 200);
});

test('unknown, expired and revoked keys cannot be told apart [threat K03]', async () => {
  const [expired, revoked] = [await make({ expires_in: 60 }), await make()];
  await admin.adminKey.delete({ id: revoked.id });
  server.clock.advance(61);
  const answers = [];
  for (const key of [expired.key, revoked.key, `asak_${'A'.repeat(43)}`, 'wrong', `${expired.key}x`])
    answers.push(await ask(key, 'GET', '/admin/clients'));
  for (const { status, headers, body } of answers) {
    assert.equal(status, 401);
    assert.equal(headers.get('www-authenticate'), 'Bearer realm="admin"');
    assert.deepEqual(body, answers[0]?.body);
  }
});

test('changes of a key are audited with before and after, and follow If-Match', async () => {
  const { id } = await make({ label: 'old', role: 'viewer' });
  const path = `/admin/admin-keys/${id}`;
  const { audit, changes } = await traceOf(server, async () => {
    const changed = await server.adminRequest('PATCH', path, { label: 'new', role: 'owner' }, { 'if-match': '"1"' });
    assert.equal(changed.headers.get('etag'), '"2"');
    refused(await server.adminRequest('PATCH', path, { label: 'newer' }, { 'if-match': '"1"' }), 'precondition_failed');
    refused(await server.adminRequest('DELETE', path, undefined, { 'if-match': '"1"' }), 'precondition_failed');
    assert.equal((await server.adminRequest('PATCH', path, {})).status, 200); // nothing changes
  });
  assert.deepEqual(changes, []); // no other process keeps keys in memory
  assert.equal(audit.length, 1);
  const [{ action, details }] = audit as [(typeof audit)[0]];
  const { before, after } = details as { before: Record<string, string>; after: Record<string, string> };
  assert.deepEqual([action, details.admin_key], ['admin_key.updated', id]);
  assert.deepEqual([before.label, before.role, after.label, after.role], ['old', 'viewer', 'new', 'owner']);
});

test('when a key was last used is noted to the minute', async () => {
  const { id, key } = await make();
  const lastUsed = async () => (await admin.adminKey.get({ id })).last_used_at;
  assert.equal(await lastUsed(), undefined);
  await statusOf(key);
  await soon('the use is noted', async () => (await lastUsed()) !== undefined, 5000);
  const first = await lastUsed();
  await statusOf(key);
  server.clock.advance(30);
  await statusOf(key);
  assert.equal(await lastUsed(), first);
  server.clock.advance(31);
  await statusOf(key);
  await soon('the use is noted again', async () => (await lastUsed()) !== first, 5000);
});

test('everybody may look at themselves', async () => {
  const { key, ...shown } = await make({ role: 'viewer', label: 'me' });
  const self = (await ask(key, 'GET', '/admin/admin-keys/self')).body as { key: { id: string } };
  assert.deepEqual(self, {
    ...{ actor: `key:${shown.id}`, role: 'viewer' },
    key: { ...shown, ...('last_used_at' in self.key ? { last_used_at: self.key.last_used_at } : {}) },
  });
  assert.deepEqual(await admin.adminKey.self(), { actor: 'admin', role: 'owner' });
});

test('a check of the key says who it is, and is audited once an hour for each key', async () => {
  const { id, key } = await make({ role: 'viewer' });
  const verify = () => ask(key, 'POST', '/admin/auth/verify');
  const { audit } = await traceOf(server, async () => {
    const { status, body } = await verify();
    const { version, ...rest } = body;
    assert.equal(status, 200);
    assert.deepEqual(rest, { valid: true, actor: `key:${id}`, role: 'viewer' });
    assert.match(String(version), /^\d+\.\d+\.\d+/);
    await Promise.all(Array.from({ length: 5 }, verify));
    server.clock.advance(3601);
    await verify();
    await admin.auth.verify();
  });
  assert.deepEqual(
    audit.map(({ action, actor_id }) => [action, actor_id]),
    [
      ['admin.ui.login', `key:${id}`],
      ['admin.ui.login', `key:${id}`],
      ['admin.ui.login', 'admin'],
    ],
  );
  refused(await ask('wrong', 'POST', '/admin/auth/verify'), 'unauthorized');
});

test('a creation that is repeated shows the same key again, to its maker only', async () => {
  const { key: other } = await make({ role: 'owner' });
  const create = (key: string) =>
    ask(key, 'POST', '/admin/admin-keys', { label: 'once', role: 'viewer' }, { 'idempotency-key': 'the-same' });
  const [first, again, others] = [await create(server.adminKey), await create(server.adminKey), await create(other)];
  assert.deepEqual(again.body, first.body);
  assert.notEqual(others.body.key, first.body.key);
});
