import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { newProvider } from '../support/brokering.ts';
import { ok } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true, pods: 2 });
const { admin } = server;
const user = await server.user();
const brokerResource = async () => {
  const { id: broker_provider_id } = await newProvider(server);
  const slug = `broker-${crypto.randomUUID().slice(0, 8)}`;
  return admin.resource.create({ body: { slug, backend_kind: 'broker', broker_provider_id } });
};
const confidential = { authMethod: 'client_secret_basic' as const, grantTypes: ['client_credentials' as const] };

/** The three lists of a policy as their own routes show them. */
const lists = {
  'exchange/allowed-clients': {
    answer: 'allowed_client_ids',
    body: (item: string) => ({ client_id: item }),
    remove: (item: string) => `/${encodeURIComponent(item)}`,
    item: async () => (await server.client()).clientId,
    action: 'resource.policy.exchange.allowed_client',
    detail: 'client_id',
  },
  'runtime/client-ids': {
    answer: 'client_ids',
    body: (item: string) => ({ client_id: item }),
    remove: (item: string) => `/${encodeURIComponent(item)}`,
    item: async () => (await server.client()).clientId,
    action: 'resource.policy.runtime.client',
    detail: 'client_id',
  },
  'connect/allowed-return-urls': {
    answer: 'allowed_return_urls',
    body: (item: string) => ({ url: item }),
    remove: (item: string) => `?url=${encodeURIComponent(item)}`,
    item: async () => `https://app.example.com/${crypto.randomUUID()}?a=b&c=d`,
    action: 'resource.policy.connect.allowed_return_url',
    detail: 'return_url',
  },
};

for (const [path, list] of Object.entries(lists)) {
  const at = (slug: string) => `/admin/resources/${slug}/policy/${path}`;

  /** Only what is behind a broker resource has something to connect. */
  const resource = () => (path.startsWith('connect') ? brokerResource() : server.resource());

  test(`${path}: adding and removing answer with the whole list, again and again`, async () => {
    const { slug } = await resource();
    const [a, b] = [await list.item(), await list.item()];
    const add = (item: string) => server.adminRequest('POST', at(slug), list.body(item));
    const remove = (item: string) => server.adminRequest('DELETE', at(slug) + list.remove(item));
    for (const [work, expected] of [
      [() => add(a), [a]],
      [() => add(a), [a]],
      [() => add(b), [a, b]],
      [() => remove(a), [b]],
      [() => remove(a), [b]],
      [() => server.adminRequest('GET', at(slug)), [b]],
      [() => remove(b), []],
    ] as const) {
      const { status, body } = await work();
      assert.deepEqual([status, body], [200, { [list.answer]: expected }]);
    }
  });

  test(`${path}: only what changes something is recorded, once, with before and after`, async () => {
    const { id, slug } = await resource();
    const item = await list.item();
    const add = () => server.adminRequest('POST', at(slug), list.body(item));
    const remove = () => server.adminRequest('DELETE', at(slug) + list.remove(item));
    for (const [work, verb, before, after] of [
      [add, 'added', [], [item]],
      [remove, 'removed', [item], []],
    ] as const) {
      const { audit, changes } = await traceOf(server, work);
      assert.deepEqual(changes, [{ kind: 'resource', key: id }]);
      assert.deepEqual(
        audit.map(({ action, details }) => ({ action, details })),
        [{ action: `${list.action}.${verb}`, details: { slug, [list.detail]: item, before, after } }],
      );
      assert.deepEqual(await traceOf(server, work), nothing, `${verb} again`);
    }
  });

  test(`${path}: an unknown resource is not found on any verb`, async () => {
    const item = await list.item();
    refused(await server.adminRequest('GET', at('nobody')), 'not_found');
    refused(await server.adminRequest('POST', at('nobody'), list.body(item)), 'not_found');
    refused(await server.adminRequest('DELETE', at('nobody') + list.remove(item)), 'not_found');
  });

  test(`${path}: what is not a member is refused`, async () => {
    const { slug } = await resource();
    const trace = await traceOf(server, async () => {
      for (const body of [{}, { ...list.body(await list.item()), more: 1 }, list.body(''), [], 'x', undefined])
        refused(await server.adminRequest('POST', at(slug), body && JSON.stringify(body)), 'invalid_request');
    });
    assert.deepEqual(trace.audit, []);
    assert.equal(Object.values((await server.adminRequest('GET', at(slug))).body).flat().length, 0);
  });
}

test('a client nobody knows is not added; one that was deleted can still be removed', async () => {
  const { slug } = await server.resource();
  for (const path of ['exchange/allowed-clients', 'runtime/client-ids'])
    assert.match(
      refused(
        await server.adminRequest('POST', `/admin/resources/${slug}/policy/${path}`, { client_id: 'nobody' }),
        'invalid_request',
      ),
      /nobody/,
    );
  const { clientId: client_id } = await server.client();
  await admin.policy.addRuntimeClient({ slug, body: { client_id } });
  await admin.client.delete({ id: client_id });
  await admin.resource.update({ id: slug, body: { display_name: 'still changeable' } });
  assert.deepEqual(await admin.policy.removeRuntimeClient({ slug, client_id }), { client_ids: [] });
});

test('a return URL is an exact http(s) URL, or localhost with any port', async () => {
  const { slug } = await brokerResource();
  const add = (url: string) =>
    server.adminRequest('POST', `/admin/resources/${slug}/policy/connect/allowed-return-urls`, { url });
  for (const url of ['https://a.example/cb', 'http://localhost:', 'https://127.0.0.1:', 'http://localhost:3000/cb'])
    assert.equal((await add(url)).status, 200, url);
  for (const url of ['a.example', 'javascript:alert(1)', 'https://me:pw@a.example/', 'data:,x'])
    refused(await add(url), 'invalid_request');
});

test('removing a return URL says which', async () => {
  const { slug } = await brokerResource();
  const path = `/admin/resources/${slug}/policy/connect/allowed-return-urls`;
  for (const query of ['', '?uri=https://a.example/', '?url=a&url=b'])
    refused(await server.adminRequest('DELETE', path + query), 'invalid_request');
});

test('clients added to a list at the same time do not overwrite each other', async () => {
  const { slug } = await server.resource();
  const clients = await Promise.all(Array.from({ length: 5 }, () => server.client()));
  const add = async (client_id: string): Promise<void> => {
    const path = `/admin/resources/${slug}/policy/runtime/client-ids`;
    const { status } = await server.adminRequest('POST', path, { client_id });
    if (status === 409) return add(client_id); // somebody else was faster: read again, try again
    assert.equal(status, 200);
  };
  await Promise.all(clients.map(({ clientId }) => add(clientId)));
  const { client_ids } = await admin.policy.listRuntimeClients({ slug });
  assert.deepEqual(client_ids.sort(), clients.map(({ clientId }) => clientId).sort());
});

test('changing one list leaves the other two', async () => {
  const { clientId: client_id } = await server.client();
  const { slug } = await brokerResource();
  await admin.policy.addRuntimeClient({ slug, body: { client_id } });
  await admin.policy.addExchangeClient({ slug, body: { client_id } });
  await admin.policy.addReturnUrl({ slug, body: { url: 'https://a.example/' } });
  const { policy } = await admin.resource.get({ id: slug });
  assert.deepEqual(policy, {
    exchange: { allowed_client_ids: [client_id] },
    runtime: { client_ids: [client_id] },
    connect: { allowed_return_urls: ['https://a.example/'] },
  });
});

test('a mint resource has no connect policy, neither in its own routes nor in the whole policy', async () => {
  const { id, slug } = await server.resource();
  const path = `/admin/resources/${slug}/policy/connect/allowed-return-urls`;
  const url = 'https://a.example/';
  for (const [method, address, body] of [
    ['GET', path, undefined],
    ['POST', path, { url }],
    ['DELETE', `${path}?url=${url}`, undefined],
  ] as const)
    assert.match(refused(await server.adminRequest(method, address, body), 'invalid_request'), /mint/);
  const policy = { connect: { allowed_return_urls: [url] } };
  const empty = { exchange: { allowed_client_ids: [] }, runtime: { client_ids: [] } };
  assert.deepEqual((await admin.resource.update({ id, body: { policy } })).policy, empty);
  const kept = await server.sql('select policy from resources where id = $1', [id]);
  assert.ok(!JSON.stringify(kept).includes(url));
});

test('budgets: one for a client and one for all others, each change recorded once, and lists leave them', async () => {
  const { id, slug } = await server.resource();
  const { clientId: client_id } = await server.client();
  const path = `/admin/resources/${slug}/policy/exchange/budgets`;
  const set = (body: object) => server.adminRequest('PUT', path, body);
  const remove = (query = '') => server.adminRequest('DELETE', path + query);
  const own = { client_id, max_uses: 5 };
  const action = 'resource.policy.exchange.budget';
  for (const [work, verb, whose, before, after] of [
    [() => set(own), 'set', client_id, [], [own]],
    [() => set({ max_lifetime: 60 }), 'set', '', [own], [own, { max_lifetime: 60 }]],
    [
      () => set({ client_id, max_depth: 2 }),
      'set',
      client_id,
      [own, { max_lifetime: 60 }],
      [{ client_id, max_depth: 2 }, { max_lifetime: 60 }],
    ],
    [() => remove(), 'removed', '', [{ client_id, max_depth: 2 }, { max_lifetime: 60 }], [{ client_id, max_depth: 2 }]],
  ] as const) {
    const { audit, changes } = await traceOf(server, async () =>
      assert.deepEqual((await work()).body, { budgets: after }),
    );
    assert.deepEqual(changes, [{ kind: 'resource', key: id }]);
    assert.deepEqual(
      audit.map(({ action, details }) => ({ action, details })),
      [{ action: `${action}.${verb}`, details: { slug, client_id: whose, before, after } }],
    );
    assert.deepEqual(await traceOf(server, work), nothing, `${verb} again`);
  }
  await admin.policy.addExchangeClient({ slug, body: { client_id } });
  await admin.policy.removeExchangeClient({ slug, client_id });
  const left = [{ client_id, max_depth: 2 }];
  assert.deepEqual((await admin.resource.get({ id: slug })).policy.exchange, { allowed_client_ids: [], budgets: left });
  await admin.resource.update({ id: slug, body: { policy: { exchange: { budgets: [own] } } } });
  assert.deepEqual(await admin.policy.listExchangeBudgets({ slug }), { budgets: [own] });
  assert.deepEqual(await (await remove(`?client_id=${client_id}`)).body, { budgets: [] });
  assert.deepEqual((await admin.resource.get({ id: slug })).policy.exchange, { allowed_client_ids: [] });
});

test('what is no budget is refused, in its own route and in the whole policy', async () => {
  const { id, slug } = await server.resource();
  const { clientId: client_id } = await server.client();
  for (const budget of [
    {},
    { client_id },
    { max_uses: 0 },
    { max_uses: 1.5 },
    { max_uses: '5' },
    { max_lifetime: -1 },
    { max_depth: 33 },
    { max_uses: 5, more: 1 },
    { client_id: 'nobody', max_uses: 5 },
    { client_id: '', max_uses: 5 },
  ]) {
    const path = `/admin/resources/${slug}/policy/exchange/budgets`;
    refused(await server.adminRequest('PUT', path, budget), 'invalid_request');
    const policy = { exchange: { budgets: [budget] } };
    refused(await server.adminRequest('PATCH', `/admin/resources/${id}`, { policy }), 'invalid_request');
  }
  const twice = {
    exchange: {
      budgets: [
        { client_id, max_uses: 5 },
        { client_id, max_depth: 5 },
      ],
    },
  };
  assert.match(
    refused(await server.adminRequest('PATCH', `/admin/resources/${id}`, { policy: twice }), 'invalid_request'),
    /repeat/,
  );
  assert.deepEqual(await admin.policy.listExchangeBudgets({ slug }), { budgets: [] });
});

test('what is put on and taken off the exchange list is counted', async () => {
  const { slug } = await server.resource();
  const { clientId: client_id } = await server.client();
  const count = async (op: string) => {
    const text = await (await fetch(`${server.adminUrl}/metrics`)).text();
    return Number(new RegExp(`authplane_allowlist_ops_total\\{op="${op}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
  };
  const [added, removed] = [await count('add'), await count('remove')];
  for (let n = 0; n < 2; n += 1) await admin.policy.addExchangeClient({ slug, body: { client_id } });
  await admin.policy.addRuntimeClient({ slug, body: { client_id } });
  await admin.policy.removeExchangeClient({ slug, client_id, query: { dry_run: 'true' } });
  assert.deepEqual([await count('add'), await count('remove')], [added + 1, removed]);
  await admin.policy.removeExchangeClient({ slug, client_id });
  assert.equal(await count('remove'), removed + 1);
});

test('a client may introspect for a resource from the moment it is listed until it is not, on both pods', async () => {
  const guard = await server.client(confidential);
  const { slug, uri } = await server.resource();
  const { access_token } = await (await server.client()).authorize({ user, resource: uri, scope: 'tools/read' });
  const sees = (wanted: boolean) => () =>
    Promise.all([0, 1].map(async (pod) => ok(await guard.introspect(access_token, pod)).active === wanted)).then(
      (both) => both.every(Boolean),
    );
  assert.ok(await sees(false)());
  await admin.policy.addRuntimeClient({ slug, body: { client_id: guard.clientId } });
  await soon('added', sees(true));
  await admin.policy.removeRuntimeClient({ slug, client_id: guard.clientId });
  await soon('removed', sees(false));
});
