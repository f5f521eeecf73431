/** What every change through the admin API has in common: rehearsals, preconditions, repetitions, and where lists go on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { askAdmin } from '../support/admin-plane.ts';
import { startAuthServer } from '../support/auth-server.ts';

const server = await startAuthServer({ admin: 2 });
const { admin } = server;
const [here, there] = server.admins as [(typeof server.admins)[0], (typeof server.admins)[0]];
const web = { client_name: 'App', redirect_uris: ['https://app.example.com/cb'] };
const etagOf = async (path: string) => (await server.adminRequest('GET', path)).headers.get('etag') ?? '';
const countClients = async () => Number((await server.sql('select count(*) as n from clients'))[0]?.n);

test('of two parallel changes with one ETag one is made and the other refused (RFC 9110 §13.1.1)', async () => {
  for (let round = 0; round < 5; round += 1) {
    const { client_id } = await admin.client.create({ body: web });
    const path = `/admin/clients/${client_id}`;
    const headers = { 'if-match': await etagOf(path) };
    const answers = await Promise.all(
      [here, there].map((pod, n) => askAdmin(pod, 'PATCH', path, { client_name: `Name ${n}` }, headers)),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 412]);
    const [lost, won] = answers.sort((a, b) => b.status - a.status) as [(typeof answers)[0], (typeof answers)[0]];
    refused(lost, 'precondition_failed');
    assert.equal(won.headers.get('etag'), await etagOf(path));
  }
});

test('without If-Match, changes that meet are all made', async () => {
  const { id, slug } = await server.resource();
  const clients = await Promise.all(Array.from({ length: 8 }, () => admin.client.create({ body: web })));
  const path = `/admin/resources/${slug}/policy/runtime/client-ids`;
  const answers = await Promise.all(
    clients.slice(0, 4).map(({ client_id }, n) => askAdmin(server.admins[n % 2] ?? here, 'POST', path, { client_id })),
  );
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  assert.equal((await admin.resource.get({ id })).policy.runtime.client_ids.length, 4);
});

test('a stale If-Match is refused on every change of something that has an ETag, and nothing happens', async () => {
  const { client_id } = await admin.client.create({
    body: { ...web, token_endpoint_auth_method: 'client_secret_post' },
  });
  const { id: userId } = await server.user();
  const { id: resourceId, slug } = await server.resource();
  const changes: [string, string, unknown?][] = [
    ['PATCH', `/admin/clients/${client_id}`, { client_name: 'x' }],
    ['POST', `/admin/clients/${client_id}/rotate-secret`],
    ['PATCH', `/admin/clients/${client_id}/suspend`],
    ['PATCH', `/admin/clients/${client_id}/revoke`],
    ['DELETE', `/admin/clients/${client_id}`],
    ['PATCH', `/admin/users/${userId}`, { name: 'x' }],
    ['PATCH', `/admin/users/${userId}/disable`],
    ['DELETE', `/admin/users/${userId}/tokens`],
    ['DELETE', `/admin/users/${userId}`],
    ['PATCH', `/admin/resources/${resourceId}`, { display_name: 'x' }],
    ['POST', `/admin/resources/${slug}/policy/runtime/client-ids`, { client_id }],
    ['DELETE', `/admin/resources/${resourceId}`],
  ];
  const left = await traceOf(server, async () => {
    for (const [method, path, body] of changes)
      refused(await server.adminRequest(method, path, body, { 'if-match': '"77"' }), 'precondition_failed');
  });
  assert.deepEqual(left, nothing);
});

test('what a caller has already is not sent again (RFC 9110 §13.1.2)', async () => {
  const { client_id } = await admin.client.create({ body: web });
  const path = `/admin/clients/${client_id}`;
  const again = await server.adminRequest('GET', path, undefined, { 'if-none-match': await etagOf(path) });
  assert.equal(again.status, 304);
  assert.deepEqual(again.body, { text: '' });
});

test('a creation repeated with one Idempotency-Key over two pods makes one row, and gives one answer', async () => {
  const before = await countClients();
  const body = { ...web, token_endpoint_auth_method: 'client_secret_post' };
  const headers = { 'idempotency-key': 'create-1' };
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      askAdmin(server.admins[n % 2] ?? here, 'POST', '/admin/clients', body, headers),
    ),
  );
  const later = await askAdmin(there, 'POST', '/admin/clients', body, headers);
  const [first] = answers;
  assert.ok(String(first?.body.client_secret).length > 40);
  for (const answer of [...answers, later]) {
    assert.equal(answer.status, 201);
    assert.deepEqual(answer.body, first?.body);
    assert.equal(answer.headers.get('etag'), first?.headers.get('etag'));
  }
  assert.equal([...answers, later].filter(({ headers }) => headers.get('idempotency-replayed') === 'true').length, 10);
  assert.equal(await countClients(), before + 1);
  const kept = await server.sql<{ answer: Buffer }>('select answer from repeatable_requests');
  assert.ok(!kept.some(({ answer }) => answer.includes(String(first?.body.client_secret))), 'the secret is sealed');
});

test('an Idempotency-Key goes with one request and one caller, and a failure does not use it up', async () => {
  const headers = { 'idempotency-key': 'create-2' };
  const send = (body: unknown, more: Record<string, string> = headers) =>
    server.adminRequest('POST', '/admin/clients', body, more);
  refused(await send({ client_name: ' ' }), 'invalid_request');
  const email = `${Math.random()}@example.com`;
  await admin.user.create({ body: { email, password: 'long enough' }, idempotencyKey: 'user-1' });
  const taken = { 'idempotency-key': 'user-2' };
  for (let n = 0; n < 2; n += 1)
    refused(await server.adminRequest('POST', '/admin/users', { email, password: 'long enough' }, taken), 'conflict');
  assert.equal((await send(web)).status, 201);
  refused(await send({ ...web, client_name: 'Other' }), 'unprocessable');
  refused(await server.adminRequest('POST', '/admin/clients?dry_run=false', web, headers), 'unprocessable');
  for (const key of ['', 'x'.repeat(256), 'a b', 'é'])
    refused(await send(web, { 'idempotency-key': key }), 'invalid_request');
  server.clock.advance(24 * 3600 + 1);
  assert.notEqual((await send({ ...web, client_name: 'A day later' })).body.client_name, 'App');
});

test('a rehearsal answers as the change would, and leaves nothing', async () => {
  const { client_id } = await admin.client.create({
    body: { ...web, token_endpoint_auth_method: 'client_secret_post' },
  });
  const { id: userId } = await server.user();
  const { slug } = await server.resource();
  const etag = await etagOf(`/admin/clients/${client_id}`);
  const rows = () => server.sql('select client_id, client_name, status, version from clients order by client_id');
  const before = await rows();
  const keys = JSON.stringify(await admin.key.list());
  const left = await traceOf(server, async () => {
    const created = await server.adminRequest('POST', '/admin/clients?dry_run=true', {
      ...web,
      token_endpoint_auth_method: 'client_secret_post',
    });
    assert.equal(created.status, 200);
    assert.equal(created.body.client_name, 'App');
    assert.equal(created.body.client_secret, '', 'a secret that is none');
    assert.equal(created.headers.get('dry-run'), 'true');
    const changed = await server.adminRequest('PATCH', `/admin/clients/${client_id}?dry_run=true`, {
      client_name: 'B',
    });
    assert.equal(changed.body.name, 'B');
    refused(
      await server.adminRequest('PATCH', '/admin/clients/nobody?dry_run=true', { client_name: 'B' }),
      'not_found',
    );
    const deleted = await server.adminRequest('DELETE', `/admin/clients/${client_id}?dry_run=true`);
    assert.equal(deleted.status, 204);
    await admin.user.disable({ id: userId, query: { dry_run: 'true' } });
    await admin.resource.delete({ id: slug, query: { dry_run: 'true' } });
    const rotated = await server.adminRequest('POST', '/admin/keys/rotate?dry_run=true&force=true');
    assert.equal(rotated.status, 200);
  });
  assert.deepEqual(left, nothing);
  assert.deepEqual(await rows(), before);
  assert.equal(await etagOf(`/admin/clients/${client_id}`), etag);
  assert.equal(JSON.stringify(await admin.key.list()), keys);
  assert.equal((await admin.user.get({ id: userId })).status, 'active');
});

test('a list says where it goes on, and new rows shift nothing (RFC 8288)', async () => {
  for (let n = 0; n < 7; n += 1) await server.user();
  const seen: string[] = [];
  let path: string | undefined = '/admin/users?limit=3';
  while (path) {
    const answer = await server.adminRequest('GET', path);
    assert.equal(answer.status, 200);
    seen.push(...(answer.body as unknown as { id: string }[]).map(({ id }) => id));
    path = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
    if (seen.length === 3) await server.sql('delete from users where id = $1', [seen[0]]);
  }
  const all = await server.sql<{ id: string }>('select id from users order by id');
  assert.deepEqual(
    seen.slice(1),
    all.map(({ id }) => id),
  );
  for (const cursor of ['x', '', 'MSBh%0A', Buffer.from('2 x').toString('base64url')])
    refused(await server.adminRequest('GET', `/admin/users?cursor=${cursor}`), 'invalid_request');
  const foreign = Buffer.from('1 of another list').toString('base64url');
  assert.deepEqual((await server.adminRequest('GET', `/admin/users?cursor=${foreign}`)).body, []);
});
