import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';

const server = await startAuthServer();
await soon('it listens for changes', async () => server.pods[0]?.service.feedStatus().channels.notify === 'up', 10_000);

for (const [path, expected] of [
  ['/livez', { status: 'alive' }],
  ['/health', { status: 'ok' }],
  ['/ready', { status: 'ready' }],
] as const)
  test(`${path} answers a probe, says nothing else to a stranger, and is never kept`, async () => {
    const answer = await fetch(`${server.issuer}${path}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const { time, ...rest } = (await answer.json()) as { time: string };
    assert.deepEqual(rest, expected);
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Math.abs(Date.now() - Date.parse(time)) < 5_000);
  });

test('a pod that drains is alive and not ready', async () => {
  const leaving = await startAuthServer();
  leaving.pods[0]?.service.beginDrain();
  const ready = await fetch(`${leaving.issuer}/ready`);
  assert.equal(ready.status, 503);
  assert.equal(((await ready.json()) as { status: string }).status, 'not_ready');
  assert.equal((await fetch(`${leaving.issuer}/livez`)).status, 200);
});

test('neither metrics nor the admin API are on the public port [threat K02]', async () => {
  for (const path of ['/metrics', '/admin/clients', '/admin/ui/'])
    assert.equal((await fetch(`${server.issuer}${path}`)).status, 404);
});
