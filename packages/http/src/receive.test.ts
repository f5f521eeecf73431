import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createLogger, createMetrics } from '@authserver/telemetry';
import { drain } from './drain.ts';
import { listenFor } from './listen.ts';
import { receive } from './receive.ts';
import { createHttpServer } from './server.ts';

const logger = createLogger({ level: 'error', stdout: false });

/** A server without a port, and a port that leads to it. */
const start = async (t: TestContext) => {
  const app = createHttpServer({
    ...{ logger, metrics: createMetrics(), trustedProxies: [] },
    ...{ readTimeoutMs: 500, writeTimeoutMs: 5_000, idleTimeoutMs: 60_000 },
  });
  app.get('/', async () => 'here');
  app.get('/slow', async () => setTimeout(300, 'late'));
  const take = await receive(app);
  const pass = (connection: Socket) => {
    take(connection);
    connection.resume(); // one that comes from another process flows
  };
  const entrance = await listenFor(pass, { host: '127.0.0.1', port: 0 }, true);
  t.after(async () => {
    entrance.close();
    await drain(app, 0);
  });
  const socket = connect(entrance.port, '127.0.0.1').setEncoding('utf8');
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  return { app, entrance, socket };
};

test('a connection that another one accepted is answered on, and waited for at the end', async (t) => {
  const { app, entrance, socket } = await start(t);
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
  assert.match((await once(socket, 'data'))[0], /^HTTP\/1\.1 200 .*here$/s);
  socket.write('GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await setTimeout(100);
  entrance.close();
  const left = drain(app, 5_000);
  assert.match((await once(socket, 'data'))[0], /late$/);
  const closed = once(socket, 'close');
  const began = performance.now();
  await Promise.all([left, closed]);
  assert.ok(performance.now() - began < 2_000, 'it is idle by now');
  await assert.rejects(once(connect(entrance.port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' });
});

test('headers that dribble are refused there as well', async (t) => {
  const { socket } = await start(t);
  socket.write('GET / HTTP/1.1\r\nhost: ');
  const [text] = await once(socket, 'data', { signal: AbortSignal.timeout(10_000) });
  assert.match(text, /^HTTP\/1\.1 408 /);
});

test('a port that is taken is named', async (t) => {
  const { entrance } = await start(t);
  await assert.rejects(
    listenFor(() => {}, { host: '127.0.0.1', port: entrance.port }, true),
    /is in use already/,
  );
});
