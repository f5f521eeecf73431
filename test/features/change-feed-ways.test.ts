/** Each way of the feed alone is enough for eight pods, and a way that is cut is missed by nobody. */
import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { type AuthServer, soon, startAuthServer } from '../support/auth-server.ts';
import { feedsHear } from '../support/nats.ts';
import { noNatsServer, startNatsServer } from '../support/nats-server.ts';
import { countChanges, cutNotify, inMilliseconds, makeChanges, recordPropagation } from '../support/propagation.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { ok, type TestApp } from '../support/test-app.ts';

const podCount = 8;
/** Eight pods in one process: an ordinary pool each would be too much for a database of a hundred connections. */
const env = { STORAGE_POSTGRES_MAX_CONNS: '3', STORAGE_POSTGRES_MIN_CONNS: '0', LOG_STDOUT: 'false', DCR_MODE: 'open' };

const machine = (server: AuthServer) =>
  server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'], ceiling: ['tools/read'] });
const register = async (url: string) =>
  (
    await fetch(`${url}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'x', redirect_uris: ['https://app.example.com/cb'] }),
    })
  ).status;
const kidOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[0] ?? '', 'base64url').toString()).kid as string;

/** Suspends, switches, rotates and deletes, and waits until every pod does what it then must. */
const everyChangeReachesEveryPod = async (server: AuthServer, within: number, t: TestContext) => {
  const pods = server.pods.map((_, pod) => pod);
  const everywhere = (what: string, holds: (pod: number) => Promise<boolean>) =>
    soon(what, async () => (await Promise.all(pods.map(holds))).every(Boolean), within);
  const granted = (app: TestApp, resource: string) => async (pod: number) =>
    (await app.clientCredentials({ resource }, pod)).status === 200;
  const { admin } = server;
  const recorded = recordPropagation(server);

  const [app, other] = [await machine(server), await machine(server)];
  for (const pod of pods) ok(await app.clientCredentials({}, pod));
  await admin.client.suspend({ id: app.clientId });
  await everywhere('a suspension', async (pod) => (await app.clientCredentials({}, pod)).status === 401);

  await admin.dcr.set({ body: { mode: 'admin_only' } });
  await everywhere('a registration mode', async (pod) => (await register(server.pods[pod]?.url ?? '')) === 403);
  await admin.dcr.set({ body: { mode: 'open' } });

  const { id, uri } = await server.admin.resource.create({
    body: {
      slug: `mcp-${recorded.seconds.length}`,
      uri: `https://mcp-${recorded.seconds.length}.example.com/mcp`,
      scopes: [{ name: 'tools/read' }],
    },
  });
  await everywhere('a resource', granted(other, uri));
  await admin.resource.delete({ id });
  await everywhere('its end', async (pod) => !(await granted(other, uri)(pod)));

  const { kid } = await admin.key.rotate({ body: { force: true } });
  await everywhere('a key', async (pod) => kidOf(ok(await other.clientCredentials({}, pod)).access_token) === kid);

  await soon('all is counted', async () => recorded.seconds.length >= podCount * 6, within);
  t.diagnostic(`commit to application on ${podCount} pods: ${inMilliseconds(recorded.stop())}`);
};

test('over NATS alone, then over NOTIFY alone while NATS is away, and nothing is missed when it is back [threat M06]', {
  skip: noNatsServer,
}, async (t) => {
  const nats = await startNatsServer();
  const settings = { ...env, NATS_URL: nats.url, CHANGES_RECONCILE_INTERVAL: '1h' };
  const server = await startAuthServer({ pods: podCount, admin: true, env: settings });
  await soon('NATS connects everybody', () => feedsHear(server, 'nats'), 20_000);
  await soon('everybody listens', () => feedsHear(server, 'notify'), 20_000);
  const mendNotify = await cutNotify(server);
  await everyChangeReachesEveryPod(server, 10_000, t);

  await mendNotify();
  await nats.stop();
  await soon(
    'the loss is seen',
    async () => (await server.metric('authserver_change_channel_up', { channel: 'nats' })) === 0,
    10_000,
  );
  await everyChangeReachesEveryPod(server, 10_000, t);

  // Neither way: what is changed now is heard of by nobody but the control plane that did it.
  const cutAgain = await cutNotify(server);
  const app = await machine(server);
  for (const pod of server.pods.keys()) ok(await app.clientCredentials({}, pod));
  const started = performance.now();
  await server.admin.client.suspend({ id: app.clientId });
  assert.ok(performance.now() - started < 5_000, 'an admin call does not wait for NATS');
  for (const pod of server.pods.keys()) ok(await app.clientCredentials({}, pod));
  await nats.start();
  await soon(
    'the suspension arrives with NATS',
    async () => {
      const answers = await Promise.all([...server.pods.keys()].map((pod) => app.clientCredentials({}, pod)));
      return answers.every(({ status }) => status === 401);
    },
    15_000,
  );
  await cutAgain();
});

test('over the interval alone', async (t) => {
  const settings = { ...env, CHANGES_RECONCILE_INTERVAL: '1s' };
  const server = await startAuthServer({ pods: podCount, admin: true, env: settings });
  await cutNotify(server);
  await everyChangeReachesEveryPod(server, 10_000, t);
});

test('NATS that is away at the start keeps nobody waiting, and is used once it is there [threat M06]', {
  skip: noNatsServer,
}, async () => {
  const nats = await startNatsServer();
  await nats.stop();
  const settings = { ...env, NATS_URL: `nats://127.0.0.1:1,${nats.url}`, CHANGES_RECONCILE_INTERVAL: '1h' };
  const server = await startAuthServer({ pods: 2, admin: true, env: settings });
  const app = await machine(server);
  const suspended = async () => (await app.clientCredentials()).status === 401;
  await soon('everybody listens', () => feedsHear(server, 'notify'), 10_000);
  ok(await app.clientCredentials());
  await server.admin.client.suspend({ id: app.clientId });
  await soon('the suspension, over NOTIFY', suspended, 5_000);
  await nats.start();
  await soon('NATS connects everybody', () => feedsHear(server, 'nats'), 20_000);
  await cutNotify(server);
  await server.admin.client.reactivate({ id: app.clientId });
  await soon('the reactivation, over NATS', async () => !(await suspended()), 5_000);
});

test('a change of a pod, and one of the command line, are published as well', { skip: noNatsServer }, async () => {
  const nats = await startNatsServer();
  const server = await startAuthServer({ admin: 2, env: { ...env, NATS_URL: nats.url } });
  await soon('NATS connects everybody', () => feedsHear(server, 'nats'), 10_000);
  await soon('everybody listens', () => feedsHear(server, 'notify'), 10_000);
  const published = async () =>
    (await Promise.all(server.admins.map(({ metrics }) => metrics.render())))
      .map(({ body }) => Number(/^authserver_changes_published_total (\d+)/m.exec(body)?.[1]))
      .join();
  const [before] = (await published()).split(',').map(Number);
  const app = await server.client(); // written beside every control plane
  const { access_token } = await app.authorize({
    user: await server.user(),
    scope: 'tools/read',
    resource: (await server.resource()).uri,
  });
  ok(await app.revoke(access_token));
  const rows = await countChanges(server);
  await soon('both control planes have published all', async () => (await published()) === [rows, rows].join(), 5_000);
  assert.ok((before ?? 0) < rows);
  const hints = await server.metric('authserver_change_hints_total', { channel: 'nats' });
  assert.equal(hints, 2 * rows, 'and the pod heard each twice');
  assert.equal(await server.metric('authserver_change_propagation_seconds_count'), rows, 'and applied it once');
});

test('a LISTEN connection whose other end is gone without a word is noticed, and made anew [threat M06]', async () => {
  let proxy: Awaited<ReturnType<typeof startTcpProxy>> | undefined;
  const server = await startAuthServer({
    admin: true,
    env: { ...env, CHANGES_RECONCILE_INTERVAL: '1h' },
    async databaseThrough(dsn) {
      const url = new URL(dsn);
      proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port || 5432) });
      url.hostname = '127.0.0.1';
      url.port = String(proxy.port);
      return url.href;
    },
  });
  after(() => proxy?.close());
  const listens = () => server.metric('authserver_change_channel_up', { channel: 'notify' });
  await soon('the pod listens', async () => (await listens()) === 1, 10_000);
  const app = await machine(server);
  ok(await app.clientCredentials());
  proxy?.hang();
  await server.admin.client.suspend({ id: app.clientId });
  await soon('the pod notices', async () => (await listens()) === 0, 15_000);
  proxy?.mend();
  await soon('it listens again', async () => (await listens()) === 1, 15_000);
  await soon('the suspension', async () => (await app.clientCredentials()).status === 401, 10_000);
});

test('many changes at once are applied once each, in order, by every pod', async () => {
  const server = await startAuthServer({ pods: 2, admin: true, env });
  const before = await countChanges(server);
  const recorded = recordPropagation(server);
  await Promise.all([1, 2, 3].map(() => makeChanges(server, { rounds: 3 })));
  const made = (await countChanges(server)) - before;
  await soon('all are applied', async () => recorded.seconds.length >= 2 * made, 10_000);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(recorded.stop().length, 2 * made);
});
