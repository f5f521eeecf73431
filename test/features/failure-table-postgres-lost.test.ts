/**
 * PostgreSQL is lost. JWKS, metadata and `/livez` go on; whatever needs it is answered 503 with `Retry-After`, soon; nothing
 * is said that would make a client throw something away; and it is back within five seconds.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { manyAddresses, TestDevice } from '../support/device.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { type Answer, ok, pkce, postForm, read, signIn } from '../support/test-app.ts';

let proxy: Awaited<ReturnType<typeof startTcpProxy>>;
const server = await startAuthServer({
  env: { LOG_STDOUT: 'false', ...manyAddresses },
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
const device = new TestDevice(
  await server.client({ grantTypes: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'] }),
);
const challenge = { code_challenge: pkce().challenge, code_challenge_method: 'S256' };
const register = (): Promise<Response> =>
  fetch(app.url('/oauth/register'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: ['https://app.example.com/cb'] }),
  });

const timed = async (request: () => Promise<Answer<unknown>>): Promise<{ answer: Answer<unknown>; ms: number }> => {
  const start = performance.now();
  return { answer: await request(), ms: performance.now() - start };
};

/** A second, and what a machine that tests other things as well takes longer. */
const soonMs = 1_500;
const unavailable = ({ answer, ms }: { answer: Answer<unknown>; ms: number }): void => {
  assert.equal(answer.status, 503, JSON.stringify(answer.body));
  assert.equal((answer.body as { error: string }).error, 'temporarily_unavailable');
  assert.ok(answer.headers.get('retry-after'));
  assert.ok(ms < soonMs, `${ms} ms`);
};

for (const how of ['cut', 'hang'] as const) {
  test(`while the database is away (${how}) tokens wait and everything else answers [threat I05 M01]`, async () => {
    const tokens = await app.authorize({ user, scope: 'tools/read', resource: resource.uri });
    const waiting = await device.start({ scope: 'tools/read', resource: resource.uri });
    const browser = new TestBrowser();
    const loginPage = await browser.get(app.url('/login'));
    const signedIn = new TestBrowser();
    await signIn(signedIn, await signedIn.get(app.url('/login')), user);
    const registered = await read(await register());
    const code = await app.code({ user, scope: 'tools/read', resource: resource.uri });
    proxy[how]();
    unavailable(await timed(() => machine.clientCredentials()));
    unavailable(await timed(() => app.refresh(tokens.refresh_token)));
    unavailable(await timed(() => machine.introspect(tokens.access_token)));
    unavailable(await timed(() => app.revoke(tokens.refresh_token)));
    unavailable(await timed(() => app.revoke(tokens.access_token)));
    unavailable(await timed(() => app.redeem(code)));
    unavailable(await timed(() => device.poll(waiting.device_code)));
    unavailable(await timed(() => device.request({ scope: 'tools/read' })));
    unavailable(
      await timed(() =>
        app.post('/oauth/par', { response_type: 'code', redirect_uri: app.redirectUris[0], ...challenge }),
      ),
    );
    unavailable(await timed(async () => read(await register())));
    unavailable(
      await timed(async () =>
        read(
          await fetch(String(registered.body.registration_client_uri), {
            headers: { authorization: `Bearer ${registered.body.registration_access_token}` },
          }),
        ),
      ),
    );
    // Credentials nobody has seen before, and such as were never ours: we cannot say, so we do not.
    const nobody = { grant_type: 'client_credentials', client_id: 'nobody', client_secret: 'x' };
    unavailable(await timed(() => postForm(app.url('/oauth/token'), nobody)));
    unavailable(await timed(() => machine.introspect('x'.repeat(43))));
    unavailable(await timed(() => app.refresh('x'.repeat(43))));

    // People get a page that says so.
    const pages = {
      login: () => signIn(browser, loginPage, user),
      account: () => signedIn.get(app.url('/account')),
      authorize: () =>
        signedIn.get(app.authorizeUrl(pkce().challenge, { scope: 'tools/read', resource: resource.uri })),
      device: () => signedIn.get(app.url('/device')),
    };
    for (const [name, visit] of Object.entries(pages)) {
      const start = performance.now();
      const { status, response, location, html } = await visit();
      assert.deepEqual([name, status, location], [name, 503, undefined], html);
      assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
      assert.ok(response.headers.get('retry-after'), name);
      assert.ok(performance.now() - start < soonMs, name);
    }

    // Many at once wait no longer than one.
    const crowd = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        timed(() => (index % 2 ? machine.clientCredentials() : app.refresh(tokens.refresh_token))),
      ),
    );
    for (const one of crowd) unavailable(one);
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
    ok(await app.redeem(code));
    assert.equal((await signedIn.get(app.url('/account'))).status, 200, 'nobody was signed out');
  });
}

test('a connection that breaks inside a transaction costs that request alone', async () => {
  const statuses = new Set<number>();
  for (let round = 0; round < 15; round += 1) {
    const requests = Array.from({ length: 6 }, async () => (await register()).status);
    await server.sql(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'authserver token'`);
    for (const status of await Promise.all(requests)) statuses.add(status);
  }
  assert.ok(statuses.has(201));
  for (const status of statuses) assert.ok(status === 201 || status === 503, String(status));
});
