import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createLogger, createMetrics } from '@authserver/telemetry';
import { drain } from './drain.ts';
import { openPorts } from './listen.ts';
import { createHttpServer } from './server.ts';

const logger = createLogger({ level: 'error', stdout: false });
const wide = { readTimeoutMs: 5_000, writeTimeoutMs: 5_000, idleTimeoutMs: 5_000 };

/** A server that answers `/slow` after 300 ms, everything else at once, and says on every answer whether it is leaving. */
const start = async (t: TestContext, hosts = ['127.0.0.1']) => {
  let leaving = false;
  const finished: string[] = [];
  const app = createHttpServer({
    ...{ logger, metrics: createMetrics(), trustedProxies: [], ...wide },
    draining: () => leaving,
  });
  app.get('/slow', async (request) => {
    await setTimeout(300);
    finished.push(request.raw.socket.localAddress ?? '');
    return 'late';
  });
  app.get('/', async () => 'here');
  const port = await openPorts(app, hosts, 0);
  const leave = (waitMs: number, lingerMs?: number) => {
    leaving = true;
    return drain(app, waitMs, lingerMs);
  };
  t.after(() => leave(0));
  return { app, port, leave, finished };
};

const open = async (t: TestContext, port: number, host = '127.0.0.1') => {
  const socket = connect(port, host)
    .setEncoding('utf8')
    .on('error', () => {});
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
};
const send = (socket: Socket, path: string) => socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
/** The next answer; empty when the connection ends without one. */
const answer = async (socket: Socket): Promise<string> => {
  const [text = ''] = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => [])]);
  return String(text);
};

test('a request that arrived while the process was held up is answered before the connection is closed', async (t) => {
  const { app, port, leave } = await start(t);
  const [socket] = await Promise.all([open(t, port), once(app.server, 'connection')]);
  send(socket, '/');
  const left = leave(5_000);
  for (const end = performance.now() + 250; performance.now() < end; ); // other work, and no turn for sockets
  assert.match(await answer(socket), /^HTTP\/1\.1 200 .*connection: close/is);
  await left;
});

test('a request in flight is waited for at every address of the server', async (t) => {
  const hosts = ['127.0.0.1', '127.0.0.2'];
  const { port, leave, finished } = await start(t, hosts);
  const sockets = await Promise.all(hosts.map((host) => open(t, port, host)));
  for (const socket of sockets) send(socket, '/slow');
  const answers = sockets.map(answer);
  await setTimeout(100);
  await leave(5_000);
  assert.deepEqual(finished.sort(), hosts);
  for (const text of await Promise.all(answers)) assert.match(text, /^HTTP\/1\.1 200 .*late$/s);
  for (const host of hosts) await assert.rejects(once(connect(port, host), 'connect'), { code: 'ECONNREFUSED' });
});

test('an address that this machine does not have is left out, one that is taken is not', async (t) => {
  const { port } = await start(t, ['127.0.0.1', '203.0.113.7']);
  assert.match(await (await fetch(`http://127.0.0.1:${port}/`)).text(), /here/);
  const other = createHttpServer({ ...{ logger, metrics: createMetrics(), trustedProxies: [], ...wide } });
  t.after(() => drain(other, 0));
  await assert.rejects(openPorts(other, ['127.0.0.2', '127.0.0.1'], port), { code: 'EADDRINUSE' });
});

test('while it lingers a kept connection may bring one more request, and nobody waits for longer than needed', async (t) => {
  const { port, leave } = await start(t);
  const socket = await open(t, port);
  send(socket, '/');
  assert.match(await answer(socket), /200 OK/);
  const began = performance.now();
  const left = leave(20_000, 10_000);
  await setTimeout(400);
  send(socket, '/');
  assert.match(await answer(socket), /^HTTP\/1\.1 200 .*connection: close/is);
  await left;
  assert.ok(performance.now() - began < 5_000);
});
