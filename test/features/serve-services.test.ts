/** The two services as processes of their own: each starts by itself, in any order, and waits for a database that is late. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createEmptyDatabase } from '../support/database.ts';
import { startPostgresProxy } from '../support/postgres-proxy.ts';
import { emptyDirectory, freePorts } from '../support/server-process.ts';
import { launchServer, type StartedServer } from '../support/started-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { ok, read } from '../support/test-app.ts';

type Role = 'token' | 'admin';
const resource = 'https://mcp.example.com/mcp';
const seeds = join(await emptyDirectory(), 'authserver.yaml');
await writeFile(seeds, `resources: [{ slug: seeded, uri: 'https://seeded.example.com/mcp' }]\n`);

/** Services over one new database and one directory of keys. */
const services = async (t: TestContext, more: Record<string, string> = {}) => {
  const { dsn, drop } = await createEmptyDatabase();
  t.after(drop);
  const directory = await emptyDirectory();
  const [token = 0, admin = 0, internal = 0] = await freePorts(3);
  const env = { STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: dsn, ...more };
  const launch = (role: Role, changed: Record<string, string> = {}, flags: string[] = []) =>
    launchServer({
      ...{ role, directory, flags, ports: { token, admin, internal } },
      by: 'service',
      env: { ...env, ...changed },
    });
  const start = async (role: Role) => {
    const server = await launch(role);
    await server.ready();
    return server;
  };
  return { dsn, launch, start };
};

const stop = async (server: StartedServer) =>
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.process.stderr());

/** The answer, or undefined while nothing listens. */
const ask = async (url: string, init?: RequestInit) => {
  const response = await fetch(url, init).catch(() => undefined);
  return response && read(response);
};
const until = async (what: string, holds: () => Promise<boolean>, seconds = 20): Promise<void> => {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await setTimeout(50))
    if (await holds()) return;
  assert.fail(`${what}: not within ${seconds} s`);
};

for (const order of ['token first', 'admin first', 'all at once'] as const)
  test(`the services start by themselves over one new database, ${order} [threat M15]`, async (t) => {
    const { start } = await services(t);
    let token: StartedServer;
    let admin: StartedServer;
    if (order === 'admin first') {
      admin = await start('admin');
      token = await start('token');
    } else if (order === 'token first') {
      token = await start('token');
      assert.equal((await ask(`${token.issuer}/ready`))?.status, 200, 'it needs no admin service');
      admin = await start('admin');
    } else [token, admin] = await Promise.all([start('token'), start('admin')]);

    const key = await admin.adminKey();
    assert.ok(!admin.process.stdout().includes(key), 'the log names the file of a generated key, never the key');
    assert.match(admin.process.stdout(), /admin-api-key/);
    const app = await admin.client({ grantTypes: ['client_credentials'], scope: 'tools/read' });
    await admin.resource({ slug: 'mcp', uri: resource });
    await until('a token', async () => (await app.clientCredentials({ resource })).status === 200);

    assert.equal((await ask(`${token.issuer}/metrics`))?.status, 404, 'never on the public port');
    assert.equal((await ask(`${token.issuer}/admin/clients`))?.status, 404);
    assert.equal((await ask(`${token.internalUrl}/admin/clients`))?.status, 404);
    assert.equal((await ask(`${token.internalUrl}/metrics`))?.status, 200);
    await stop(admin);
    ok(await app.clientCredentials({ resource }));
    await stop(token);
    assert.equal(await ask(`${token.issuer}/livez`), undefined);
  });

test('neither service starts an embedded database, and says whose it is', async (t) => {
  const { launch } = await services(t);
  for (const role of ['token', 'admin'] as const) {
    const server = await launch(role, { STORAGE_DRIVER: 'embedded' });
    assert.deepEqual(await server.process.ended(), { code: 1, signal: null });
    assert.match(server.process.stderr(), /^error: storage\.driver is embedded, .*authserver serve.*\n$/);
  }
});

test('what waiting does not mend is refused at once, on one line and without the password', async (t) => {
  const { dsn, launch } = await services(t);
  const changed = (change: (url: URL) => void) => {
    const url = new URL(dsn);
    change(url);
    return url.href;
  };
  const wrong = {
    'a user nobody knows': changed((url) => {
      url.username = 'nobody_we_know';
      url.password = 'a-very-secret-word';
    }),
    'a database that is not there': changed((url) => {
      url.pathname = '/no_such_database';
    }),
  };
  for (const [what, STORAGE_POSTGRES_DSN] of Object.entries(wrong)) {
    const server = await launch('token', { STORAGE_POSTGRES_DSN });
    assert.deepEqual(await server.process.ended(), { code: 1, signal: null }, what);
    assert.match(server.process.stderr(), /^error: cannot connect to PostgreSQL at .*\n$/, what);
    assert.ok(!`${server.process.stderr()}${server.process.stdout()}`.includes('a-very-secret-word'));
  }
  const unknown = await launch('token', { SERVER_ADRESS: ':1' });
  assert.deepEqual(await unknown.process.ended(), { code: 1, signal: null });
  assert.match(unknown.process.stderr(), /AUTHPLANE_SERVER_ADRESS/);
});

test('a database that is late is waited for: alive, not ready, 503, and then all at once ready [threat M01]', async (t) => {
  const { dsn, launch } = await services(t);
  const url = new URL(dsn);
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port || 5432) });
  t.after(() => proxy.close());
  proxy.cut();
  url.host = `127.0.0.1:${proxy.port}`;
  const late = { STORAGE_POSTGRES_DSN: url.href };
  const [token, admin] = [await launch('token', late), await launch('admin', late)];
  for (const [server, probe] of [
    [token, token.internalUrl],
    [token, token.issuer],
    [admin, admin.adminUrl],
  ] as const) {
    await until(`${probe} is alive`, async () => (await ask(`${probe}/livez`))?.status === 200);
    const ready = await ask(`${probe}/ready`);
    assert.equal(ready?.status, 503);
    if (probe === server.issuer) assert.deepEqual(Object.keys(ready.body).sort(), ['status', 'time']);
    else assert.match(JSON.stringify(ready.body), /the database is not available yet/);
    assert.match(server.process.stdout(), /waiting for the database/);
    assert.ok(url.password === '' || !server.process.stdout().includes(url.password));
  }
  const refused = await ask(`${token.issuer}/oauth/token`, { method: 'POST', body: new URLSearchParams({ a: 'b' }) });
  assert.equal(refused?.status, 503);
  assert.equal(refused.body.error, 'temporarily_unavailable');
  assert.ok(refused.headers.get('retry-after'));
  const problem = await ask(`${admin.adminUrl}/admin/stats`);
  assert.deepEqual([problem?.status, problem?.body.code], [503, 'unavailable']);

  proxy.mend();
  await Promise.all([token.ready(), admin.ready()]);
  await until('ready', async () => (await ask(`${token.issuer}/ready`))?.status === 200);
  assert.equal((await ask(`${admin.adminUrl}/ready`))?.status, 200);
  await Promise.all([stop(token), stop(admin)]);
});

for (const [what, role, flags, statement, nth] of [
  ['the configuration is being seeded', 'admin', [], 'resource_find_by_slug', 1],
  ['workers start', 'token', ['--workers', '2'], 'prepare_lock', 2],
] as const)
  test(`a database that answered and is lost while ${what} is waited for all the same [threat M01]`, async (t) => {
    const { dsn, launch } = await services(t);
    const proxy = await startPostgresProxy(dsn);
    t.after(() => proxy.close());
    proxy.arm({ statement, nth, when: 'before' });
    const server = await launch(role, { STORAGE_POSTGRES_DSN: proxy.dsn }, [...flags, '--config', seeds]);
    await server.process.printed('waiting for the database');
    assert.ok(proxy.hasCut());
    const probe = role === 'admin' ? server.adminUrl : server.internalUrl;
    await until('it is alive', async () => (await ask(`${probe}/livez`))?.status === 200);
    assert.equal((await ask(`${probe}/ready`))?.status, 503);
    proxy.mend();
    await server.ready();
    await until('it is ready', async () => (await ask(`${probe}/ready`))?.status === 200);
    await stop(server);
  });

test('a process that waits for its database ends when it is told to', async (t) => {
  const [port = 0] = await freePorts(1);
  const { launch } = await services(t, { STORAGE_POSTGRES_DSN: `postgres://somebody@127.0.0.1:${port}/nothing` });
  const server = await launch('token');
  await server.process.printed('waiting for the database');
  await stop(server);
});

test('a port in use is named while the database is still waited for', async (t) => {
  const [port = 0] = await freePorts(1);
  const { launch } = await services(t, { STORAGE_POSTGRES_DSN: `postgres://somebody@127.0.0.1:${port}/nothing` });
  const first = await launch('token');
  await until('the first waits', async () => (await ask(`${first.issuer}/livez`))?.status === 200);
  const second = await launch('token');
  assert.deepEqual(await second.process.ended(), { code: 1, signal: null });
  assert.match(second.process.stderr(), /error: port \d+ is in use already/);
  await stop(first);
});
