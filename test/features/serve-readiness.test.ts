/** `/ready` and `/health` of running processes: what they check, whom they tell, and what asking costs. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { createDatabase } from '../support/database.ts';
import { emptyDirectory } from '../support/server-process.ts';
import { redis as findRedis } from '../support/services.ts';
import { startServer } from '../support/started-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { read } from '../support/test-app.ts';

const database = await createDatabase();
const url = new URL(database.dsn);
const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port || 5432) });
const connection = new pg.Client({ connectionString: database.dsn });
await connection.connect();
url.host = `127.0.0.1:${proxy.port}`;
const redis = new URL((await findRedis()).url);
const redisProxy = await startTcpProxy({ host: redis.hostname, port: Number(redis.port || 6379) });
redis.host = `127.0.0.1:${redisProxy.port}`;
redisProxy.hang();
const shared = { directory: await emptyDirectory(), by: 'service' as const };
const env = { STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: url.href };
const token = await startServer({
  ...shared,
  role: 'token',
  env: { ...env, REDIS_URL: redis.href },
});
const admin = await startServer({ ...shared, role: 'admin', env });
after(async () => {
  await connection.end();
  proxy.close();
  redisProxy.close();
  await database.drop();
});

type Checks = Record<string, { status: string; reason?: string }>;
const ask = async (address: string) => {
  const started = performance.now();
  const answer = await read(await fetch(address));
  const body = answer.body as { status: string; db?: string; checks?: Checks };
  return { status: answer.status, body, ms: performance.now() - started };
};
const settled = async (address: string, status: number, check?: (checks: Checks) => boolean): Promise<Checks> => {
  for (const end = performance.now() + 10_000; performance.now() < end; await setTimeout(50)) {
    const answer = await ask(address);
    const checks = answer.body.checks ?? {};
    if (answer.status === status && (check?.(checks) ?? true)) return checks;
  }
  assert.fail(`${address}: not ${status} in time, ${JSON.stringify(await ask(address))}`);
};

test('every check has a name on the internal port, and a stranger is told the status alone', async () => {
  const details = (await ask(`${token.internalUrl}/ready`)).body;
  assert.equal(details.db, 'ok');
  for (const name of ['database', 'migrations', 'signing']) assert.deepEqual(details.checks?.[name], { status: 'ok' });
  const administration = (await ask(`${admin.adminUrl}/ready`)).body;
  for (const name of ['database', 'migrations', 'signing'])
    assert.deepEqual(administration.checks?.[name], { status: 'ok' }, name);
  for (const path of ['/ready', '/health', '/livez'])
    assert.deepEqual(Object.keys((await ask(`${token.issuer}${path}`)).body).sort(), ['status', 'time'], path);
});

test('a process is not ready before Redis has answered once, and serves those who come all the same [threat M04]', async () => {
  const before = await settled(`${token.internalUrl}/ready`, 503, (checks) => Object.keys(checks).length > 1);
  assert.deepEqual(before.redis, { status: 'failed', reason: 'has not answered yet' });
  redisProxy.cut();
  assert.equal((await ask(`${token.issuer}/ready`)).status, 503);
  assert.equal((await fetch(`${token.issuer}/.well-known/jwks.json`)).status, 200);
  redisProxy.mend();
  const after = await settled(`${token.internalUrl}/ready`, 200);
  assert.deepEqual(after.redis, { status: 'ok' });
});

test('a process that loses Redis is ready, and says that it is degraded', async () => {
  redisProxy.cut();
  const checks = await settled(`${token.internalUrl}/health`, 200, ({ redis }) => redis?.status !== 'ok');
  assert.deepEqual(checks.redis, { status: 'degraded', reason: 'not connected' });
  const health = await ask(`${token.internalUrl}/health`);
  assert.deepEqual([health.status, health.body.status], [200, 'degraded']);
  const ready = await ask(`${token.internalUrl}/ready`);
  assert.deepEqual([ready.status, ready.body.status], [200, 'ready']);
  redisProxy.mend();
  await settled(`${token.internalUrl}/health`, 200, ({ redis }) => redis?.status === 'ok');
});

test('missing migrations are named, and their return is noticed', async () => {
  const { rows } = await connection.query('delete from schema_migrations where version = 3 returning *');
  for (const place of [token.internalUrl, admin.adminUrl]) {
    const checks = await settled(`${place}/ready`, 503);
    assert.match(checks.migrations?.reason ?? '', /^not applied: 0003_\w+; run authserver migrate$/);
    assert.equal(checks.database?.status, 'ok');
  }
  assert.equal((await ask(`${token.issuer}/ready`)).status, 503);
  assert.equal((await ask(`${token.issuer}/livez`)).status, 200);
  const [{ version, name, checksum, applied_at }] = rows;
  await connection.query('insert into schema_migrations values ($1, $2, $3, $4)', [
    version,
    name,
    checksum,
    applied_at,
  ]);
  await settled(`${token.internalUrl}/ready`, 200);
  await settled(`${admin.adminUrl}/ready`, 200);
});

for (const how of ['cut', 'hang'] as const)
  test(`a database that is away (${how}) is noticed within a second, and its return as well [threat M01]`, async () => {
    proxy[how]();
    for (const place of [token.internalUrl, admin.adminUrl]) {
      const checks = await settled(`${place}/ready`, 503, ({ database }) => database?.status === 'failed');
      assert.match(checks.database?.reason ?? '', /^(does not answer|no answer within 900 ms)$/);
      const { ms } = await ask(`${place}/ready`);
      assert.ok(ms < 1_900, `${ms} ms; a check may take 900 ms`);
      assert.equal((await ask(`${place}/livez`)).status, 200);
    }
    proxy.mend();
    await settled(`${token.internalUrl}/ready`, 200);
    await settled(`${admin.adminUrl}/ready`, 200);
  });

test('a flood of probes costs a few statements, and no request waits behind it', async () => {
  const pings = async () => {
    const text = await (await fetch(`${token.internalUrl}/metrics`)).text();
    return Number(/^authserver_db_operation_duration_seconds_count\{operation="ping".*\} (\d+)$/m.exec(text)?.[1] ?? 0);
  };
  const before = await pings();
  const started = performance.now();
  const statuses = await Promise.all(
    Array.from({ length: 1_000 }, async () => {
      const response = await fetch(`${token.issuer}/ready`);
      await response.arrayBuffer();
      return response.status;
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  assert.ok(statuses.every((status) => status === 200));
  const asked = (await pings()) - before;
  assert.ok(asked <= 2 + 2 * seconds, `${asked} statements in ${seconds} s`);
});
