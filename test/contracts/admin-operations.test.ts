/** What holds for every operation of the admin API, walked over the table with an example call of each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AdminRequest, adminRoles, isChange, rehearsalStatus, roleOf, successStatus } from '@authserver/admin-api';
import { refused, traceOf } from '../support/admin-answers.ts';
import { exampleServer, examples, tableRows } from '../support/admin-operations.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { contentsOf, tablesWith } from '../support/database-contents.ts';

const server = await startAuthServer(exampleServer);
const rows = tableRows();

const send = (
  { method, path, query, body, headers }: AdminRequest,
  { key = server.adminKey as string | null, dryRun = false } = {},
) => {
  const search = new URLSearchParams({ ...query, ...(dryRun ? { dry_run: 'true' } : {}) });
  const authorization = key === null ? undefined : `Bearer ${key}`;
  return server.adminRequest(method, `${path}${search.size > 0 ? `?${search}` : ''}`, body, {
    ...headers,
    authorization,
  });
};

test('every operation has an example, and every example is one of an operation', () => {
  assert.deepEqual(Object.keys(examples).sort(), rows.map(({ name }) => name).sort());
});

for (const { name, operation, prepare } of rows.filter(({ operation }) => !isChange(operation)))
  test(`${name} looks, and leaves nothing behind`, async () => {
    const request = await prepare(server);
    const before = await contentsOf(server);
    const answer = await send(request);
    assert.equal(answer.status, successStatus(operation), JSON.stringify(answer.body));
    assert.deepEqual(await contentsOf(server), before);
  });

/**
 * Changes of nothing that could be shown before and after: secrets, what is counted, and who came. Of files that were
 * applied, every object that changed has an event of its own.
 */
const withoutStates = [
  'client.rotateSecret',
  'client.revokeSecret',
  'user.forceLogout',
  'auth.verify',
  'configuration.apply',
];

for (const { name, operation, prepare } of rows.filter(({ operation }) => isChange(operation)))
  test(`${name} can be rehearsed without a trace, and is then audited once, by whom, and without what it showed once`, async () => {
    const request = await prepare(server);

    const before = await contentsOf(server);
    const rehearsed = await send(request, { dryRun: true });
    assert.equal(rehearsed.status, rehearsalStatus(operation), JSON.stringify(rehearsed.body));
    assert.equal(rehearsed.headers.get('dry-run'), 'true');
    assert.deepEqual(await contentsOf(server), before);
    if (operation.secret !== undefined) assert.ok(!rehearsed.body[operation.secret]);

    let answer = rehearsed;
    const { audit } = await traceOf(server, async () => {
      answer = await send(request);
    });
    assert.equal(answer.status, successStatus(operation), JSON.stringify(answer.body));
    const events = audit.filter(({ action }) => [operation.audit ?? []].flat().includes(action as never));
    assert.deepEqual([events.length, audit.length], [1, 1], JSON.stringify(audit));
    const [event] = events as [(typeof audit)[0]];
    assert.equal(event.actor_id, 'admin');
    assert.ok(event.ip);
    assert.ok('before' in event.details || 'after' in event.details || withoutStates.includes(name), name);
    assert.ok(Object.keys(event.details).length > 0);
    if (operation.secret !== undefined) {
      const secret = String(answer.body[operation.secret] ?? '');
      assert.ok(secret.length >= 32, `${operation.secret} is shown`);
      assert.deepEqual(await tablesWith(server, secret), []);
    }
  });

test('every operation refuses a missing, a wrong, an ended and a too weak key, and does nothing [threat K01]', async () => {
  const weaker = Object.fromEntries(
    await Promise.all(
      adminRoles.slice(0, -1).map(async (role, index) => {
        const body = { label: `a ${role}`, role };
        return [adminRoles[index + 1], (await server.admin.adminKey.create({ body })).key] as const;
      }),
    ),
  );
  const soonOver = await server.admin.adminKey.create({
    body: { label: 'soon over', role: 'owner', expires_in: 60 },
  });
  const revoked = await server.admin.adminKey.create({ body: { label: 'revoked', role: 'owner' } });
  await server.admin.adminKey.delete({ id: revoked.id });
  server.clock.advance(61);
  const unknown = `asak_${'x'.repeat(43)}`;

  for (const { name, operation, prepare } of rows) {
    const request = await prepare(server);
    const tooWeak = weaker[roleOf(operation)];
    const left = await traceOf(server, async () => {
      for (const key of [null, 'wrong', unknown, soonOver.key, revoked.key]) {
        const answer = await send(request, { key });
        refused(answer, 'unauthorized');
        assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer/, name);
      }
      if (tooWeak !== undefined) refused(await send(request, { key: tooWeak }), 'forbidden');
    });
    assert.deepEqual(left, { audit: [], changes: [] }, name);
  }
});
