/** The one way out of this server, against hosts that mean no good. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createOutboundClient, OutboundError, type OutboundFailure, type OutboundOptions } from '@authserver/outbound';
import { startMetadataHost } from '../support/metadata-host.ts';

const host = await startMetadataHost();
const secure = await startMetadataHost({ https: 'client.example' });
const local = { allowHttp: true, allowPrivateAddresses: true };
const ended: string[] = [];
const client = (options: Partial<OutboundOptions<'test'>> = {}) =>
  createOutboundClient<'test'>({
    ...local,
    onEnd: (purpose, outcome) => ended.push(`${purpose} ${outcome}`),
    ...options,
  });
const get = (url: string, options: Partial<OutboundOptions<'test'>> = {}, timeoutMs = 2_000) =>
  client(options).get({ url, purpose: 'test', accept: 'application/json', timeoutMs, maxBytes: 1000 });

/** Asserts how a request fails, and that the error tells nothing of what was received or where. */
const fails = async (work: Promise<unknown>, failure: OutboundFailure, message = /./): Promise<void> => {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof OutboundError, String(error));
    assert.equal(error.failure, failure, error.message);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /secret|127\.0\.0\.1|169\.254/);
    return true;
  });
  assert.equal(ended.at(-1), `test ${failure}`);
};

test('an answer: status, headers and body, with nothing about us in the request', async () => {
  const response = await get(host.publish('/ok', '{"a":1}', { 'cache-control': 'max-age=60' }));
  assert.deepEqual([response.status, response.body.toString()], [200, '{"a":1}']);
  assert.equal(response.headers.get('cache-control'), 'max-age=60');
  const headers = host.requests.at(-1)?.headers ?? {};
  assert.equal(headers.accept, 'application/json');
  assert.equal(headers['accept-encoding'], 'identity');
  assert.deepEqual(Object.keys(headers).sort(), ['accept', 'accept-encoding', 'connection', 'host', 'user-agent']);
  assert.equal(ended.at(-1), 'test answered');
});

test('https, with the certificate of the name that was asked for', async () => {
  const hosts = { resolve: async () => ['127.0.0.1'] };
  const url = secure.publish('/ok', 'fine');
  assert.equal((await get(url, hosts)).body.toString(), 'fine');
  await fails(get(url.replace('client.example', 'other.example'), hosts), 'unreachable', /ALTNAME/);
});

test('TLS is verified whatever the environment says', async () => {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  try {
    await fails(
      get(secure.publish('/ok', 'fine').replace('client.example', 'other.example'), {
        resolve: async () => ['127.0.0.1'],
      }),
      'unreachable',
    );
  } finally {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  }
});

test('no proxy is used, though the environment names one', async () => {
  const proxied: string[] = [];
  const proxy = createServer((socket) =>
    socket.on('error', () => {}).on('data', (data) => proxied.push(data.toString())),
  );
  await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening));
  after(() => proxy.close());
  const { port } = proxy.address() as { port: number };
  Object.assign(process.env, { HTTP_PROXY: `http://127.0.0.1:${port}`, NODE_USE_ENV_PROXY: '1' });
  try {
    assert.equal((await get(host.publish('/direct', 'x'))).status, 200);
    assert.deepEqual(proxied, []);
  } finally {
    delete process.env.HTTP_PROXY;
    delete process.env.NODE_USE_ENV_PROXY;
  }
});

test('a redirect is not followed, wherever it leads [CIMD-05 threat G03]', async () => {
  const target = host.publish('/target', 'secret');
  for (const location of [target, 'http://169.254.169.254/latest/meta-data/', '/target']) {
    for (const status of [301, 302, 303, 307, 308]) {
      const url = host.on('/redirect', (_request, response) => response.writeHead(status, { location }).end('secret'));
      const response = await get(url);
      assert.deepEqual([response.status, response.body.length], [status, 0]);
    }
  }
  assert.equal(host.count('/target'), 0);
});

const bad = ['127.0.0.1', '::1', '169.254.169.254', '10.1.2.3', 'fd00::1', '::ffff:127.0.0.1', '0.0.0.0'];
for (const address of bad)
  test(`a name that leads to ${address} is not gone to, alone or among good addresses [CIMD-18 threat G03]`, async () => {
    const url = secure.publish('/inside', 'secret');
    for (const addresses of [[address], ['93.184.216.34', address], [address, '2606:4700::1111']])
      await fails(get(url, { allowPrivateAddresses: false, resolve: async () => addresses }), 'forbidden');
    assert.equal(secure.count('/inside'), 0);
  });

test('a name is resolved once and the connection goes to what was checked (DNS rebinding) [threat G03]', async () => {
  let asked = 0;
  const answers = [['127.0.0.1'], ['192.0.2.1']];
  const resolve = async () => answers[asked++] ?? [];
  assert.equal((await get(secure.publish('/ok', 'fine'), { resolve })).status, 200);
  assert.equal(asked, 1);
  // The other way round: good when it is checked, ours when it would be used.
  asked = 0;
  answers.splice(0, 2, ['192.0.2.1'], ['127.0.0.1']);
  const before = secure.requests.length;
  await assert.rejects(get(secure.publish('/ok', 'fine'), { resolve }, 300));
  assert.deepEqual([asked, secure.requests.length], [1, before]);
});

test('a name that does not exist, has no address, or is never answered', async () => {
  await fails(get(`${secure.origin}/x`, { resolve: async () => [] }), 'unreachable');
  await fails(
    get(`${secure.origin}/x`, { resolve: () => Promise.reject(new Error('NXDOMAIN secret')) }),
    'unreachable',
  );
  await fails(get(`${secure.origin}/x`, { resolve: () => new Promise(() => {}) }, 100), 'timeout');
});

test('a host that lets us wait: before the headers, before the body, and byte by byte', async () => {
  const waits: Parameters<typeof host.on>[1][] = [
    () => {},
    (_request, response) => response.writeHead(200).flushHeaders(),
    (_request, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(drip));
    },
  ];
  for (const wait of waits) {
    const started = performance.now();
    await fails(get(host.on('/slow', wait), {}, 300), 'timeout');
    assert.ok(performance.now() - started < 1_000);
  }
});

test('a body without end, announced or not, is not read to the end [CIMD-20]', async () => {
  const announced = host.on('/announced', (_request, response) =>
    response.writeHead(200, { 'content-length': '1000000' }).flushHeaders(),
  );
  await fails(get(announced), 'oversized');
  let sent = 0;
  const endless = host.on('/endless', (_request, response) => {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(1000))) sent += 1000;
    };
    response.on('drain', more);
    more();
  });
  await fails(get(endless), 'oversized');
  assert.ok(sent < 10_000_000, `${sent} bytes were sent`);
  assert.equal((await get(host.publish('/fits', 'x'.repeat(1000)))).body.length, 1000);
  await fails(get(host.publish('/fits-not', 'x'.repeat(1001))), 'oversized');
});

test('a compressed answer is refused before it can grow', async () => {
  const bomb = gzipSync(Buffer.alloc(100_000));
  const url = host.on('/bomb', (_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
  );
  await fails(get(url), 'malformed');
});

test('what is no HTTP, breaks off, or has endless headers is no answer', async () => {
  const reply = async (text: string): Promise<string> => {
    const server = createServer((socket) => socket.on('error', () => {}).end(text));
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    after(() => server.close());
    return `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
  };
  await fails(get(await reply('SSH-2.0-secret\r\n')), 'malformed');
  await fails(get(await reply(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)), 'malformed');
  await fails(get(await reply('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort')), 'unreachable');
  await fails(
    get(await reply('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n')),
    'malformed',
  );
  await fails(get('http://127.0.0.1:1/'), 'forbidden');
  const gone = await startMetadataHost();
  await gone.close();
  await fails(get(`${gone.origin}/`), 'unreachable');
});

test('plain http is for whoever allows it', async () => {
  await fails(get(host.publish('/ok', '{}'), { allowHttp: false }), 'forbidden', /https/);
});
