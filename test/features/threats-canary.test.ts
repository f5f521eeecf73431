/**
 * Recognisable secrets in every field, while everything works, while every write fails and while the database is gone.
 * None may be read afterwards in what is written down: logs at debug level, audit, the flight recorder, changes, metrics, error
 * bodies, and all that a collector gets: spans with their attributes and events, log records, metrics.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import pg from 'pg';
import { createCanaries, formsOf } from '../support/canaries.ts';
import { createTraffic } from '../support/canary-traffic.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { startServer } from '../support/started-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const { dsn, drop } = await createEmptyDatabase();
const { hostname, port } = new URL(dsn);
const proxy = await startTcpProxy({ host: hostname, port: Number(port || 5432) });
after(() => proxy.close());
const through = new URL(dsn);
through.hostname = '127.0.0.1';
through.port = String(proxy.port);

const collector = await startOtlpReceiver();
after(() => collector.close());

const server = await startServer({
  env: {
    STORAGE_DRIVER: 'postgres',
    STORAGE_POSTGRES_DSN: through.href,
    LOG_LEVEL: 'debug',
    LOG_OTEL: 'true',
    LOG_OTEL_ENDPOINT: collector.http,
    LOG_OTEL_INSECURE: 'true',
    TRACING_ENABLED: 'true',
    TRACING_ENDPOINT: collector.grpc,
    TRACING_INSECURE: 'true',
    METRICS_PROVIDER: 'both',
    METRICS_OTEL_ENDPOINT: collector.grpc,
    METRICS_INSECURE: 'true',
    DPOP_REQUIRE_NONCE: 'true',
    RATE_LIMIT_ENABLED: 'false',
    RATE_LIMIT_AUTH_FAIL_MAX: '0',
    DCR_RATE_LIMIT: '0',
  },
});
const person = await server.user();
const resource = 'https://notes.example.com/mcp';
await server.resource({ slug: 'notes', uri: resource });
const behind = 'https://drawer.example.com/mcp';
await server.resource({ slug: 'drawer', uri: behind });
const canaries = createCanaries();
const { secrets, found } = canaries;
const { honest, hostile, send, bodies } = await createTraffic(server, canaries, { person, resource, behind });

const database = new pg.Client({ connectionString: dsn });
await database.connect();
after(async () => {
  await database.end();
  await drop();
});
const tables = async (): Promise<string[]> =>
  (
    await database.query(
      `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition`,
    )
  ).rows.map(({ name }) => name);
/** PostgreSQL then names the whole row it refuses, in the detail of its error. */
const refuseWrites = async (): Promise<void> => {
  for (const table of await tables())
    await database.query(`alter table ${table} add constraint no_more check (false) not valid`);
};
const allowWrites = async (): Promise<void> => {
  for (const table of await tables()) await database.query(`alter table ${table} drop constraint no_more`);
};

test('every encoding of a secret is found where it is written', () => {
  const own = createCanaries();
  const secret = own.canary('self');
  for (const text of formsOf(secret)) assert.equal(own.found({ log: `before ${text} after` }).length, 1, text);
  for (const before of ['', 'a', 'ab', 'abc'])
    assert.equal(own.found({ log: Buffer.from(`${before}${secret}cd`).toString('base64url') }).length, 1);
});

test('no secret is in a log, an audit event, the trace, a change, a metric or a refusal [EMA-13] [threat L07]', async () => {
  await honest();
  await hostile();
  await refuseWrites();
  await honest().catch((error: Error) => bodies.push(error.message));
  await hostile();
  await allowWrites();
  proxy.cut();
  await hostile();
  proxy.mend();
  for (let wait = 0; (await send('/ready')).status !== 200 && wait < 100; wait += 1)
    await new Promise((resolve) => setTimeout(resolve, 100));
  await honest();
  const metrics = await (await fetch(`${server.adminUrl}/metrics`)).text();
  await server.stop();

  const rows: Record<string, string> = {};
  for (const table of ['audit_events', 'connection_events', 'changes', 'settings', 'issuances', 'login_attempts'])
    rows[table] = (await database.query(`select t::text as row from ${table} t`)).rows.map(({ row }) => row).join('\n');
  const where = {
    output: server.process.stdout(),
    errors: server.process.stderr(),
    metrics,
    refusals: bodies.join('\n'),
    collector: collector.text(),
    ...rows,
  };
  assert.match(where.output, /"level":"?(debug|info|20|30)/);
  assert.match(where.output, /no_more/, 'PostgreSQL complained about rows');
  assert.match(where.refusals, /temporarily_unavailable/);
  assert.match(where.refusals, /server_error/);
  assert.match(where.metrics, /authserver_/);
  for (const table of ['audit_events', 'connection_events', 'issuances']) assert.ok(rows[table], table);
  const spans = new Set(collector.spans().map(({ name }) => name));
  for (const name of [
    'POST /oauth/token',
    'GET /oauth/authorize',
    'POST /login',
    'POST /oauth/register',
    'GET',
    'sign',
  ])
    assert.ok(spans.has(name), `no span ${name} in ${[...spans]}`);
  assert.ok(collector.spans().some(({ failed, attributes }) => failed && attributes['error.type'] !== undefined));
  assert.ok(collector.logs().some(({ body }) => body === 'request failed'));
  assert.ok(collector.metrics().some(({ name }) => name === 'authserver_tokens_issued_total'));
  const kinds = new Set([...secrets.keys()].map((name) => name.replace(/ \d+$/, '')));
  for (const kind of [
    'client secret',
    'assertion',
    'code',
    'verifier',
    'refresh token',
    'access token',
    'password',
    'state',
    'registration token',
    'initial access token',
    'server nonce',
    'device code',
    'consent ticket',
    'consent ticket, shown',
    'user code',
    'authserver_session',
  ])
    assert.ok(kinds.has(kind), `${kind} was never used`);
  assert.deepEqual(found(where), []);
  assert.doesNotMatch(where.output + where.refusals, /\$argon2id\$|PRIVATE KEY/);
});
