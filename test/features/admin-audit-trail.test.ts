import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const hours = (count: number) => new Date(Date.now() - count * 3600_000).toISOString();
const list = (query: string) => server.adminRequest('GET', `/admin/audit?${query}`);
const newClient = async (name = 'App') =>
  (await admin.client.create({ body: { client_name: name, redirect_uris: ['https://app.example.com/cb'] } })).client_id;

test('an event says who, from where, by which request, and what was and is', async () => {
  const id = await newClient();
  const answer = await server.adminRequest('PATCH', `/admin/clients/${id}/suspend`, undefined, {
    'user-agent': 'an operator',
    'x-forwarded-for': '203.0.113.7',
    'x-request-id': 'chosen by the caller',
  });
  const [event] = await admin.audit.list({ query: { client_id: id, action: 'client.suspended' } });
  assert.ok(event);
  assert.deepEqual(
    [event.actor_id, event.client_id, event.user_agent, event.trace_id],
    ['admin', id, 'an operator', null],
  );
  assert.match(String(event.ip), /127\.0\.0\.1|::1/, 'nobody is trusted to forward');
  assert.equal(event.request_id, answer.headers.get('x-request-id'));
  assert.notEqual(event.request_id, 'chosen by the caller');
  assert.deepEqual(event.details, { before: { status: 'active' }, after: { status: 'suspended' } });
  assert.ok(Math.abs(Date.parse(event.created_at) - Date.now()) < 60_000);
});

test('plain details are one line for people, and a name cannot pretend to be another', async () => {
  const id = await newClient('App" force=true');
  const [event] = await admin.audit.list({ query: { client_id: id } });
  assert.equal(event?.detail, 'name="App\\" force=true"');
});

test('the trail is filtered by action, actor and client, all of them together', async () => {
  const id = await newClient();
  await admin.client.suspend({ id });
  const actions = async (query: Record<string, string>) =>
    (await admin.audit.list({ query })).map(({ action }) => action);
  assert.deepEqual(await actions({ client_id: id }), ['client.suspended', 'client.created_admin'], 'newest first');
  assert.deepEqual(await actions({ client_id: id, action: 'client.suspended' }), ['client.suspended']);
  assert.deepEqual(await actions({ client_id: id, actor_id: 'admin', action: 'client.deleted' }), []);
  assert.deepEqual(await actions({ client_id: id, actor_id: 'somebody' }), []);
  assert.deepEqual(await actions({ client_id: 'nobody' }), []);
});

test('what clients and people did is in the same trail', async () => {
  const user = await server.user();
  const resource = await server.resource();
  await (await server.client()).authorize({ user, resource: resource.uri, scope: 'tools/read' });
  const actions = (await admin.audit.list({ query: { actor_id: user.id } })).map(({ action }) => action);
  assert.deepEqual(actions, ['consent.granted', 'user.login']);
});

test('actions that begin alike are one filter', async () => {
  const id = await newClient();
  await admin.client.suspend({ id });
  await admin.client.reactivate({ id });
  const actions = async (query: Record<string, string>) =>
    (await admin.audit.list({ query: { client_id: id, ...query } })).map(({ action }) => action);
  assert.deepEqual(await actions({ action: 'client.*' }), [
    'client.reactivated',
    'client.suspended',
    'client.created_admin',
  ]);
  assert.deepEqual(await actions({ action: 'user.*' }), []);
  assert.match(refused(await list('action=clients.*'), 'invalid_request'), /clients\./);
  assert.deepEqual(await actions({ action: 'client' }), [], 'without the star it is the whole name');
});

test('the trail is filtered by address and by request', async () => {
  const id = await newClient();
  const { headers } = await server.adminRequest('PATCH', `/admin/clients/${id}/suspend`);
  const request_id = String(headers.get('x-request-id'));
  const [event, ...more] = await admin.audit.list({ query: { request_id } });
  assert.deepEqual([event?.action, event?.client_id, more], ['client.suspended', id, []]);
  const query = { ip: String(event?.ip), client_id: id };
  assert.equal((await admin.audit.list({ query })).length, 2);
  assert.deepEqual(await admin.audit.list({ query: { ...query, ip: '203.0.113.99' } }), []);
});

test('cursors lead through the trail, whatever is filtered and whatever comes meanwhile', async () => {
  const id = await newClient();
  for (let n = 0; n < 4; n += 1) {
    await admin.client.suspend({ id });
    await admin.client.reactivate({ id });
  }
  for (const filter of [`client_id=${id}`, `client_id=${id}&action=client.*`, `client_id=${id}&actor_id=admin`]) {
    const whole = (await list(filter)).body as unknown as { id: string }[];
    assert.equal(whole.length, 9);
    const found: string[] = [];
    for (let path: string | undefined = `/admin/audit?${filter}&limit=2`; path !== undefined; ) {
      const { headers, body } = await server.adminRequest('GET', path);
      found.push(...(body as unknown as { id: string }[]).map((event) => event.id));
      await newClient(); // in front of them all
      path = /^<([^>]+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1];
    }
    assert.deepEqual(
      found,
      whole.map((event) => event.id),
    );
  }
});

test('the trail is paged', async () => {
  await newClient();
  const all = await admin.audit.list({ query: { limit: 1000 } });
  assert.ok(all.length > 3);
  assert.deepEqual(await admin.audit.list({ query: { limit: 2, offset: 1 } }), all.slice(1, 3));
  assert.deepEqual(await admin.audit.list({ query: { offset: all.length } }), []);
});

test('the trail shows 24 hours unless asked for more, and at most 30 days', async () => {
  for (const days of [2, 29, 31])
    await server.sql(
      `insert into audit_events (id, at, action, actor_id)
       select overlay(uuidv7_floor(at)::text placing '7000-8000' from 15 for 9)::uuid, at, 'client.updated', 'then'
         from (select now() - make_interval(days => $1) as at) as t`,
      [days],
    );
  const then = async (query: Record<string, string> = {}) =>
    (await admin.audit.list({ query: { actor_id: 'then', ...query } })).length;
  assert.equal(await then(), 0);
  assert.equal(await then({ since: hours(72) }), 1);
  assert.equal(await then({ since: hours(719) }), 2);
  assert.equal(await then({ since: hours(719), until: hours(72) }), 1);
  assert.equal(await then({ since: hours(72), until: hours(60) }), 0);
  assert.match(refused(await list(`since=${hours(721)}`), 'invalid_request'), /720/);
});

for (const [name, query] of Object.entries({
  'a span instead of a moment': 'since=24h',
  'until before since': `since=${hours(1)}&until=${hours(2)}`,
  'until before the default since': `until=${hours(25)}`,
  'a limit above 1000': 'limit=1001',
  'a limit of nothing': 'limit=0',
  'an offset above 100000': 'offset=100001',
  'a filter there is not': 'user_agent=curl',
  'an empty action': 'action=',
}))
  test(`${name} is refused`, async () => {
    refused(await list(query), 'invalid_request');
  });

test('the trail cannot be changed', async () => {
  const [event] = await admin.audit.list({ query: { limit: 1 } });
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
    refused(await server.adminRequest(method, '/admin/audit'), 'method_not_allowed');
  assert.equal((await server.adminRequest('DELETE', `/admin/audit/${event?.id}`)).status, 404);
});
