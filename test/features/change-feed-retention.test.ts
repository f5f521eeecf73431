/** What happens to the rows of the feed, and to a pod that was away for so long that it cannot read them any more. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { denied, ok } from '../support/test-app.ts';

const versions = async (of: { sql: (text: string) => Promise<{ version?: unknown }[]> }) =>
  (await of.sql('select version from changes order by version')).map(({ version }) => Number(version));

test('old changes are deleted, the oldest first, and the newest stays however old it is', async () => {
  const server = await startAuthServer({ pods: 2, env: { CHANGES_RETENTION: '1h' }, housekeepingMs: 50 });
  for (let n = 0; n < 40; n += 1) await server.store.changes.record('user', `u${n}`);
  await server.sql(`update changes set at = at - interval '1 hour' where version <= 30`);
  await soon('the old ones are gone', async () => (await versions(server)).length === 10, 5_000);
  assert.deepEqual(await versions(server), [31, 32, 33, 34, 35, 36, 37, 38, 39, 40]);
  server.clock.advance(7200);
  await soon('all but the newest are gone', async () => (await versions(server)).length === 1, 5_000);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual(await versions(server), [40]);
  assert.equal(await server.metric('authserver_change_feed_resets_total'), 0, 'nobody was that late');
});

for (const [how, reason] of [
  ['the rows it has not read are deleted', 'pruned'],
  ['an older database answers', 'went_back'],
] as const)
  test(`a pod that comes back when ${how} forgets what it had in memory [threat M06]`, async () => {
    let proxy: Awaited<ReturnType<typeof startTcpProxy>> | undefined;
    const server = await startAuthServer({
      env: { LOG_STDOUT: 'false' },
      async databaseThrough(dsn) {
        const url = new URL(dsn);
        proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port || 5432) });
        url.hostname = '127.0.0.1';
        url.port = String(proxy.port);
        return url.href;
      },
    });
    after(() => proxy?.close());
    const app = await server.client({
      authMethod: 'client_secret_basic',
      grantTypes: ['client_credentials'],
      ceiling: ['tools/read'],
    });
    ok(await app.clientCredentials());
    await server.change('user', 'somebody', async () => {});

    proxy?.cut();
    await server.change('client', app.clientId, (tx) => tx.clients.setStatus(app.clientId, ['active'], 'suspended'));
    if (reason === 'went_back') await server.sql('delete from changes where version > 1');
    else {
      await server.store.changes.record('user', 'somebody else');
      await server.sql('delete from changes where version < (select max(version) from changes)');
    }
    proxy?.mend();

    await soon(
      'it notices',
      async () => {
        const resets = await server.metric('authserver_change_feed_resets_total', { plane: 'token', reason });
        return resets === 1;
      },
      10_000,
    );
    await soon('the suspension', async () => (await app.clientCredentials()).status === 401, 5_000);
    denied(await app.clientCredentials(), 'invalid_client');
  });
