/** The log as its readers have it: lines on standard output, and records at a collector. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createDatabase } from '../support/database.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { freePorts } from '../support/server-process.ts';
import { type StartedServer, startServer } from '../support/started-server.ts';
import { raw } from '../support/test-app.ts';

const receiver = await startOtlpReceiver();
after(() => receiver.close());
const { dsn, drop } = await createDatabase();
after(drop);
const storage = { STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: dsn };
const [nobody = 0] = await freePorts(1);

const server = await startServer({
  env: {
    ...storage,
    LOG_ADD_SOURCE: 'true',
    LOG_OTEL: 'true',
    LOG_OTEL_ENDPOINT: receiver.http,
    LOG_OTEL_INSECURE: 'true',
    TRACING_ENABLED: 'true',
    TRACING_ENDPOINT: receiver.grpc,
    TRACING_INSECURE: 'true',
  },
});

type Line = Record<string, unknown>;
const linesOf = (one: StartedServer): Line[] =>
  one.process
    .stdout()
    .split('\n')
    .filter((line) => line.startsWith('{"level"'))
    .map((line) => JSON.parse(line));
/** The lines that fit, as soon as there is one. */
const linesWith = (about: Line, one = server): Promise<[Line, ...Line[]]> =>
  receiver.until(
    () => {
      const found = linesOf(one).filter((line) => Object.entries(about).every(([key, value]) => line[key] === value));
      return found.length > 0 && (found as [Line, ...Line[]]);
    },
    `no line with ${JSON.stringify(about)}`,
  );

test('a request is a line with what was asked by whom, what came of it, and where it is in its trace', async () => {
  const headers = { 'user-agent': `Probe/1.0 (${'x'.repeat(400)})` };
  const answer = await raw(`${server.issuer}/.well-known/jwks.json?secret=in-the-query`, { headers });
  const request_id = String(answer.headers.get('x-request-id'));
  const [line, ...more] = await linesWith({ request_id });
  assert.deepEqual(more, []);
  const { time, duration_ms, remote_addr, trace_id, span_id, ...rest } = line;
  assert.deepEqual(rest, {
    ...{ level: 'info', service: 'authserver', component: 'token', request_id, method: 'GET', msg: 'http request' },
    ...{ path: '/.well-known/jwks.json', status: 200, bytes: Buffer.byteLength(answer.text) },
    user_agent: headers['user-agent'].slice(0, 256),
  });
  assert.ok(Number.isFinite(Date.parse(String(time))) && Number(duration_ms) >= 0);
  assert.match(String(remote_addr), /^(::1|(::ffff:)?127\.0\.0\.1)$/);
  const span = await receiver.until(() => receiver.spans().find((one) => one.spanId === span_id));
  assert.equal(span.traceId, trace_id);
  assert.equal(span.attributes.request_id, request_id);

  const failed = await raw(`${server.issuer}/oauth/token`, { method: 'POST' });
  const about = await linesWith({ request_id: failed.headers.get('x-request-id') });
  assert.deepEqual(
    new Set(about.map(({ level, msg }) => `${level} ${msg}`)),
    new Set(['info request denied', 'warn http request']),
  );
  assert.equal(new Set(about.map((one) => one.trace_id)).size, 1);
  assert.match(
    String(about.find(({ msg }) => msg === 'request denied')?.source),
    /^packages\/http\/src\/oauth-errors\.ts:\d+$/,
  );
});

test('what the audit trail has is in the log once it is committed, and what was only tried is not', async () => {
  const key = await server.adminKey();
  const create = (email: string, query = '') =>
    fetch(`${server.adminUrl}/admin/users${query}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ email, name: 'Ada', password: 'correct horse battery staple' }),
    });
  const rehearsed = await create('nobody@example.com', '?dry_run=true');
  assert.equal(rehearsed.status, 200, await rehearsed.text());
  const created = await create('ada@example.com');
  assert.equal(created.status, 201, await created.clone().text());
  const { id } = (await created.json()) as { id: string };
  const request_id = created.headers.get('x-request-id');
  const [line] = await linesWith({ msg: 'audit', action: 'user.created', request_id });
  assert.deepEqual([line.level, line.component, line.actor_id], ['info', 'admin', 'admin']);
  assert.match(JSON.stringify(line.detail), new RegExp(id));
  const request = await linesWith({ msg: 'http request', request_id });
  assert.equal(line.trace_id, request[0].trace_id);
  await linesWith({ msg: 'http request', request_id: rehearsed.headers.get('x-request-id') });
  assert.equal(linesOf(server).filter(({ action }) => action === 'user.created').length, 1);
  const found = await fetch(`${server.adminUrl}/admin/audit?action=user.created`, {
    headers: { authorization: `Bearer ${key}` },
  });
  assert.match(await found.text(), new RegExp(`"trace_id":"${line.trace_id}"`), 'the trail names the trace as well');
});

test('a start says what it offers, and a reload of the keys what it found', async () => {
  const [{ features }] = await linesWith({ msg: 'features' });
  const { dpop, redis, dcr, token_exchange } = features as Record<string, string>;
  assert.deepEqual(
    { dpop, redis, dcr, token_exchange },
    { dpop: 'enabled', redis: 'disabled', dcr: 'enabled', token_exchange: 'enabled' },
  );
  server.process.signal('SIGHUP');
  const [{ key_count, duration_ms }] = await linesWith({ msg: 'signing keys reloaded' });
  assert.equal(key_count, 2, 'the current key and the next');
  assert.equal(typeof duration_ms, 'number');
});

test('a collector gets what standard output gets, as records', async () => {
  const lines = linesOf(server).filter(({ msg }) => msg === 'http request');
  await receiver.until(() => lines.every(({ request_id }) => recordOf(request_id, 'http request')));
  for (const { request_id, level, msg, time, trace_id, span_id, service, ...fields } of lines) {
    const record = recordOf(request_id, 'http request');
    assert.equal(record?.resource['service.name'], service);
    assert.deepEqual(record?.attributes, { ...fields, request_id });
    assert.deepEqual([record?.traceId ?? '', record?.spanId ?? ''], [trace_id ?? '', span_id ?? '']);
    assert.equal(record?.severity, String(level).toUpperCase());
  }
  const audit = receiver.logs().find(({ attributes }) => attributes.action === 'user.created');
  assert.equal(audit?.body, 'audit');
  assert.equal(typeof (audit?.attributes.detail as Line), 'object');
});

const recordOf = (request_id: unknown, body: string) =>
  receiver.logs().find((record) => record.attributes.request_id === request_id && record.body === body);

test('standard output can be left out where a collector has the log, and nowhere else; one that is away is told of once', async () => {
  const quiet = { ...storage, LOG_STDOUT: 'false' };
  const [sent, forced] = await Promise.all([
    startServer({
      ...{ role: 'token', directory: server.directory },
      env: { ...quiet, LOG_OTEL: 'true', LOG_OTEL_ENDPOINT: receiver.grpc, LOG_OTEL_INSECURE: 'true' },
    }),
    startServer({
      ...{ role: 'token', by: 'service', directory: server.directory },
      env: {
        ...quiet,
        TRACING_ENABLED: 'true',
        TRACING_ENDPOINT: `http://127.0.0.1:${nobody}`,
        TRACING_INSECURE: 'true',
        SERVER_SHUTDOWN_WAIT: '3s',
      },
    }),
  ]);
  for (let n = 0; n < 3; n += 1)
    for (const one of [sent, forced]) await raw(`${one.issuer}/.well-known/jwks.json?n=${n}`);
  const [told, ...again] = await linesWith({ signal: 'traces' }, forced);
  assert.equal(told.level, 'warn');
  assert.deepEqual(again, []);
  const page = await (await fetch(`${forced.internalUrl}/metrics`)).text();
  assert.match(page, /^authserver_telemetry_dropped_total\{signal="traces",reason="not_taken"\} [1-9]/m);
  assert.match(page, /^authserver_telemetry_dropped_total\{signal="logs",reason="not_taken"\} 0$/m);
  assert.match(JSON.stringify(linesOf(forced)), /outputs\.stdout is false/);

  const startedMs = performance.now();
  const ends = await Promise.all([sent.stop(), forced.stop()]);
  assert.deepEqual(
    ends,
    Array.from(ends, () => ({ code: 0, signal: null })),
  );
  assert.ok(performance.now() - startedMs < 8_000);
  assert.deepEqual(linesOf(sent), []);
  const instance = receiver
    .logs()
    .filter(({ body }) => body === 'http request')
    .at(-1)?.resource['service.instance.id'];
  const bodies = receiver.logs().filter(({ resource }) => resource['service.instance.id'] === instance);
  assert.equal(bodies.filter(({ body }) => body === 'http request').length, 3);
  assert.equal(
    linesOf(forced).filter(({ signal }) => signal === 'traces').length,
    1,
    'once, however often it is tried',
  );
});
