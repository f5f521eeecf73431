import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveByNameServers } from './resolve.ts';

test('localhost is this machine, and no name server is asked (RFC 6761 §6.3)', async () => {
  for (const name of ['localhost', 'app.localhost'])
    assert.deepEqual(await resolveByNameServers(name, new AbortController().signal), ['127.0.0.1', '::1']);
});

test('a question is given up when nobody waits for the answer', async () => {
  const started = performance.now();
  const controller = new AbortController();
  const asked = resolveByNameServers('a-name-that-does-not-exist.invalid', controller.signal);
  controller.abort();
  await assert.rejects(asked);
  assert.ok(performance.now() - started < 1_500);
});
