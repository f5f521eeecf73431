import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AdminRequest, createAdminClient } from '@authserver/admin-api';
import { only, watchEtag, withOptions } from './requests.ts';

const sending = () => {
  const sent: AdminRequest[] = [];
  const send = async (request: AdminRequest) => {
    sent.push(request);
    return { status: 200, headers: { etag: '"7"' }, body: {} };
  };
  return { sent, send };
};

test('a command asks of the API what it says of itself, and nothing else', async () => {
  const { sent, send } = sending();
  const api = only(createAdminClient({ transport: send }), ['client.get'], 'admin client get');
  await api.client.get({ id: 'c' });
  assert.throws(() => api.client.delete({ id: 'c' }), /admin client get uses client\.delete without saying so/);
  assert.throws(() => api.user.list(), /uses user\.list/);
  assert.equal(sent.length, 1);
});

test('only changes are rehearsed and conditional', async () => {
  const { sent, send } = sending();
  const option = withOptions(send, { dryRun: true, ifMatch: '3' });
  await option({ method: 'GET', path: '/a', query: { limit: '1' } });
  await option({ method: 'DELETE', path: '/a', query: { force: 'true' } });
  assert.deepEqual(sent, [
    { method: 'GET', path: '/a', query: { limit: '1' } },
    { method: 'DELETE', path: '/a', query: { force: 'true', dry_run: 'true' }, headers: { 'if-match': '"3"' } },
  ]);
  for (const [given, header] of [
    ['"3"', '"3"'],
    ['*', '*'],
    ['"1", "2"', '"1", "2"'],
  ] as const) {
    await withOptions(send, { dryRun: false, ifMatch: given })({ method: 'PATCH', path: '/a' });
    assert.deepEqual(sent.at(-1), { method: 'PATCH', path: '/a', headers: { 'if-match': header } });
  }
});

test('the version that is shown is that of the last look', async () => {
  const { send } = sending();
  const watched = watchEtag(send);
  assert.equal(watched.etag(), undefined);
  await watched.send({ method: 'GET', path: '/a' });
  assert.equal(watched.etag(), '7');
  await watched.send({ method: 'PATCH', path: '/a' });
  assert.equal(watched.etag(), undefined, 'what was changed has another by now');
});
