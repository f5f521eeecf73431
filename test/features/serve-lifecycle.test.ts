/** `authserver serve` as an operator meets it: started, stopped, killed, misconfigured, in one process and in two. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { keyfileStore } from '@authserver/keys';
import { decodeProtectedHeader } from 'jose';
import { createEmptyDatabase } from '../support/database.ts';
import { emptyDirectory, freePorts } from '../support/server-process.ts';
import { launchServer, type StartedServer, startServer } from '../support/started-server.ts';
import { ok, type TestApp } from '../support/test-app.ts';

/** Limits are three times what we promise, for a machine that does other things as well. */
const slack = 3;

const machine = (server: StartedServer) =>
  server.client({ name: 'Job', grantTypes: ['client_credentials'], scope: 'tools/read' });
const resource = 'https://mcp.example.com/mcp';
const tokenOf = async (app: TestApp): Promise<string> => {
  const answer = await app.clientCredentials({ resource, scope: 'tools/read' });
  return ok(answer).access_token;
};
const status = async (url: string): Promise<number | 'closed'> =>
  fetch(url).then(
    (response) => response.status,
    () => 'closed' as const,
  );

/** The process id of the embedded PostgreSQL, from the file in its data directory. */
const postgresPid = async (server: StartedServer): Promise<number> =>
  Number((await readFile(join(server.directory, 'data/postgres/postmaster.pid'), 'utf8')).split('\n')[0]);
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
const eventually = async (what: string, holds: () => boolean | Promise<boolean>, seconds = 15): Promise<void> => {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await setTimeout(25))
    if (await holds()) return;
  assert.fail(`${what}: not within ${seconds} s`);
};

/** A request whose body stops half-way: in flight until the rest is sent. */
const halfARequest = async (server: StartedServer, app: TestApp) => {
  const body = new URLSearchParams({ grant_type: 'client_credentials', resource, scope: 'tools/read' }).toString();
  const socket: Socket = connect(server.ports.token, 'localhost');
  let answer = '';
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.setEncoding('utf8').on('data', (chunk) => {
    answer += chunk;
  });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  const head = [
    'POST /oauth/token HTTP/1.1',
    `Host: localhost:${server.ports.token}`,
    `Authorization: ${app.basic()}`,
    'Content-Type: application/x-www-form-urlencoded',
    `Content-Length: ${body.length}`,
    '\r\n',
  ].join('\r\n');
  socket.write(head + body.slice(0, 10));
  await setTimeout(200); // until the server has the head
  return { finish: () => socket.write(body.slice(10)), answer: () => answer, closed };
};

const warm = await startServer();
const directory = warm.directory;
const job = await machine(warm);
await warm.resource({ slug: 'mcp', uri: resource });

test('an empty configuration prepares everything, readable by its owner alone, and prints the admin key once', async () => {
  const key = await warm.adminKey();
  assert.equal(warm.process.stdout().split(key).length, 2, 'once');
  assert.ok(!warm.process.stderr().includes(key));
  for (const file of ['admin-api-key', 'session-secret', 'postgres.password', 'keys/keyring.json'])
    assert.equal((await stat(join(directory, 'data', file))).mode & 0o077, 0, file);
  for (const name of ['keys', 'postgres'])
    assert.equal((await stat(join(directory, 'data', name))).mode & 0o077, 0, name);
  assert.deepEqual(
    (await readdir(directory)).filter((name) => name !== 'data'),
    [],
    'nothing is written elsewhere',
  );
  for (const secret of ['session-secret', 'postgres.password'])
    assert.ok(
      !warm.process.stdout().includes((await readFile(join(directory, 'data', secret), 'utf8')).trim()),
      secret,
    );
  assert.equal(await status(`${warm.adminUrl}/admin/stats`), 401);
  const headers = { authorization: `Bearer ${key}` };
  assert.equal((await fetch(`${warm.adminUrl}/admin/stats`, { headers })).status, 200);
  assert.ok(await tokenOf(job));
});

test('a second serve on the same data says so and leaves the first alone', async () => {
  const second = await launchServer({ directory });
  assert.deepEqual(await second.process.ended(), { code: 1, signal: null });
  assert.match(second.process.stderr(), /another authserver is running on .*data\/postgres/);
  assert.doesNotMatch(second.process.stderr(), /^ {4}at /m, 'no stack trace');
  assert.equal(second.process.stdout(), '');
  assert.ok(await tokenOf(job));
});

test('SIGHUP takes up keys that were rotated in the files', async () => {
  const kid = async () => decodeProtectedHeader(await tokenOf(job)).kid;
  const before = await kid();
  const keys = keyfileStore({
    directory: join(directory, 'data/keys'),
    algorithm: 'ES256',
    maxTokenLifetimeSeconds: 3600,
  });
  const rotated = await keys.rotate({ now: new Date(), algorithm: 'ES256', force: true });
  assert.notEqual(rotated.kid, before);
  assert.equal(await kid(), before, 'nobody has told the server');
  warm.process.signal('SIGHUP');
  await eventually('the new key signs', async () => (await kid()) === rotated.kid);
  const jwks = (await (await fetch(`${warm.issuer}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] };
  assert.ok(
    jwks.keys.some((key) => key.kid === before),
    'tokens of the old one still verify',
  );
});

test('SIGTERM lets the request in flight finish, then stops the embedded database', async () => {
  const pid = await postgresPid(warm);
  const request = await halfARequest(warm, job);
  warm.process.signal('SIGTERM');
  await warm.process.printed('SIGTERM received');
  await eventually('the port closes', async () => (await status(`${warm.issuer}/livez`)) === 'closed');
  assert.ok(isAlive(pid), 'the database is still needed');
  request.finish();
  const finished = performance.now();
  await request.closed;
  assert.match(request.answer(), /^HTTP\/1\.1 200 /);
  assert.match(request.answer(), /"access_token"/);
  assert.deepEqual(await warm.process.ended(), { code: 0, signal: null });
  const seconds = (performance.now() - finished) / 1000;
  assert.ok(seconds < 5, `it waited ${seconds} s for nothing, of shutdown_wait's 10 s`);
  assert.match(warm.process.stderr(), /stopped\n$/);
  assert.ok(!isAlive(pid), 'no process is left');
  assert.ok(!existsSync(join(directory, 'data/postgres/postmaster.pid')));
});

test('a warm start is quick, shows no key again, and knows everything from before', async (t) => {
  const started = performance.now();
  const again = await startServer({ directory, ports: warm.ports });
  assert.ok(await tokenOf(job));
  const seconds = (performance.now() - started) / 1000;
  t.diagnostic(
    `warm start: banner after ${again.readySeconds.toFixed(2)} s, first token after ${seconds.toFixed(2)} s`,
  );
  assert.ok(again.readySeconds < 2 * slack, `banner after ${again.readySeconds} s`);
  assert.ok(seconds < 3 * slack, `first token after ${seconds} s`);
  assert.ok(!again.process.stdout().includes(await again.adminKey()));
  assert.doesNotMatch(again.process.stdout(), /admin API key|Next:/);

  await again.stop('SIGINT');
  assert.deepEqual(await again.process.ended(), { code: 0, signal: null });
});

test('after kill -9 the database ends by itself, and the next start goes on', async (t) => {
  const killed = await startServer({ directory, ports: warm.ports });
  const pid = await postgresPid(killed);
  killed.process.signal('SIGKILL');
  await killed.process.ended();
  const again = await startServer({ directory, ports: warm.ports });
  t.diagnostic(`start right after kill -9: ${again.readySeconds.toFixed(2)} s`);
  assert.ok(await tokenOf(job));
  assert.ok(!isAlive(pid));
  assert.equal((await again.stop()).code, 0);
});

test('a request that never ends is cut when server.shutdown_wait is over', async () => {
  const server = await startServer({ directory, ports: warm.ports, env: { SERVER_SHUTDOWN_WAIT: '1s' } });
  const request = await halfARequest(server, job);
  const started = performance.now();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  const seconds = (performance.now() - started) / 1000;
  assert.ok(seconds > 0.8 && seconds < 6, `stopped after ${seconds} s`);
  await request.closed;
  assert.equal(request.answer(), '');
});

test('a second signal, later, ends it at once', async () => {
  const server = await startServer({ directory, ports: warm.ports, env: { SERVER_SHUTDOWN_WAIT: '60s' } });
  const pid = await postgresPid(server);
  await halfARequest(server, job);
  server.process.signal('SIGTERM');
  server.process.signal('SIGTERM'); // the same wish, told twice
  await setTimeout(800);
  assert.equal(server.process.child.exitCode, null);
  server.process.signal('SIGINT');
  assert.equal((await server.process.ended()).code, 1);
  await eventually('the database has ended', () => !isAlive(pid));
});

test('a port in use is named, and nothing stays behind', async () => {
  const first = await startServer({ directory, ports: warm.ports });
  const [token = 0, admin = 0, internal = 0] = await freePorts(3);
  for (const ports of [
    { token: first.ports.token, admin, internal },
    { token, admin: first.ports.admin, internal },
  ]) {
    const taken = ports.token === token ? ports.admin : ports.token;
    const second = await launchServer({ directory: await emptyDirectory(), ports });
    assert.deepEqual(await second.process.ended(), { code: 1, signal: null });
    assert.match(second.process.stderr(), new RegExp(`error: port ${taken} is in use already`));
    assert.doesNotMatch(second.process.stderr(), /^ {4}at /m);
    assert.ok(!existsSync(join(second.directory, 'data/postgres/postmaster.pid')), 'its database has ended');
  }
  await first.stop();
});

test('a wrong configuration is refused with a numbered list, before anything is made', async () => {
  const server = await launchServer({
    env: {
      SERVER_ISSUER: 'ftp://auth.example.com',
      SESSION_MAX_AGE: 'soon',
      SIGNING_ALGORITHM: 'HS256',
      SERVER_ISSSUER: 'x',
    },
  });
  assert.deepEqual(await server.process.ended(), { code: 1, signal: null });
  const stderr = server.process.stderr();
  assert.match(stderr, /configuration has \d problems:\n {2}1\. /);
  for (const name of ['SERVER_ISSUER', 'SESSION_MAX_AGE', 'SIGNING_ALGORITHM', 'SERVER_ISSSUER'])
    assert.match(stderr, new RegExp(`^ {2}\\d\\. .*${name}`, 'm'));
  assert.doesNotMatch(stderr, /^ {4}at /m);
  assert.equal(server.process.stdout(), '');
  assert.deepEqual(await readdir(server.directory), []);
});

test('off localhost nothing is generated: every missing secret is asked for at once', async () => {
  const server = await launchServer({ env: { SERVER_ISSUER: 'https://auth.example.com' } });
  assert.equal((await server.process.ended()).code, 1);
  for (const name of ['session.secret', 'session.secure', 'admin.api_key'])
    assert.ok(server.process.stderr().includes(name), name);
  assert.deepEqual(await readdir(server.directory), []);
});

test('a setting that has no effect in this release is said to have none', async () => {
  const server = await startServer({ directory, ports: warm.ports, env: { CONNECT_STATE_SECRET: 'x'.repeat(32) } });
  assert.match(server.process.stdout(), /without effect in this release: .*connect/);
  await server.stop();
});

/** Two processes, one for each plane, over one database and one directory of keys. */
const planes = async (t: TestContext) => {
  const { dsn, drop } = await createEmptyDatabase();
  t.after(drop);
  const shared = await emptyDirectory();
  const [token = 0, admin = 0, internal = 0] = await freePorts(3);
  const env = { STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: dsn };
  return (role: 'token' | 'admin') => launchServer({ role, directory: shared, ports: { token, admin, internal }, env });
};

for (const order of ['token first', 'admin first', 'both at once'] as const)
  test(`the planes as two processes over one new database, ${order}`, async (t) => {
    const launch = await planes(t);
    const start = async (role: 'token' | 'admin') => {
      const server = await launch(role);
      await server.ready();
      return server;
    };
    let token: StartedServer;
    let admin: StartedServer;
    if (order === 'both at once') {
      [token, admin] = await Promise.all([start('token'), start('admin')]);
    } else if (order === 'token first') {
      token = await start('token');
      assert.equal(await status(`${token.issuer}/ready`), 200, 'it needs no admin service');
      admin = await start('admin');
    } else {
      admin = await start('admin');
      assert.equal(await status(`${admin.issuer}/livez`), 'closed', 'the admin role has no public port');
      token = await start('token');
    }
    const app = await machine(admin);
    await admin.resource({ slug: 'mcp', uri: resource });
    let issued: string | undefined;
    await eventually('a client made by one plane gets a token from the other', async () => {
      const answer = await app.clientCredentials({ resource, scope: 'tools/read' });
      issued = answer.body.access_token;
      return answer.status === 200;
    });
    assert.ok(issued);

    assert.equal(await status(`${token.internalUrl}/metrics`), 200);
    assert.equal(await status(`${token.internalUrl}/ready`), 200);
    assert.equal(await status(`${token.issuer}/metrics`), 404, 'never on the public port');
    assert.equal(await status(`${token.issuer}/admin/clients`), 404);
    const metrics = await (await fetch(`${token.internalUrl}/metrics`)).text();
    assert.match(metrics, /^authserver_tokens_issued_total\{grant_type="client_credentials"\} 1$/m);
    assert.equal(await status(`${admin.adminUrl}/metrics`), 200);

    await admin.stop();
    assert.ok(await tokenOf(app), 'tokens are issued while the control plane is away');
    await token.stop();
  });
