/** Who may do what: every role with every operation of the admin API, and what needs more than the operation itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AdminRole, adminRoles, isChange, roleOf, successStatus } from '@authserver/admin-api';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { exampleServer, type OperationName, tableRows } from '../support/admin-operations.ts';
import { askAdmin } from '../support/admin-plane.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { contentsOf } from '../support/database-contents.ts';

const server = await startAuthServer(exampleServer);
const { admin, adminUrl } = server;
const keyOf = async (role: AdminRole) => admin.adminKey.create({ body: { label: role, role } });
const keys = { viewer: await keyOf('viewer'), operator: await keyOf('operator'), owner: await keyOf('owner') };
const as = (role: AdminRole, method: string, path: string, body?: unknown) =>
  askAdmin({ url: adminUrl, key: keys[role].key }, method, path, body);

/** Examples that ask for more than their operation needs. */
const examplesNeed: Partial<Record<OperationName, AdminRole>> = { 'key.rotate': 'owner', 'key.retire': 'owner' };

for (const role of adminRoles)
  test(`${role}: may do what the table says, and nothing else [threat K05]`, async () => {
    for (const { name, operation, prepare } of tableRows()) {
      const { method, path, query, body } = await prepare(server);
      const needed = examplesNeed[name] ?? roleOf(operation);
      const may = adminRoles.indexOf(role) >= adminRoles.indexOf(needed);
      const before = may ? undefined : await contentsOf(server);
      const answer = await as(role, method, `${path}${query ? `?${new URLSearchParams(query)}` : ''}`, body);
      if (may) assert.equal(answer.status, successStatus(operation), `${name}: ${JSON.stringify(answer.body)}`);
      else {
        assert.match(refused(answer, 'forbidden'), /needs the role/, name);
        const { admin_keys: _, ...after } = await contentsOf(server); // when the key was used
        const { admin_keys: __, ...unchanged } = before ?? {};
        assert.deepEqual(after, unchanged, name);
      }
    }
  });

test('every change needs more than the weakest role, but for a check of one’s own key', () => {
  const weak = tableRows().filter(({ operation }) => isChange(operation) && roleOf(operation) === 'viewer');
  assert.deepEqual(
    weak.map(({ name }) => name),
    ['auth.verify'],
  );
});

test('nobody but an owner sees or makes keys, or makes their own stronger [threat K04 K05]', async () => {
  const left = await traceOf(server, async () => {
    for (const role of ['viewer', 'operator'] as const) {
      const own = `/admin/admin-keys/${keys[role].id}`;
      for (const [method, path, body] of [
        ['GET', '/admin/admin-keys'],
        ['GET', own],
        ['POST', '/admin/admin-keys', { label: 'more', role: 'owner' }],
        ['POST', '/admin/admin-keys', { label: 'as much', role }],
        ['PATCH', own, { role: 'owner' }],
        ['PATCH', own, { expires_in: null }],
        ['DELETE', `/admin/admin-keys/${keys.owner.id}`],
        ['DELETE', own],
      ] as const)
        refused(await as(role, method, path, body), 'forbidden');
    }
  });
  assert.deepEqual(left, nothing);
});

test('a role that is taken away is gone with the next request', async () => {
  const { id, key } = await keyOf('owner');
  const list = () => askAdmin({ url: adminUrl, key }, 'GET', '/admin/admin-keys');
  assert.equal((await list()).status, 200);
  await admin.adminKey.update({ id, body: { role: 'viewer' } });
  refused(await list(), 'forbidden');
});

test('the last named owner may go: the configured key stays one', async () => {
  const { id, key } = await keyOf('owner');
  assert.equal((await askAdmin({ url: adminUrl, key }, 'DELETE', `/admin/admin-keys/${id}`)).status, 204);
  refused(await askAdmin({ url: adminUrl, key }, 'GET', '/admin/stats'), 'unauthorized');
  assert.equal((await admin.adminKey.self()).role, 'owner');
  refused(await server.adminRequest('DELETE', '/admin/admin-keys/admin'), 'not_found');
});

test('users with the role admin are made and changed by owners only [threat K04]', async () => {
  const password = 'a password of an example';
  const newUser = (role: string) => ({ email: `${crypto.randomUUID()}@example.com`, password, role });
  refused(await as('operator', 'POST', '/admin/users', newUser('admin')), 'forbidden');
  assert.equal((await as('operator', 'POST', '/admin/users', newUser('user'))).status, 201);
  const { status, body } = await as('owner', 'POST', '/admin/users', newUser('admin'));
  assert.equal(status, 201);
  const path = `/admin/users/${body.id}`;
  const left = await traceOf(server, async () => {
    refused(await as('operator', 'PATCH', path, { password: 'taken over' }), 'forbidden');
    refused(await as('operator', 'PATCH', path, { email: 'mine@example.com' }), 'forbidden');
    refused(await as('operator', 'PATCH', path, { name: 'x' }), 'forbidden');
    refused(await as('operator', 'PATCH', `${path}/disable`), 'forbidden');
    refused(await as('operator', 'DELETE', path), 'forbidden');
  });
  assert.deepEqual(left, nothing);
  assert.equal(
    (await as('operator', 'DELETE', `${path}/tokens`)).status,
    200,
    'in an emergency anybody signs them out',
  );
  assert.equal((await as('owner', 'PATCH', `${path}/disable`)).status, 200);
  refused(await as('operator', 'PATCH', `${path}/enable`), 'forbidden');
});

test('members that are not to be changed are refused, whoever asks [threat K04]', async () => {
  const { clientId } = await server.client();
  const { id } = await server.user();
  const { slug } = await server.resource();
  const left = await traceOf(server, async () => {
    for (const [path, members] of [
      [
        `/admin/clients/${clientId}`,
        ['client_secret_hash', 'registration_source', 'tenant_id', 'created_at', 'agent', 'id', 'status'],
      ],
      [`/admin/users/${id}`, ['password_hash', 'role', 'email_verified', 'id', 'status', 'provider']],
      [`/admin/resources/${slug}`, ['id', 'created_at', 'version']],
      [`/admin/admin-keys/${keys.viewer.id}`, ['id', 'key', 'key_hash', 'created_by', 'revoked_at', 'last_used_at']],
    ] as const)
      for (const member of members)
        assert.match(
          refused(await as('owner', 'PATCH', path, { [member]: 'x' }), 'invalid_request'),
          new RegExp(member),
        );
    const nested = { policy: { exchange: { allowed_client_ids: [], everybody: true } } };
    assert.match(
      refused(await as('owner', 'PATCH', `/admin/resources/${slug}`, nested), 'invalid_request'),
      /everybody/,
    );
  });
  assert.deepEqual(left, nothing);
});

test('to rotate keys with force takes an owner, and no GET does it [threat K11]', async () => {
  for (const [path, body] of [
    ['/admin/keys/rotate', { force: true }],
    ['/admin/keys/rotate?force=true', undefined],
  ] as const)
    assert.match(refused(await as('operator', 'POST', path, body), 'forbidden'), /force.*owner/);
  refused(await as('operator', 'POST', '/admin/keys/rotate', {}), 'conflict'); // too young, not forbidden
  assert.equal((await as('owner', 'POST', '/admin/keys/rotate', { force: true })).status, 200);
  for (const method of ['GET', 'HEAD', 'PUT'])
    assert.equal((await as('owner', method, '/admin/keys/rotate')).status, 405, method);
});
