/** What is over is deleted by one pod for all, and by another when that one is gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuthServer, soon, startAuthServer } from '../support/auth-server.ts';
import { redis } from '../support/services.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const env = { LOG_STDOUT: 'false' };
const options = { pods: 3, housekeepingMs: 50, env };
const patience = 20_000;

/** How often each pod has looked for expired rows. */
const rounds = ({ pods }: AuthServer): Promise<number[]> =>
  Promise.all(
    pods.map(async ({ metrics }) => {
      const line = (await metrics.render()).body
        .split('\n')
        .find((text) => text.includes('_count{') && text.includes('operation="purge_pushed_requests"'));
      return Number(line?.split(' ')[1] ?? 0);
    }),
  );
const busy = async (server: AuthServer): Promise<number[]> => {
  const before = await rounds(server);
  let after = before;
  await soon(
    'somebody is at it',
    async () => {
      after = await rounds(server);
      return after.some((count, index) => count > (before[index] ?? 0) + 4);
    },
    patience,
  );
  return after.flatMap((count, index) => (count > (before[index] ?? 0) ? [index] : []));
};

const found = new URL((await redis()).url);
const proxy = await startTcpProxy({ host: found.hostname, port: Number(found.port || 6379) });
test.after(() => proxy.close());

for (const [store, server] of [
  ['PostgreSQL', await startAuthServer(options)],
  ['Redis', await startAuthServer({ ...options, env: { ...env, REDIS_URL: `redis://127.0.0.1:${proxy.port}` } })],
] as const) {
  test(`${store}: one pod of three is at it, and hands over when it stops`, async () => {
    await soon('it has begun', async () => (await rounds(server)).some((count) => count > 0), patience);
    const first = await busy(server);
    assert.equal(first.length, 1, `pods ${first}`);
    assert.deepEqual(await busy(server), first, 'and goes on');
    const [index = 0] = first;
    await server.stopPod(index);
    const next = await busy(server);
    assert.equal(next.length, 1);
    assert.notDeepEqual(next, first);
  });
}

test('PostgreSQL: a pod that another has taken it from stops', async () => {
  const server = await startAuthServer(options);
  await soon('it has begun', async () => (await rounds(server)).some((count) => count > 0), patience);
  await server.sql(`update leases set owner = gen_random_uuid(), ends_at = now() + interval '1 hour'`);
  const stopped = async () => {
    const before = await rounds(server);
    await new Promise((resolve) => setTimeout(resolve, 500));
    return (await rounds(server)).every((count, index) => count === before[index]);
  };
  await soon('it stops', stopped, 40_000);
});

test('while Redis is away every pod does it', async () => {
  proxy.cut();
  const server = await startAuthServer({ ...options, env: { ...env, REDIS_URL: `redis://127.0.0.1:${proxy.port}` } });
  await soon('all are at it', async () => (await rounds(server)).every((count) => count > 0), patience);
});
