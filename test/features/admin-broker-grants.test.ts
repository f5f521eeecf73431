/** Accounts that users connected at upstream providers, as an operator sees and ends them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { brokerGrant, newProvider } from '../support/brokering.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const canary = 'credential-canary-a41f';
const connected = async () => {
  const [user, provider] = [await server.user(), await newProvider(server)];
  const id = await brokerGrant(server, { userId: user.id, providerId: provider.id, credential: canary });
  return { user, provider, id };
};
const grantsOf = (userId: string) => server.adminRequest('GET', `/admin/users/${userId}/grants`);
const revoke = (id: string) => server.adminRequest('DELETE', `/admin/grants/broker/${id}`);

test('an operator sees what is connected, and never the credential [threat K06]', async () => {
  const { user, provider, id } = await connected();
  const { body } = await grantsOf(user.id);
  const [{ created_at, updated_at, ...grant }] = body.broker_grants as [Record<string, unknown>];
  assert.deepEqual(grant, {
    id,
    user_id: user.id,
    broker_provider_id: provider.id,
    scopes_granted: ['repo', 'gist'],
    version: 1,
    enc_backend: 'aes_master',
  });
  assert.ok(created_at && updated_at);
  const [row] = await server.sql<{ hex: string }>(
    `select encode(enc_credential, 'hex') as hex from broker_grants where id = $1`,
    [id],
  );
  for (const secret of [canary, row?.hex ?? '', Buffer.from(canary).toString('base64')])
    assert.ok(secret.length > 10 && !JSON.stringify(body).includes(secret));
  const second = await newProvider(server);
  const later = await brokerGrant(server, { userId: user.id, providerId: second.id });
  await server.sql(`update broker_grants set created_at = now() + interval '1 hour' where id = $1`, [later]);
  const grants = (await admin.grant.listUserGrants({ id: user.id })).broker_grants;
  assert.deepEqual(
    grants.map((one) => one.id),
    [later, id],
    'newest first',
  );
  for (const nobody of [crypto.randomUUID(), 'nobody'])
    assert.deepEqual((await grantsOf(nobody)).body, { consent_grants: [], broker_grants: [] });
});

test('revoking ends a grant once, forgets its credential, and leaves a trace without it', async () => {
  const { user, provider, id } = await connected();
  const { audit, changes } = await traceOf(server, async () => assert.equal((await revoke(id)).status, 204));
  assert.deepEqual(changes, [{ kind: 'revocation', key: id }]);
  assert.equal(audit.length, 1);
  assert.equal(audit[0]?.action, 'broker_grant.revoked_admin');
  const { before, after, ...details } = (audit[0]?.details ?? {}) as Record<string, Record<string, unknown>>;
  assert.deepEqual(details, { id, user_id: user.id, broker_provider_id: provider.id });
  assert.deepEqual([before?.revoked_at, typeof after?.revoked_at], [undefined, 'string']);
  assert.ok(!JSON.stringify(audit).includes(canary));

  const [grant] = (await admin.grant.listUserGrants({ id: user.id })).broker_grants;
  assert.ok(grant?.revoked_at, 'still shown');
  const rows = await server.sql('select enc_credential from broker_grants where id = $1', [id]);
  assert.deepEqual(rows, [{ enc_credential: null }]);
  for (const again of [id, crypto.randomUUID(), 'nobody'])
    assert.deepEqual(await traceOf(server, async () => assert.equal((await revoke(again)).status, 204)), nothing);
});

test('a rehearsal revokes nothing', async () => {
  const { user, id } = await connected();
  assert.deepEqual(
    await traceOf(server, async () => {
      const { status } = await server.adminRequest('DELETE', `/admin/grants/broker/${id}?dry_run=true`);
      assert.equal(status, 204);
    }),
    nothing,
  );
  assert.equal((await admin.grant.listUserGrants({ id: user.id })).broker_grants[0]?.revoked_at, undefined);
});

test('what a user connected goes with the user, and keeps nobody from being deleted', async () => {
  const { user, id } = await connected();
  await admin.user.delete({ id: user.id });
  assert.deepEqual(await server.sql('select 1 from broker_grants where id = $1', [id]), []);
});

test('a user has one grant at a provider, and one in force has a credential', async () => {
  const { user, provider, id } = await connected();
  const again = brokerGrant(server, { userId: user.id, providerId: provider.id });
  await assert.rejects(again, { name: 'DuplicateRow' });
  await assert.rejects(server.sql('update broker_grants set enc_credential = null where id = $1', [id]), /check/);
  refused(await server.adminRequest('GET', `/admin/grants/broker/${id}`), 'method_not_allowed');
});
