import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { askAdmin } from '../support/admin-plane.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';

const server = await startAuthServer({ admin: 2 });
const { admin } = server;
const policies = '/admin/xaa/policies';
const mappings = '/admin/xaa/subject-mappings';
const request = server.adminRequest.bind(server);

const newIdp = async (name?: string) => {
  const issuer = `https://idp-${crypto.randomUUID()}.example.com`;
  return admin.idp.create({ body: { issuer, jwks_uri: `${issuer}/keys`, ...(name ? { name } : {}) } });
};
const idp = await newIdp('Work');
const resource = 'https://mcp.example.com/mcp';
const listed = async (path: string) => {
  const { body } = await request('GET', path);
  assert.ok(Array.isArray(body), JSON.stringify(body));
  return (body as unknown as { id: string }[]).map(({ id }) => id);
};

test('policies: the lines of the manual', async () => {
  const { clientId } = await server.client();
  const body = { idp_id: idp.id, client_ids: [clientId], scopes: ['tools/read'], resources: [resource] };
  const { audit, changes } = await traceOf(server, async () => {
    const created = await request('POST', policies, body);
    assert.equal(created.status, 201, JSON.stringify(created.body));
    const { id, created_at, updated_at, ...shown } = created.body;
    assert.deepEqual(shown, { ...body, name: 'Work', priority: 100, enabled: true });
    assert.ok((await listed(policies)).includes(String(id)));
    assert.equal((await request('DELETE', `${policies}/${id}`)).status, 204);
    assert.ok(!(await listed(policies)).includes(String(id)));
    refused(await request('DELETE', `${policies}/${id}`), 'not_found');
  });
  assert.deepEqual(audit.map(({ action }) => action).sort(), ['xaa_policy.created', 'xaa_policy.deleted']);
  assert.deepEqual(
    changes.map(({ kind, key }) => [kind, key]),
    audit.map(({ details }) => ['xaa_policy', details.policy]),
  );
});

test('a list that is absent or null restricts nothing, and an empty list of scopes grants nothing', async () => {
  for (const [given, shown] of [
    [{}, { client_ids: null, scopes: null, resources: null }],
    [
      { client_ids: null, scopes: null, resources: null },
      { client_ids: null, scopes: null, resources: null },
    ],
    [
      { client_ids: [], scopes: [], resources: [] },
      { client_ids: null, scopes: [], resources: null },
    ],
    [{ scopes: ['a', 'b', 'a'] }, { client_ids: null, scopes: ['a', 'b'], resources: null }],
    // Two spellings of one resource are one (RFC 8707).
    [{ resources: ['https://A.example.com', 'https://a.example.com/'] }, { resources: ['https://a.example.com/'] }],
  ] as const) {
    const { id } = await admin.xaaPolicy.create({ body: { idp_id: idp.id, ...given } as never });
    const policy = await admin.xaaPolicy.get({ id });
    assert.deepEqual({ ...policy, ...shown }, policy, JSON.stringify(given));
    await admin.xaaPolicy.delete({ id });
  }
});

for (const method of ['PATCH', 'PUT'])
  test(`${method} changes what is given, keeps the rest, and makes a list unrestricted again with null`, async () => {
    const { clientId } = await server.client();
    const { id } = await admin.xaaPolicy.create({
      body: { idp_id: idp.id, client_ids: [clientId], scopes: ['a'], resources: [resource] },
    });
    const path = `${policies}/${id}`;
    const change = async (body: unknown) => {
      const answer = await request(method, path, body);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      const { client_ids, scopes, resources } = answer.body;
      return [client_ids, scopes, resources];
    };
    const { audit, changes } = await traceOf(server, async () => {
      assert.deepEqual(await change({ scopes: [] }), [[clientId], [], [resource]]);
    });
    const { before, after } = (audit[0]?.details ?? {}) as Record<'before' | 'after', { scopes: string[] }>;
    assert.deepEqual(
      [audit.length, audit[0]?.action, before.scopes, after.scopes],
      [1, 'xaa_policy.updated', ['a'], []],
    );
    assert.deepEqual(changes, [{ kind: 'xaa_policy', key: id }]);
    assert.deepEqual(await change({ scopes: null }), [[clientId], null, [resource]]);
    assert.deepEqual(await change({ client_ids: null }), [null, null, [resource]]);
    assert.deepEqual(await change({ resources: null, enabled: false, name: 'Off', priority: 7 }), [null, null, null]);
    const { enabled, name, priority } = await admin.xaaPolicy.get({ id });
    assert.deepEqual([enabled, name, priority], [false, 'Off', 7]);

    const other = await newIdp();
    const trace = await traceOf(server, async () => {
      for (const body of [{}, { name: 'Off' }, { scopes: null }]) await change(body);
      for (const body of [{ idp_id: other.id }, { name: null }, { priority: -1 }, { scope: 'a' }, { enabled: 'no' }])
        refused(await request(method, path, body), 'invalid_request');
      refused(await request(method, `${policies}/nobody`, { name: 'x' }), 'not_found');
    });
    assert.deepEqual(trace, nothing);
    await admin.xaaPolicy.delete({ id });
  });

test('what is no policy is refused: an unknown identity provider is missing, an unknown client a mistake', async () => {
  const trace = await traceOf(server, async () => {
    for (const idp_id of ['nobody', crypto.randomUUID()])
      assert.match(refused(await request('POST', policies, { idp_id }), 'not_found'), /identity provider/);
    for (const [body, said] of [
      [{}, /idp_id/],
      [{ idp_id: idp.id, client_ids: ['nobody', 'nobody-else'] }, /client_ids: .*nobody; client_ids: .*nobody-else/],
      [{ idp_id: idp.id, client_ids: 'all' }, /client_ids/],
      [{ idp_id: idp.id, scopes: ['two words'] }, /scopes\.0: must be a scope token/],
      [{ idp_id: idp.id, scopes: [''] }, /scopes\.0/],
      [{ idp_id: idp.id, resources: ['mcp'] }, /resources\.0: must be an absolute URI/],
      [{ idp_id: idp.id, resources: ['https://mcp.example.com/#a'] }, /resources\.0/],
      [{ idp_id: idp.id, resources: [resource, 'https://u@mcp.example.com/'] }, /resources\.1/],
      [{ idp_id: idp.id, priority: 1.5 }, /priority/],
      [{ idp_id: idp.id, name: '' }, /name/],
      [{ idp_id: idp.id, id: 'mine' }, /id/],
    ] as const)
      assert.match(refused(await request('POST', policies, body), 'invalid_request'), said, JSON.stringify(body));
  });
  assert.deepEqual(trace, nothing);
});

test('a client that was deleted since does not stand in the way of another change of the policy', async () => {
  const { client_id } = await admin.client.create({
    body: { client_name: 'Gone', redirect_uris: ['https://app.example.com/cb'] },
  });
  const { id } = await admin.xaaPolicy.create({ body: { idp_id: idp.id, client_ids: [client_id] } });
  await admin.client.delete({ id: client_id });
  const { client_ids } = await admin.xaaPolicy.update({ id, body: { client_ids: [client_id], name: 'Still' } });
  assert.deepEqual(client_ids, [client_id]);
});

test('policies are listed as they are asked: by priority, of equal ones the older first; with cursors', async () => {
  const one = await newIdp();
  const other = await newIdp();
  const make = async (idp_id: string, priority: number) =>
    (await admin.xaaPolicy.create({ body: { idp_id, priority } })).id;
  const third = await make(one.id, 20);
  const first = await make(one.id, 5);
  const fourth = await make(one.id, 100);
  await new Promise((resolve) => setTimeout(resolve, 2)); // ids of one millisecond have no order
  const fifth = await make(one.id, 100);
  const second = await make(one.id, 9);
  const foreign = await make(other.id, 0);
  const wanted = [first, second, third, fourth, fifth];
  const path = `${policies}?idp_id=${one.id}`;
  assert.deepEqual(await listed(path), wanted);
  assert.deepEqual(await listed(`${policies}?idp_id=${other.id}`), [foreign]);
  assert.deepEqual(await listed(`${policies}?idp_id=nobody`), []);

  const page = await request('GET', `${path}&limit=2`);
  assert.equal(page.headers.get('x-total-count'), '5');
  const seen: string[] = [];
  for (let next: string | undefined = `${path}&limit=2`; next; ) {
    const answer = await request('GET', next);
    seen.push(...(answer.body as unknown as { id: string }[]).map(({ id }) => id));
    next = /^<(.+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
  }
  assert.deepEqual(seen, wanted);
  const everything = await listed(`${policies}?limit=1000`);
  assert.deepEqual(
    everything.filter((id) => wanted.includes(id)),
    wanted,
  );
  const strange = /cursor=([^&>]+)/.exec((await request('GET', '/admin/idps?limit=1')).headers.get('link') ?? '')?.[1];
  assert.ok(strange);
  assert.deepEqual(await listed(`${policies}?cursor=${strange}`), []);
  refused(await request('GET', `${policies}?cursor=%00`), 'invalid_request');
});

test('subject mappings: the line of the manual, with an account that is known by its address', async () => {
  const user = await server.user({ email: 'bar' });
  const spelled = { idp_id: idp.id, mode: 'explicit', federated_subject: 'foo', local_subject: 'bar' };
  const { audit, changes } = await traceOf(server, async () => {
    const created = await request('POST', mappings, spelled);
    assert.equal(created.status, 201, JSON.stringify(created.body));
    const { id, created_at, updated_at, ...shown } = created.body;
    assert.deepEqual(shown, { idp_id: idp.id, idp_subject: 'foo', local_user_id: user.id });
    assert.deepEqual((await request('GET', `${mappings}/${id}`)).body, created.body);
    assert.ok((await listed(mappings)).includes(String(id)));
    assert.equal((await request('DELETE', `${mappings}/${id}`)).status, 204);
    refused(await request('GET', `${mappings}/${id}`), 'not_found');
  });
  assert.deepEqual(audit.map(({ action }) => action).sort(), ['subject_mapping.created', 'subject_mapping.deleted']);
  assert.deepEqual(
    changes.map(({ kind }) => kind),
    ['subject_mapping', 'subject_mapping'],
  );
});

test('a mapping is taken in either spelling, by id or address, with an account or without', async () => {
  const user = await server.user();
  for (const [n, body] of [
    { idp_subject: 'a0', local_user_id: user.id },
    { idp_subject: 'a1', local_subject: user.id },
    { federated_subject: 'a2', local_subject: user.email.toUpperCase() },
    { federated_subject: 'a3', local_user_id: user.id, mode: 'explicit' },
  ].entries()) {
    const { status, body: shown } = await request('POST', mappings, { idp_id: idp.id, ...body });
    assert.deepEqual([status, shown.idp_subject, shown.local_user_id], [201, `a${n}`, user.id]);
  }
  const without = await request('POST', mappings, { idp_id: idp.id, idp_subject: 'a4' });
  assert.deepEqual([without.status, 'local_user_id' in without.body], [201, false]);
  assert.equal((await listed(`${mappings}?local_user_id=${user.id}`)).length, 4);
  assert.equal((await listed(`${mappings}?idp_id=${idp.id}&local_user_id=${user.id}&limit=3`)).length, 3);
  assert.deepEqual(await listed(`${mappings}?local_user_id=nobody`), []);
});

test('what is no mapping is refused', async () => {
  const user = await server.user();
  const other = await newIdp();
  await admin.subjectMapping.create({ body: { idp_id: idp.id, idp_subject: 'taken' } });
  const trace = await traceOf(server, async () => {
    for (const body of [
      { idp_id: idp.id, idp_subject: 'x', local_user_id: crypto.randomUUID() },
      { idp_id: idp.id, idp_subject: 'x', local_user_id: user.email },
      { idp_id: idp.id, idp_subject: 'x', local_subject: 'nobody@example.com' },
    ])
      assert.match(refused(await request('POST', mappings, body), 'not_found'), /user/);
    assert.match(
      refused(await request('POST', mappings, { idp_id: crypto.randomUUID(), idp_subject: 'x' }), 'not_found'),
      /identity provider/,
    );
    for (const [body, said] of [
      [{ idp_id: idp.id }, /idp_subject: is required/],
      [{}, /idp_id.*idp_subject: is required/],
      [{ idp_id: idp.id, idp_subject: 'x', federated_subject: 'x' }, /idp_subject: means the same/],
      [{ idp_id: idp.id, idp_subject: 'x', local_user_id: user.id, local_subject: user.id }, /local_user_id: means/],
      [{ idp_id: idp.id, idp_subject: 'x', mode: 'explicit' }, /local_user_id: is required/],
      [{ idp_id: idp.id, idp_subject: 'x', mode: 'auto', local_user_id: user.id }, /mode/],
      [{ idp_id: idp.id, idp_subject: '' }, /idp_subject/],
      [{ idp_id: idp.id, idp_subject: 'x'.repeat(513) }, /idp_subject/],
      [{ idp_id: idp.id, idp_subject: 'a\u0000b' }, /idp_subject/],
      [{ idp_id: idp.id, idp_subject: 'x', role: 'admin' }, /role/],
    ] as const)
      assert.match(refused(await request('POST', mappings, body), 'invalid_request'), said, JSON.stringify(body));
    refused(await request('POST', mappings, { idp_id: idp.id, idp_subject: 'taken' }), 'conflict');
  });
  assert.deepEqual(trace, nothing);
  await admin.subjectMapping.create({ body: { idp_id: other.id, idp_subject: 'taken' } });
  await admin.subjectMapping.create({ body: { idp_id: idp.id, idp_subject: 'Taken' } });
  await admin.subjectMapping.create({ body: { idp_id: idp.id, idp_subject: '\u{1F600}'.repeat(256) } });
});

test('a subject is mapped once, however many try at once', async () => {
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, n) => {
      const plane = server.admins[n % 2];
      assert.ok(plane);
      return askAdmin(plane, 'POST', mappings, { idp_id: idp.id, idp_subject: 'wanted by all' });
    }),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409, 409, 409, 409]);
});

test('a subject gets another account, or none; and keeps a name without an owner when the account goes', async () => {
  const [old, next] = [await server.user(), await server.user()];
  const { id } = await admin.subjectMapping.create({
    body: { idp_id: idp.id, idp_subject: 'moves', local_user_id: old.id },
  });
  const path = `${mappings}/${id}`;
  const etag = (await request('GET', path)).headers.get('etag') ?? '';
  const { audit } = await traceOf(server, async () => {
    const { body } = await request('PATCH', path, { local_subject: next.email });
    assert.equal(body.local_user_id, next.id);
  });
  const { before, after } = (audit[0]?.details ?? {}) as Record<'before' | 'after', { local_user_id: string }>;
  assert.deepEqual([audit.length, before.local_user_id, after.local_user_id], [1, old.id, next.id]);
  const trace = await traceOf(server, async () => {
    for (const method of ['PATCH', 'DELETE'])
      refused(
        await request(method, path, method === 'PATCH' ? { local_user_id: null } : undefined, { 'if-match': etag }),
        'precondition_failed',
      );
    for (const body of [{}, { local_user_id: next.id }]) assert.equal((await request('PATCH', path, body)).status, 200);
    for (const body of [{ idp_subject: 'x' }, { idp_id: 'x' }, { local_subject: null }])
      refused(await request('PATCH', path, body), 'invalid_request');
    refused(await request('PATCH', path, { local_user_id: old.id, local_subject: old.id }), 'invalid_request');
    refused(await request('PATCH', path, { local_user_id: crypto.randomUUID() }), 'not_found');
  });
  assert.deepEqual(trace, nothing);

  await admin.user.delete({ id: next.id });
  assert.equal((await admin.subjectMapping.get({ id })).local_user_id, next.id, 'a stranger does not become somebody');
  const cleared = await request('PATCH', path, { local_user_id: null });
  assert.deepEqual([cleared.status, 'local_user_id' in cleared.body], [200, false]);
});

test('admin xaa: policies and mappings, command by command', async () => {
  const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
  const lines = async (...line: string[]) => {
    const { code, stdout, stderr } = await runCli(['admin', 'xaa', ...line], { env });
    assert.equal(code, 0, stderr);
    return stdout.slice(0, -1).split('\n');
  };
  const work = await newIdp('Work');
  const { clientId } = await server.client();
  const [created = ''] = await lines(
    ...['policy', 'create', '--idp', work.id, '--client-ids', clientId, '--scopes', 'a,b', '--resources', resource],
  );
  const id = /^policy created: id=(\S+) idp_id=\S+ name=Work$/.exec(created)?.[1] ?? '';
  const line = (policy: string) => `id=${id} idp_id=${work.id} name=Work priority=100 enabled=${policy}`;
  assert.deepEqual(await lines('policy', 'list', '--idp', work.id), [
    line(`true client_ids=[${clientId}] scopes=[a,b] resources=[${resource}]`),
  ]);
  assert.deepEqual(
    await lines(...['policy', 'update', '--id', id, '--any-client', '--any-resource', '--no-scope', '--no-enabled']),
    [`policy updated: ${line('false client_ids=any scopes=[] resources=any')}`],
  );
  await lines('policy', 'update', '--id', id, '--any-scope', '--enabled');
  assert.ok(
    (await lines('policy', 'get', '--id', id))[0]?.startsWith(line('true client_ids=any scopes=any resources=any')),
  );
  assert.match(failedWith(await runCli(['admin', 'xaa', 'policy', 'get', '--id', 'nobody'], { env }), 4), /policy/);

  const user = await server.user();
  const [mapped = ''] = await lines('mapping', 'create', '--idp', work.id, '--subject', 'foo', '--user', user.email);
  const mapping = /^subject mapping created: id=(\S+) /.exec(mapped)?.[1] ?? '';
  const shown = `id=${mapping} idp_id=${work.id} idp_subject=foo`;
  assert.equal(mapped, `subject mapping created: ${shown} local_user_id=${user.id}`);
  assert.deepEqual(await lines('mapping', 'list', '--idp', work.id), [`${shown} local_user_id=${user.id}`]);
  assert.deepEqual(await lines('mapping', 'update', '--id', mapping, '--no-user'), [
    `subject mapping updated: ${shown}`,
  ]);
  assert.ok((await lines('mapping', 'get', '--id', mapping))[0]?.startsWith(shown));
  assert.deepEqual(await lines('mapping', 'delete', '--id', mapping), [`subject mapping deleted: id=${mapping}`]);
  assert.deepEqual(await lines('mapping', 'list', '--idp', work.id), ['no subject mappings found']);
  assert.deepEqual(await lines('policy', 'delete', '--id', id), [`policy deleted: id=${id}`]);
  assert.deepEqual(await lines('policy', 'list', '--idp', work.id), ['no policies found']);
});
