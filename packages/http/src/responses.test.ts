import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { createLogger, createMetrics } from '@authserver/telemetry';
import type { FastifyReply } from 'fastify';
import { leaveTogether } from './responses.ts';
import { createHttpServer } from './server.ts';

const app = createHttpServer({
  logger: createLogger({ level: 'silent', stdout: false }),
  metrics: createMetrics(),
  headers: { 'x-frame-options': 'DENY', 'cache-control': 'no-store' },
  trustedProxies: [],
  readTimeoutMs: 5_000,
  writeTimeoutMs: 5_000,
  idleTimeoutMs: 5_000,
});
app.get('/text', (_request, reply) => reply.send('a text with é and € in it'));
app.get('/plain', (_request, reply) => reply.send('a plain text'));
app.get('/own', (_request, reply) => reply.header('cache-control', 'public').send('kept'));
app.get('/stream', (_request, reply) =>
  reply.header('cache-control', 'public').send(Readable.from(['a ', 'stream é'])),
);
const atHand: FastifyReply[] = [];
const hadLeft: boolean[] = [];
app.get('/together', (_request, reply) => {
  hadLeft.push(...atHand.map(({ raw }) => raw.writableEnded));
  atHand.push(reply);
  leaveTogether(reply);
  reply.send('at hand');
});
app.get('/nothing', (_request, reply) => reply.code(204).send());
const origin = await app.listen({ port: 0, host: '127.0.0.1' });
after(() => app.close());

for (const [path, cacheControl, body] of [
  ['/text', 'no-store', 'a text with é and € in it'],
  ['/plain', 'no-store', 'a plain text'],
  ['/own', 'public', 'kept'],
  ['/stream', 'public', 'a stream é'],
  ['/together', 'no-store', 'at hand'],
  ['/nothing', 'no-store', ''],
  ['/nowhere', 'no-store', undefined],
] as const)
  test(`${path} carries what every answer carries, unless it says something else itself`, async () => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await fetch(`${origin}${path}`, { method });
      assert.equal(answer.headers.get('x-frame-options'), 'DENY');
      assert.equal(answer.headers.get('cache-control'), cacheControl);
      assert.match(answer.headers.get('x-request-id') ?? '', /^[\w-]{19,}$/);
      const text = await answer.text();
      if (method === 'GET' && body !== undefined) assert.equal(text, body);
    }
  });

test('answers that are at hand leave after all requests of that turn were heard, in their order', async () => {
  atHand.length = 0;
  hadLeft.length = 0;
  const socket = connect({ port: Number(new URL(origin).port), host: '127.0.0.1' });
  socket.write(['/together', '/together', '/text'].map((path) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`).join(''));
  let heard = '';
  for await (const chunk of socket) {
    heard += chunk;
    if (heard.includes('a text')) break;
  }
  assert.deepEqual(hadLeft, [false]);
  assert.match(heard, /^HTTP\/1.1 200 .*at handHTTP\/1.1 200 .*at handHTTP\/1.1 200 .*a text/s);
});

test('a header that is none stops the start', () => {
  for (const headers of [{ 'x-frame-options': 'DENY\r\nx-other: 1' }, { 'x frame': 'DENY' }])
    assert.throws(() => carrying(headers));
});
const carrying = (headers: Record<string, string>) =>
  createHttpServer({
    logger: createLogger({ level: 'silent', stdout: false }),
    metrics: createMetrics(),
    headers,
    ...{ trustedProxies: [], readTimeoutMs: 1, writeTimeoutMs: 1, idleTimeoutMs: 1 },
  });
