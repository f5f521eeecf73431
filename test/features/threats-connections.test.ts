/** Connections that are slow, endless or say one thing to us and another to whoever stands in front of us. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { startAuthServer } from '../support/auth-server.ts';
import { ok, raw } from '../support/test-app.ts';

const server = await startAuthServer({ env: { LOG_STDOUT: 'false' } });
const impatient = await startAuthServer({ env: { SERVER_READ_TIMEOUT: '2s', LOG_STDOUT: 'false' } });
const machineAt = (at: typeof server) =>
  at.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'], ceiling: ['tools/read'] });
const machine = await machineAt(server);
const hurried = await machineAt(impatient);
const form = 'application/x-www-form-urlencoded';
const sockets: Socket[] = [];
after(() => {
  for (const socket of sockets) socket.destroy();
});

/** A connection that sends what it is told to, and what came back until the server ended it. */
const open = async (at: typeof server, { allowHalfOpen = false } = {}) => {
  const socket = connect({ port: Number(new URL(at.issuer).port), host: 'localhost', allowHalfOpen });
  sockets.push(socket);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  const started = performance.now();
  const ended = new Promise<{ text: string; seconds: number }>((resolve) =>
    socket.once('close', () => resolve({ text, seconds: (performance.now() - started) / 1000 })),
  );
  await new Promise((resolve) => socket.once('connect', resolve));
  return { socket, ended };
};
const dribble = async (socket: Socket, text: string, everyMs = 500) => {
  for (const character of text) {
    if (socket.destroyed) return;
    socket.write(character);
    await pause(everyMs);
  }
};
const head = (headers: string, path = '/oauth/token') =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${form}\r\n${headers}\r\n\r\n`;

test('who sends a type and no body has sent an empty one, and is answered at once', async () => {
  const types = { '/oauth/token': form, '/oauth/register': 'application/json', '/login': form, '/nowhere': form };
  for (const [path, type] of Object.entries(types)) {
    const { socket, ended } = await open(impatient);
    socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nConnection: close\r\n\r\n`);
    const { text, seconds } = await ended;
    assert.match(text, /^HTTP\/1\.1 4\d\d /, path);
    assert.doesNotMatch(text, /^HTTP\/1\.1 408/, path);
    assert.ok(seconds < 1.5, `${path}: ${seconds} s`);
  }
});

describe('slow clients', { concurrency: true }, () => {
  test('headers that dribble in are waited for no longer than fifteen seconds, whatever read_timeout is [threat L02]', async () => {
    const { socket, ended } = await open(server);
    socket.write('POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    void dribble(socket, 'x'.repeat(100));
    const { text, seconds } = await ended;
    assert.match(text, /^HTTP\/1\.1 408 /);
    assert.ok(seconds > 13 && seconds < 19, `${seconds} s`);
  });

  test('many slow connections end in time, in headers and in bodies, and nobody else waits for them [threat L02]', async () => {
    const slow = await Promise.all(Array.from({ length: 300 }, () => open(impatient)));
    for (const [index, { socket }] of slow.entries()) {
      socket.write(index % 2 ? 'GET /login HTTP/1.1\r\nX: ' : `${head('Content-Length: 100')}grant`);
      void dribble(socket, 'x'.repeat(20));
    }
    const waits: number[] = [];
    for (let round = 0; round < 20; round += 1) {
      const start = performance.now();
      ok(await hurried.clientCredentials());
      waits.push(performance.now() - start);
    }
    assert.ok((waits.sort((a, b) => a - b)[10] as number) < 500, waits.join());
    for (const { text, seconds } of await Promise.all(slow.map(({ ended }) => ended))) {
      assert.match(text, /^HTTP\/1\.1 4(08|00) /);
      assert.ok(seconds < 9, `${seconds} s`);
    }
  });

  test('a body that is announced and never ends is cut, and a chunked one stops at the limit [threat L01]', async () => {
    const announced = await open(impatient);
    announced.socket.write(`${head('Content-Length: 60000')}token=x`);
    assert.match((await announced.ended).text, /^HTTP\/1\.1 4(08|00) /);

    const endless = await open(server);
    endless.socket.write(head('Transfer-Encoding: chunked'));
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    let sent = 0;
    while (!endless.socket.destroyed && sent < 2_000) {
      if (!endless.socket.write(chunk)) await Promise.race([pause(50), endless.ended]);
      sent += 1;
    }
    const { text } = await endless.ended;
    assert.match(text, /^(HTTP\/1\.1 413 |$)/);
    assert.ok(sent < 2_000, 'the connection is closed');
  });
});

test('who reads only when all is sent still learns that it was too much (RFC 9112 §9.6)', async () => {
  const { socket, ended } = await open(server);
  socket.pause();
  const size = 100 * 1024;
  socket.write(head(`Content-Length: ${size}`));
  for (let sent = 0; sent < size; sent += 20 * 1024) {
    await pause(100);
    socket.write('x'.repeat(20 * 1024));
  }
  socket.resume();
  const { text, seconds } = await ended;
  assert.match(text, /^HTTP\/1\.1 413 .*connection: close.*"invalid_request"/is);
  assert.ok(seconds < 3, `${seconds} s`);
});

test('a request behind one that ended the connection is not carried out (RFC 9112 §9.6)', async () => {
  const { socket, ended } = await open(server);
  const size = 100 * 1024;
  const request = `grant_type=client_credentials&scope=${encodeURIComponent('tools/read')}`;
  const authorization = `Basic ${Buffer.from(`${machine.clientId}:${machine.clientSecret}`).toString('base64')}`;
  const behind = `${head(`Authorization: ${authorization}\r\nContent-Length: ${request.length}`)}${request}`;
  socket.write(head(`Content-Length: ${size}`) + 'x'.repeat(size) + behind);
  assert.match((await ended).text, /^HTTP\/1\.1 413 (?!.*HTTP\/1\.1)/s);
  await pause(300); // it would be answered by then
  const rows = await server.sql('select id from issuances where client_id = $1', [machine.clientId]);
  assert.deepEqual(rows, []);
});

test('who goes on sending after that is cut in the end [threat L02]', async () => {
  const { socket, ended } = await open(server, { allowHalfOpen: true });
  socket.write(head(`Content-Length: ${100 * 1024}`));
  void dribble(socket, 'x'.repeat(40), 250);
  const { text, seconds } = await ended;
  assert.match(text, /^HTTP\/1\.1 413 /);
  assert.ok(seconds > 4 && seconds < 8, `${seconds} s`);
});

test('ten megabytes of JSON, and a hundred thousand levels, cost no memory [threat L01]', async () => {
  const json = { 'content-type': 'application/json' };
  const post = (body: string) =>
    raw(machine.url('/oauth/register'), { method: 'POST', headers: json, body }).catch(() => ({ status: 413 }));
  await post('{}');
  const before = process.memoryUsage.rss();
  for (let round = 0; round < 3; round += 1) {
    assert.equal((await post(`{"client_name":"${'x'.repeat(10 * 1024 * 1024)}"}`)).status, 413);
    for (const levels of [10_000, 100_000])
      assert.match(String((await post(`{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`)).status), /^4(00|13)$/);
    for (const length of [50_000, 1_000_000])
      assert.match(String((await post(`{"${'k'.repeat(length)}":1,"redirect_uris":"x"}`)).status), /^4(00|13)$/);
  }
  const grown = (process.memoryUsage.rss() - before) / 1024 / 1024;
  assert.ok(grown < 150, `${grown} MiB, of which the test itself holds some`);
});

test('two hundred headers, and eight kilobytes of state at every step, are answered and never cut [threat L03]', async () => {
  const headers = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`x-${n}`, 'y']));
  assert.equal((await raw(`${server.issuer}/livez`, { headers })).status, 200);
  const app = await server.client();
  for (const size of [2_000, 7_000, 15_000, 64_000]) {
    const { status, headers: answered } = await raw(
      app.authorizeUrl('a'.repeat(43), { state: 's'.repeat(size), scope: 'no/such' }),
    );
    const back = answered.get('location');
    if (size <= 8_000) assert.equal(new URL(String(back)).searchParams.get('state')?.length, size);
    else assert.deepEqual([[400, 414, 431].includes(status), back], [true, null], `${size}: ${status}`);
  }
  assert.equal((await raw(server.issuer, { headers: { cookie: `a=${'x'.repeat(32_000)}` } })).status, 431);
});

const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';
for (const [name, bytes] of Object.entries({
  'a length beside chunks': `${head('Content-Length: 6\r\nTransfer-Encoding: chunked')}0\r\n\r\n${smuggled}`,
  'chunks beside a length': `${head('Transfer-Encoding: chunked\r\nContent-Length: 6')}0\r\n\r\n${smuggled}`,
  'two codings': `${head('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity')}0\r\n\r\n${smuggled}`,
  'a coding after chunked': `${head('Transfer-Encoding: chunked, identity')}0\r\n\r\n${smuggled}`,
  'a coding in disguise': `${head('Transfer-Encoding: \u000bchunked')}0\r\n\r\n${smuggled}`,
  'a space before the colon': head('Content-Length : 60') + smuggled,
  'lengths in a list': head('Content-Length: 0, 60') + smuggled,
  'a length with a sign': head('Content-Length: +60') + smuggled,
  'a length in hexadecimal': head('Content-Length: 0x3c') + smuggled,
  'a length below zero': head('Content-Length: -1') + smuggled,
  'a chunk of no size': `${head('Transfer-Encoding: chunked')}zz\r\nx\r\n0\r\n\r\n${smuggled}`,
  'a chunk longer than it says': `${head('Transfer-Encoding: chunked')}1\r\nxxxx\r\n0\r\n\r\n${smuggled}`,
  'chunks in HTTP/1.0': `${head('Connection: keep-alive\r\nTransfer-Encoding: chunked').replace('1.1', '1.0')}0\r\n\r\n${smuggled}`,
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'a line break in a header': head('X-A: a\rTransfer-Encoding: chunked') + smuggled,
  'a NUL in a header': head('X-A: a\0b') + smuggled,
}))
  test(`one request is never read as two: ${name} [threat L09]`, async () => {
    const { socket, ended } = await open(impatient);
    socket.write(bytes);
    const { text } = await ended;
    const answers = [...text.matchAll(/HTTP\/1\.1 (\d\d\d) /g)].map(([, status]) => status);
    assert.ok(answers.length <= 1, text);
    for (const status of answers) assert.match(String(status), /^4/);
    assert.doesNotMatch(text, /smuggled/);
  });
