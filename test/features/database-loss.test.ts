import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { type Answer, ok, pkce, read } from '../support/test-app.ts';

let proxy: Awaited<ReturnType<typeof startTcpProxy>>;
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
after(() => proxy.close());
const resource = await server.resource();
const user = await server.user();
const machine = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read'],
});
const app = await server.client();

const timed = async (request: () => Promise<Answer<unknown>>): Promise<{ answer: Answer<unknown>; ms: number }> => {
  const start = performance.now();
  return { answer: await request(), ms: performance.now() - start };
};

const unavailable = ({ answer, ms }: { answer: Answer<unknown>; ms: number }): void => {
  assert.equal(answer.status, 503, JSON.stringify(answer.body));
  assert.equal((answer.body as { error: string }).error, 'temporarily_unavailable');
  assert.ok(answer.headers.get('retry-after'));
  assert.ok(ms < 2_000, `${ms} ms`);
};

for (const how of ['cut', 'hang'] as const) {
  test(`while the database is away (${how}) tokens wait and everything else answers [threat I05 M01]`, async () => {
    const tokens = await app.authorize({ user, scope: 'tools/read', resource: resource.uri });
    proxy[how]();
    unavailable(await timed(() => machine.clientCredentials()));
    unavailable(await timed(() => app.refresh(tokens.refresh_token)));
    unavailable(await timed(() => machine.introspect(tokens.access_token)));
    unavailable(await timed(() => app.revoke(tokens.refresh_token)));
    for (const path of ['/.well-known/jwks.json', '/.well-known/oauth-authorization-server', '/livez'])
      assert.equal((await read(await fetch(app.url(path)))).status, 200, path);
    assert.equal((await read(await fetch(app.url('/ready')))).status, 503);
    const page = await fetch(app.authorizeUrl(pkce().challenge, { scope: 'tools/read', resource: resource.uri }), {
      headers: { cookie: 'authserver_session=unknown' },
      redirect: 'manual',
    });
    assert.equal(page.status, 503);

    proxy.mend();
    const back = performance.now();
    for (;;) {
      const answer = await machine.clientCredentials();
      if (answer.status === 200) break;
      assert.equal(answer.status, 503);
      assert.ok(performance.now() - back < 5_000, 'not back within five seconds');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // Nothing was lost: the refresh token that got a 503 is still good.
    ok(await app.refresh(tokens.refresh_token));
  });
}

test('a connection that breaks inside a transaction costs that request alone', async () => {
  const register = async (): Promise<number> =>
    (
      await fetch(app.url('/oauth/register'), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ redirect_uris: ['https://app.example.com/cb'] }),
      })
    ).status;
  const statuses = new Set<number>();
  for (let round = 0; round < 15; round += 1) {
    const requests = Array.from({ length: 6 }, register);
    await server.sql(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'authserver token'`);
    for (const status of await Promise.all(requests)) statuses.add(status);
  }
  assert.ok(statuses.has(201));
  for (const status of statuses) assert.ok(status === 201 || status === 503, String(status));
});
