/** Rotation on a ring that all processes share: by an operator, by the schedule, and on a pod that hears of nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeProtectedHeader } from 'jose';
import { nothing, traceOf } from '../support/admin-answers.ts';
import { type AuthServer, type StartOptions, soon, startAuthServer } from '../support/auth-server.ts';
import { runCli } from '../support/command-line.ts';
import { masterKeys } from '../support/key-homes.ts';
import { ok } from '../support/test-app.ts';

const inDatabase = {
  SIGNING_KEY_STORE: 'postgres_key',
  DATA_ENCRYPTION_DRIVER: 'aes_master',
  DATA_ENCRYPTION_KEY_ENV: 'MASTER_KEY',
};

const startServer = async (options: StartOptions = {}) => {
  const server = await startAuthServer({ secrets: masterKeys, ...options, env: { ...inDatabase, ...options.env } });
  const resource = await server.resource();
  const job = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const ask = (pod = 0) => job.clientCredentials({ resource: resource.uri, scope: 'tools/read' }, pod);
  const kidFrom = async (pod = 0) => decodeProtectedHeader(ok(await ask(pod)).access_token).kid;
  return { server, resource, job, ask, kidFrom };
};
const ring = async (server: AuthServer) =>
  server.sql<{ kid: string; state: string }>('select kid, state from signing_keys order by state, created_at, kid');
const currentOf = async (server: AuthServer) =>
  (await ring(server)).find(({ state }) => state === 'current')?.kid ?? '';
const allSignWith = ({ server, kidFrom }: Awaited<ReturnType<typeof startServer>>, kid: string) =>
  soon('all pods sign with the new key', async () => {
    const kids = await Promise.all(server.pods.map((_, pod) => kidFrom(pod)));
    return kids.every((signing) => signing === kid);
  });
const rotatedMetric = async (server: AuthServer) => {
  const texts = await Promise.all(server.admins.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
  return texts.reduce((sum, text) => sum + Number(/^authserver_key_rotation_total (\d+)$/m.exec(text)?.[1] ?? 0), 0);
};

test('a rotation reaches every pod, and commits with its audit event and its announcement or not at all [threat M09]', async () => {
  const started = await startServer({ admin: 2, pods: 2 });
  const { server } = started;
  server.clock.advance(301);
  const before = await ring(server);

  for (const [table, column] of [
    ['audit_events', 'action'],
    ['changes', 'kind'],
  ] as const) {
    await server.sql(`alter table ${table} rename column ${column} to hidden`);
    const failed = await server.adminRequest('POST', '/admin/keys/rotate');
    await server.sql(`alter table ${table} rename column hidden to ${column}`);
    assert.equal(failed.status, 500, table);
    assert.deepEqual(await ring(server), before);
  }
  const rehearsed = await traceOf(server, async () => {
    const { status, body } = await server.adminRequest('POST', '/admin/keys/rotate?dry_run=true');
    assert.deepEqual([status, body.kid], [200, before.find(({ state }) => state === 'next')?.kid]);
  });
  assert.deepEqual(rehearsed, nothing);
  assert.deepEqual(await ring(server), before);

  const { audit, changes } = await traceOf(server, async () => {
    const answers = await Promise.all(
      [0, 1, 2].map(() => server.adminRequest('POST', '/admin/keys/rotate', { reason: 'it is time' })),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409]);
  });
  const current = await currentOf(server);
  assert.deepEqual(
    audit.map(({ action, details }) => [action, (details.after as { kid: string }).kid]),
    [['key.rotated', current]],
  );
  assert.deepEqual(changes, [{ kind: 'signing_key', key: current }]);
  await allSignWith(started, current);
  const listed = await Promise.all(server.admins.map(({ client }) => client.key.list()));
  assert.deepEqual(listed[0], listed[1]);
  assert.equal(await rotatedMetric(server), 1);
});

test('who repeats a rotation with its Idempotency-Key gets the same answer and rotates once', async () => {
  const { server } = await startServer({ admin: true });
  const again = { 'idempotency-key': 'rotate-once' };
  const force = () => server.adminRequest('POST', '/admin/keys/rotate', { force: true }, again);
  const [one, two] = [await force(), await force()];
  assert.deepEqual([one.status, two.body], [200, one.body]);
  assert.equal((await ring(server)).length, 3);
});

for (const store of ['postgres_key', 'keyfile'])
  test(`${store}: of several admin processes one rotates when it is time, as the scheduler, and only once`, async () => {
    const started = await startServer({
      ...{ admin: 3, pods: 2, rotationCheckMs: 50 },
      env: { SIGNING_KEY_STORE: store, SIGNING_ROTATION_INTERVAL: '24h' },
    });
    const { server, kidFrom } = started;
    const first = await kidFrom();
    server.clock.advance(24 * 3600 - 60);
    await new Promise((resolve) => setTimeout(resolve, 300));
    server.clock.advance(-30 * 24 * 3600); // a clock set back
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(await rotatedMetric(server), 0, 'not before its time');
    server.clock.advance(30 * 24 * 3600);
    const { audit, changes } = await traceOf(server, async () => {
      server.clock.advance(61);
      await soon('it is rotated', async () => (await kidFrom()) !== first, 5_000);
      await new Promise((resolve) => setTimeout(resolve, 300));
    });
    const second = await kidFrom();
    assert.deepEqual(
      audit.map(({ action, actor_id, details }) => [action, actor_id, details]),
      [['key.rotated', 'scheduler', { force: false, before: { kid: first }, after: { kid: second, alg: 'ES256' } }]],
    );
    assert.deepEqual(changes, [{ kind: 'signing_key', key: second }]);
    await allSignWith(started, String(second));
    assert.equal(await rotatedMetric(server), 1);
  });

test('a schedule that cannot rotate counts it, tries again, and leaves nothing half made', async () => {
  const { server, kidFrom } = await startServer({
    ...{ admin: 1, rotationCheckMs: 50 },
    env: { SIGNING_ROTATION_INTERVAL: '1h' },
  });
  const first = await kidFrom();
  const before = await ring(server);
  await server.sql('alter table audit_events rename column action to hidden');
  server.clock.advance(3601);
  await soon(
    'it is counted',
    async () => {
      const text = await (await fetch(`${server.adminUrl}/metrics`)).text();
      return Number(/^authserver_key_rotation_failures_total (\d+)$/m.exec(text)?.[1]) >= 2;
    },
    5_000,
  );
  assert.deepEqual(await ring(server), before);
  await server.sql('alter table audit_events rename column hidden to action');
  await soon('it is rotated', async () => (await kidFrom()) !== first, 5_000);
});

test('another algorithm that is configured is announced until rotations have brought it in', async () => {
  const { server } = await startServer({ admin: true });
  const file = await server.configFile({
    signing: { key_store: 'postgres_key', algorithm: 'EdDSA' },
    data_encryption: { driver: 'aes_master', aes_master: { key_env: 'MASTER_KEY' } },
  });
  const cli = async (...line: string[]) => {
    const { code, stdout, stderr } = await runCli([...line, '--config', file], { env: masterKeys });
    assert.equal(code, 0, stderr);
    return { stdout, stderr };
  };
  const status = async () => (await cli('admin', 'system', 'status')).stdout.split('\n').find((l) => /signing/.test(l));
  for (const [rotations, words] of [
    [2, /EdDSA signs after 2 more rotations\./],
    [1, /EdDSA signs after 1 more rotation\./],
  ] as const) {
    const { stdout, stderr } = await cli('admin', 'key', 'list');
    assert.match(stdout, /alg=ES256 use=sig status=current/);
    assert.match(stderr, words);
    assert.match(String(await status()), new RegExp(`EdDSA after ${rotations} more rotation`));
    await server.sql(`update signing_keys set created_at = now() - interval '1 hour' where state = 'next'`);
    await cli('admin', 'key', 'rotate');
  }
  const { stdout, stderr } = await cli('admin', 'key', 'list');
  assert.match(stdout, /alg=EdDSA use=sig status=current/);
  assert.doesNotMatch(stderr, /EdDSA/);
  assert.doesNotMatch(String(await status()), /rotation/);
});

test('a pod that cannot read the keys for minutes signs no more, and loses nobody their code or refresh token [threat M09]', async () => {
  let ms = 0;
  const started = await startServer({ monotonicMs: () => performance.now() + ms });
  const { server, ask, kidFrom, job } = started;
  const resource = await server.resource({ runtimeClients: [job.clientId] });
  const app = await server.client();
  const held = await app.authorize({ user: await server.user(), resource: resource.uri, scope: 'tools/read' });
  const count = async () => (await server.sql('select count(*)::int as n from issuances'))[0]?.n;

  await server.sql('alter table signing_keys rename to signing_keys_elsewhere');
  ms += 230_000;
  assert.ok(await kidFrom(), 'not before a rotation elsewhere could have mattered');
  const issued = await count();
  ms += 11_000;
  const refused = [await ask(), await app.refresh(held.refresh_token), await app.refresh(held.refresh_token)];
  for (const answer of refused) {
    assert.equal(answer.status, 503);
    assert.equal((answer.body as { error?: string }).error, 'temporarily_unavailable');
    assert.ok(Number(answer.headers.get('retry-after')) >= 1);
  }
  assert.equal(await count(), issued);
  const ready = async () => (await fetch(`${server.issuer}/ready`)).status;
  await soon('a balancer looks elsewhere', async () => (await ready()) === 503, 3_000);
  assert.equal((await fetch(`${server.issuer}/.well-known/jwks.json`)).status, 200);
  assert.equal(ok(await job.introspect(held.access_token)).active, true);

  await server.sql('alter table signing_keys_elsewhere rename to signing_keys');
  await soon('it signs again', async () => (await ask()).status === 200, 10_000);
  await soon('it is ready again', async () => (await ready()) === 200, 3_000);
  server.clock.advance(60); // longer than a repeated refresh token is forgiven
  ok(await app.refresh(held.refresh_token));
});
