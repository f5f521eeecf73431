/** Traces of several processes: each sends its own, with an instance id of its own, and a trace spans them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { createDatabase } from '../support/database.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { freePorts } from '../support/server-process.ts';
import { startServer } from '../support/started-server.ts';

const receiver = await startOtlpReceiver();
after(() => receiver.close());

test('two workers and an admin service are three senders of one trace, and the change feed has spans', async () => {
  const { dsn, drop } = await createDatabase();
  after(drop);
  const [token = 0, admin = 0, internal = 0] = await freePorts(3);
  const ports = { token, admin, internal };
  const env = {
    SERVER_TRUSTED_PROXIES: '127.0.0.1,::1',
    STORAGE_DRIVER: 'postgres',
    STORAGE_POSTGRES_DSN: dsn,
    TRACING_ENABLED: 'true',
    TRACING_ENDPOINT: receiver.http,
    TRACING_INSECURE: 'true',
  };
  const operator = await startServer({ role: 'admin', by: 'service', env, ports });
  const { directory } = operator;
  const workers = await startServer({ role: 'token', by: 'service', env, ports, directory, flags: ['--workers', '2'] });
  const traceId = randomBytes(16).toString('hex');
  const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, connection: 'close' };

  const created = await fetch(`${operator.adminUrl}/admin/clients`, {
    method: 'POST',
    headers: { ...headers, authorization: `Bearer ${await operator.adminKey()}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Job',
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_basic',
    }),
  });
  assert.equal(created.status, 201, await created.text());
  const spans = () => receiver.spans().filter((span) => span.traceId === traceId);
  const instances = () => new Set(spans().map(({ resource }) => resource['service.instance.id']));
  await receiver.until(async () => {
    await fetch(`${workers.issuer}/.well-known/jwks.json`, { headers });
    return instances().size === 3;
  });
  const names = (of = spans()) => new Set(of.map(({ name }) => name));
  assert.ok(names().has('POST /admin/clients') && names().has('GET /.well-known/jwks.json'), [...names()].join());
  assert.ok(names().has('commit'), 'the statements of the transaction belong to it');
  const feed = await receiver.until(() => {
    const applied = receiver.spans().filter(({ name }) => name === 'change_feed apply');
    return applied.length >= 2 && applied;
  });
  assert.deepEqual(new Set(feed.map(({ attributes }) => attributes.kind)), new Set(['client']));
  assert.ok(names(receiver.spans()).has('change_feed read'));
  for (const server of [workers, operator]) assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
