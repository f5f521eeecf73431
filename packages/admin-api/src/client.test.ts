import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdminApiError, type AdminRequest, createAdminClient } from './client.ts';

const recording = (answer: { status: number; body: unknown }) => {
  const requests: AdminRequest[] = [];
  const admin = createAdminClient({
    transport: async (request) => {
      requests.push(request);
      return answer;
    },
  });
  return { admin, requests };
};

test('path parameters are encoded, absent query members left out', async () => {
  const { admin, requests } = recording({ status: 204, body: '' });
  assert.equal(await admin.client.delete({ id: 'a/b?c', query: { force: 'true' } }), undefined);
  await admin.policy.removeExchangeClient({ slug: 'mcp', client_id: 'https://c.example/id' });
  await admin.key.rotate();
  await admin.key.rotate({ body: { force: true } });
  assert.deepEqual(requests, [
    { method: 'DELETE', path: '/admin/clients/a%2Fb%3Fc', query: { force: 'true' } },
    {
      method: 'DELETE',
      path: '/admin/resources/mcp/policy/exchange/allowed-clients/https%3A%2F%2Fc.example%2Fid',
    },
    { method: 'POST', path: '/admin/keys/rotate' },
    { method: 'POST', path: '/admin/keys/rotate', body: { force: true } },
  ]);
});

test('a path parameter that is empty or a dot segment is refused before anything is sent', async () => {
  const { admin, requests } = recording({ status: 204, body: undefined });
  for (const id of ['', '.', '..']) await assert.rejects(admin.user.delete({ id }), TypeError);
  assert.deepEqual(requests, []);
});

test('a problem becomes an AdminApiError, whatever its body', async () => {
  const problem = { type: 'about:blank', status: 404, code: 'not_found', detail: 'No such user.' };
  await assert.rejects(
    recording({ status: 404, body: problem }).admin.user.get({ id: 'x' }),
    (error) => error instanceof AdminApiError && error.code === 'not_found' && error.detail === 'No such user.',
  );
  await assert.rejects(
    recording({ status: 502, body: '<html>' }).admin.user.list(),
    (error) => error instanceof AdminApiError && error.code === 'unexpected_answer' && error.status === 502,
  );
});
