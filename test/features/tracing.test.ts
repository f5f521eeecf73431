/**
 * Traces as a collector receives them. The servers are processes of their own; requests from 127.0.0.1 come by a trusted
 * proxy, those from 127.0.0.2 from anybody.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { TestBrowser } from '../support/browser.ts';
import { createDatabase } from '../support/database.ts';
import { type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { freePorts } from '../support/server-process.ts';
import { type StartedServer, startServer } from '../support/started-server.ts';
import { raw } from '../support/test-app.ts';

const receiver = await startOtlpReceiver();
after(() => receiver.close());
const { dsn, drop } = await createDatabase();
after(drop);
const [token = 0, admin = 0, internal = 0] = await freePorts(3);
const env = {
  SERVER_ISSUER: `http://127.0.0.1:${token}`,
  SERVER_ADDRESS: `127.0.0.1:${token}`,
  SERVER_TRUSTED_PROXIES: '127.0.0.1',
  STORAGE_DRIVER: 'postgres',
  STORAGE_POSTGRES_DSN: dsn,
  TRACING_ENABLED: 'true',
  TRACING_ENDPOINT: receiver.grpc,
  TRACING_INSECURE: 'true',
  TRACING_SAMPLE_RATE: '0',
  SERVER_SHUTDOWN_WAIT: '3s',
};
const server = await startServer({ env, ports: { token, admin, internal } });
const person = await server.user();
const resource = 'https://notes.example.com/mcp';
await server.resource({ slug: 'notes', uri: resource });
const app = await server.client({
  grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
  redirectUris: ['https://app.example.com/cb'],
  scope: 'tools/read tools/write',
});

const newTrace = () => randomBytes(16).toString('hex');
const caller = '00f067aa0ba902b7';
const sampled = (traceId: string) => ({ traceparent: `00-${traceId}-${caller}-01` });
const spansOf = (traceId: string): ReceivedSpan[] => receiver.spans().filter((span) => span.traceId === traceId);
/** The spans of a trace once it has so many of requests, and nothing has come for a while. */
const traceOf = async (traceId: string, requests: number): Promise<ReceivedSpan[]> => {
  await receiver.until(() => spansOf(traceId).filter(({ kind }) => kind === 'server').length >= requests);
  return spansOf(traceId);
};
const names = (spans: readonly ReceivedSpan[]) => spans.map(({ name }) => name);
const under = (spans: readonly ReceivedSpan[], parent: ReceivedSpan | undefined): string[] =>
  names(spans.filter(({ parentSpanId }) => parentSpanId === parent?.spanId));

test('a whole code flow is one tree under the span of the caller, and its log lines name the spans', async () => {
  const traceId = newTrace();
  const grant = await app.code({ user: person, resource }, new TestBrowser(sampled(traceId)));
  const tokens = await app.redeem(grant, {}, 0, sampled(traceId));
  assert.equal(tokens.status, 200, JSON.stringify(tokens.body));
  const spans = await traceOf(traceId, 6);

  const ids = new Set(spans.map(({ spanId }) => spanId));
  for (const { name, parentSpanId } of spans)
    assert.ok(ids.has(parentSpanId) || parentSpanId === caller, `${name} hangs in the air`);
  const requests = spans.filter(({ parentSpanId }) => parentSpanId === caller);
  assert.deepEqual(new Set(names(requests)), new Set(names(spans.filter(({ kind }) => kind === 'server'))));
  for (const name of ['GET /oauth/authorize', 'POST /login', 'POST /consent', 'POST /oauth/token'])
    assert.ok(names(requests).includes(name), `${name} in ${names(requests)}`);

  const request = spans.find(({ name }) => name === 'POST /oauth/token');
  const granting = spans.find(({ name }) => name === 'grant authorization_code');
  assert.deepEqual(under(spans, request), ['grant authorization_code', 'sign', 'code_redeem_many']);
  assert.deepEqual(under(spans, granting), [], 'the process remembers the code it gave out');
  assert.equal(granting?.attributes.client_id, app.clientId);
  assert.equal(spans.find(({ name }) => name === 'sign')?.attributes.algorithm, 'ES256');
  const statement = spans.find(({ name }) => name === 'code_redeem_many');
  assert.deepEqual([statement?.kind, statement?.attributes], ['client', { 'db.system.name': 'postgresql' }]);
  assert.ok(spans.every(({ failed }) => !failed));
  const signIn = spans.find(({ name }) => name === 'POST /login');
  assert.ok(under(spans, signIn).includes('hash password'));

  const { request_id, ...attributes } = request?.attributes ?? {};
  assert.deepEqual(attributes, {
    'http.request.method': 'POST',
    'http.route': '/oauth/token',
    'url.scheme': 'http',
    'http.response.status_code': 200,
  });
  assert.equal(request?.resource['service.name'], 'authserver');
  assert.match(String(request?.resource['service.instance.id']), /^[0-9a-f-]{36}$/);
  assert.ok(request && request.endMs >= request.startMs && request.endMs - request.startMs < 5_000);
});

test('only a trusted proxy decides what is recorded; what it leaves out, chance does not bring back', async () => {
  const before = receiver.spans().length;
  const forged = newTrace();
  const left = newTrace();
  const traced = newTrace();
  const jwks = `${server.issuer}/.well-known/jwks.json`;
  // Anybody is 127.0.0.2.
  const ask = (traceparent: string, localAddress: string) => raw(jwks, { localAddress, headers: { traceparent } });
  assert.equal((await ask(sampled(forged).traceparent, '127.0.0.2')).status, 200);
  assert.equal((await ask(`00-${left}-${caller}-00`, '127.0.0.1')).status, 200);
  assert.equal((await ask(sampled(traced).traceparent, '127.0.0.1')).status, 200);
  const [span] = await traceOf(traced, 1);
  assert.equal(span?.parentSpanId, caller);
  assert.deepEqual([spansOf(forged), spansOf(left)], [[], []]);
  assert.deepEqual(names(receiver.spans().slice(before)), ['GET /.well-known/jwks.json']);
});

test('what is no traceparent changes nothing and is written nowhere', async () => {
  const before = receiver.spans().length;
  const last = newTrace();
  const hostile = [
    `00-${'0'.repeat(32)}-${caller}-01`,
    `00-${newTrace()}-${'0'.repeat(16)}-01`,
    `00-${newTrace().toUpperCase()}-${caller}-01`,
    `ff-${newTrace()}-${caller}-01`,
    `00-${newTrace()}-${caller}-01-more`,
    `cc-${newTrace()}-${caller}-01-${'x'.repeat(6_000)}`,
    '{"traceId":1}',
    '',
    `${sampled(newTrace()).traceparent}, ${sampled(newTrace()).traceparent}`,
    'x'.repeat(8_000),
  ];
  const baggage = `secret=${'b'.repeat(8_000)},${'k=v,'.repeat(500)}`.slice(0, 9_000);
  for (const traceparent of hostile)
    for (const localAddress of ['127.0.0.1', '127.0.0.2']) {
      const headers = { traceparent, baggage: baggage.slice(0, 6_000), tracestate: 'a=b,'.repeat(200) };
      const { status } = await raw(`${server.issuer}/nowhere/${randomBytes(4).toString('hex')}`, {
        localAddress,
        headers,
      });
      assert.equal(status, 404, traceparent);
    }
  await raw(`${server.issuer}/nowhere/x?code=the-code`, {
    localAddress: '127.0.0.1',
    headers: { ...sampled(last), baggage: `secret=${'b'.repeat(100)}` },
  });
  const [span] = await traceOf(last, 1);
  assert.deepEqual(
    names(receiver.spans().slice(before)),
    ['GET'],
    'of a path that is not ours only the method is told',
  );
  assert.doesNotMatch(JSON.stringify(span), /nowhere|the-code|bbbb/);
  assert.doesNotMatch(receiver.text(), /bbbb/);
});

test('a bucket of a latency names a recorded request, where OpenMetrics is asked for', async () => {
  const traceId = newTrace();
  assert.equal((await app.clientCredentials({ resource }, 0, sampled(traceId))).status, 200);
  await traceOf(traceId, 1);
  const scrape = async (accept: string) => (await fetch(`${server.adminUrl}/metrics`, { headers: { accept } })).text();
  const text = await scrape('application/openmetrics-text');
  for (const series of [
    'authserver_http_request_duration_seconds_bucket\\{[^}]*path="/oauth/token"',
    'authserver_token_issuance_duration_seconds_bucket\\{[^}]*grant_type="client_credentials"',
  ])
    assert.match(
      text,
      new RegExp(`^${series}[^}]*\\} \\d+ # \\{trace_id="${traceId}"\\} 0\\.\\d+ \\d+\\.\\d{3}$`, 'm'),
    );
  assert.doesNotMatch(await scrape('text/plain'), /trace_id/);
});

test('a failure of ours is marked, a refusal is none', async () => {
  const refused = newTrace();
  await app.refresh('not a token', {}, 0, sampled(refused));
  const spans = await traceOf(refused, 1);
  assert.ok(spans.every(({ failed }) => !failed));
  const granting = spans.find(({ name }) => name === 'grant refresh_token');
  assert.equal(granting?.attributes['error.type'], 'invalid_grant');
});

test('probes and scrapes are no traces', async () => {
  const before = receiver.spans().length;
  const last = newTrace();
  for (const url of [`${server.issuer}/livez`, `${server.issuer}/ready`, `${server.adminUrl}/metrics`])
    await raw(url, { headers: sampled(newTrace()) });
  await raw(`${server.issuer}/.well-known/jwks.json`, { localAddress: '127.0.0.1', headers: sampled(last) });
  await traceOf(last, 1);
  assert.deepEqual(names(receiver.spans().slice(before)), ['GET /.well-known/jwks.json']);
});

test('without an endpoint that takes them, requests are answered and the process ends in time', async () => {
  receiver.hang(true);
  const hanging = newTrace();
  for (let n = 0; n < 50; n += 1) {
    const startedMs = performance.now();
    const { status, body } = await app.clientCredentials({ resource }, 0, sampled(hanging));
    assert.equal(status, 200, JSON.stringify(body));
    assert.ok(performance.now() - startedMs < 2_000);
  }
  const stoppedMs = performance.now();
  assert.deepEqual(await stop(server), { code: 0, signal: null });
  assert.ok(performance.now() - stoppedMs < 6_000, `${performance.now() - stoppedMs} ms`);
  receiver.hang(false);
});

const stop = (one: StartedServer) => one.stop();
