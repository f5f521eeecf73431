/** Fronting links: what may lead where, that nothing leads round in a circle, and that what a link rests on stays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { askAdmin } from '../support/admin-plane.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { newLink, newProvider } from '../support/brokering.ts';

const server = await startAuthServer({ admin: 2 });
const { admin } = server;
const fresh = () => `mcp-${crypto.randomUUID().slice(0, 8)}`;
const create = (body: unknown, query = '') => server.adminRequest('POST', `/admin/fronting${query}`, body);
const map = { 'tools/read': ['tools/read'] };
const brokerResource = async () => {
  const { slug: broker_provider_slug } = await newProvider(server);
  return admin.resource.create({
    body: { slug: fresh(), backend_kind: 'broker', broker_provider_slug, scopes: [{ name: 'tools/read' }] },
  });
};

test('a link is made, shown, changed and deleted, each audited and told to the token plane', async () => {
  const [source, target] = [await server.resource(), await server.resource()];
  const path = `/admin/fronting/${source.slug}/${target.slug}`;
  const body = { source: source.slug, target: target.slug, scope_map: { 'tools/read': ['tools/read', 'tools/read'] } };
  const made = await traceOf(server, async () => {
    const answer = await create(body);
    assert.equal(answer.status, 201);
    const { created_at, updated_at, ...rest } = answer.body;
    assert.deepEqual(rest, {
      source_slug: source.slug,
      target_slug: target.slug,
      scope_map: map,
      created_by: 'admin',
    });
    assert.equal(created_at, updated_at);
    const shown = await server.adminRequest('GET', path);
    assert.deepEqual(shown.body, answer.body);
    assert.equal(shown.headers.get('etag'), answer.headers.get('etag'));
  });
  const changed = await traceOf(server, async () => {
    const { body } = await server.adminRequest('PATCH', path, {
      scope_map: { 'tools/read': ['tools/read', 'tools/write'] },
    });
    assert.deepEqual(body.scope_map, { 'tools/read': ['tools/read', 'tools/write'] });
  });
  assert.deepEqual(await traceOf(server, () => server.adminRequest('PATCH', path, {})), nothing);
  refused(await server.adminRequest('DELETE', path, undefined, { 'if-match': '"1"' }), 'precondition_failed');
  const gone = await traceOf(server, async () => assert.equal((await server.adminRequest('DELETE', path)).status, 204));
  for (const [{ audit, changes }, action, scopes] of [
    [made, 'fronting_link.created', 'tools/read->tools/read'],
    [changed, 'fronting_link.patched', 'tools/read->tools/read+tools/write'],
    [gone, 'fronting_link.deleted', 'tools/read->tools/read+tools/write'],
  ] as const) {
    assert.deepEqual(changes, [{ kind: 'fronting_link', key: `${source.slug}/${target.slug}` }]);
    assert.equal(audit.length, 1);
    assert.equal(audit[0]?.action, action);
    const { source: from, target: to, scopes: said } = (audit[0]?.details ?? {}) as Record<string, unknown>;
    assert.deepEqual([from, to, said], [source.slug, target.slug, scopes]);
  }
  for (const method of ['GET', 'DELETE'] as const) refused(await server.adminRequest(method, path), 'not_found');
  refused(await server.adminRequest('PATCH', path, { scope_map: map }), 'not_found');
});

test('a link may lead to a broker resource, and to several; a source may be a target', async () => {
  const [a, b, broker] = [await server.resource(), await server.resource(), await brokerResource()];
  for (const [source, target] of [
    [a.slug, b.slug],
    [a.slug, broker.slug],
    [b.slug, broker.slug],
  ])
    assert.equal((await create({ source, target, scope_map: map })).status, 201);
  const ends = await admin.fronting.show({ slug: b.slug });
  assert.deepEqual(
    [ends.slug, ends.fronts.map((link) => link.target_slug), ends.fronted_by.map((link) => link.source_slug)],
    [b.slug, [broker.slug], [a.slug]],
  );
  const none = await admin.fronting.show({ slug: (await server.resource()).slug });
  assert.deepEqual([none.fronts, none.fronted_by], [[], []]);
  refused(await server.adminRequest('GET', '/admin/resources/nobody/fronting'), 'not_found');
});

test('what is wrong is refused, the worst first', async () => {
  const [a, b, broker] = [await server.resource(), await server.resource(), await brokerResource()];
  await admin.fronting.create({ body: { source: a.slug, target: b.slug, scope_map: map } });
  const unknown = { 'tools/none': ['tools/nothing'] };
  const cases: [body: unknown, detail: RegExp, code?: 'conflict'][] = [
    [{}, /source.*target.*scope_map/],
    [{ source: a.slug, target: b.slug, scope_map: {} }, /scope_map: must map at least one/],
    [{ source: a.slug, target: b.slug, scope_map: { 'tools/read': [] } }, /scope_map/],
    [{ source: a.slug, target: b.slug, scope_map: { 'tools/read': 'tools/read' } }, /scope_map/],
    [{ source: a.slug, target: b.slug, scope_map: { 'a b': ['tools/read'] } }, /scope_map/],
    [{ source: a.slug, target: b.slug, scope_map: [] }, /scope_map/],
    [{ source: a.slug, target: b.slug, scope_map: map, created_by: 'me' }, /created_by/],
    [{ source: 'nobody', target: 'nobody', scope_map: unknown }, /target: must not be the source/],
    [{ source: 'nobody', target: 'no-one', scope_map: unknown }, /source: .*nobody; target: .*no-one/],
    [{ source: broker.slug, target: 'no-one', scope_map: unknown }, /target: .*no-one/],
    [{ source: broker.slug, target: a.slug, scope_map: unknown }, /source: must be a mint/],
    [
      { source: a.slug, target: b.slug, scope_map: unknown },
      /source has no scope tools\/none.*target has no scope tools\/nothing/,
    ],
    [{ source: a.slug, target: b.slug, scope_map: map }, /already/, 'conflict'],
    [{ source: b.slug, target: a.slug, scope_map: map }, new RegExp(`circle: ${b.slug} -> ${a.slug} -> ${b.slug}`)],
  ];
  const trace = await traceOf(server, async () => {
    for (const [body, detail, code = 'invalid_request'] of cases) {
      assert.match(refused(await create(body), code), detail, JSON.stringify(body));
      assert.match(refused(await create(body, '?dry_run=true'), code), detail);
    }
  });
  assert.deepEqual(trace, nothing);
  const patch = (body: unknown) => server.adminRequest('PATCH', `/admin/fronting/${a.slug}/${b.slug}`, body);
  for (const body of [{ scope_map: {} }, { scope_map: unknown }, { source: b.slug }, { target: broker.slug }, []])
    refused(await patch(body), 'invalid_request');
});

test('a rehearsal shows the link and makes none', async () => {
  const [a, b] = [await server.resource(), await server.resource()];
  const trace = await traceOf(server, async () => {
    const answer = await create({ source: a.slug, target: b.slug, scope_map: map }, '?dry_run=true');
    assert.equal(answer.status, 200);
    assert.deepEqual([answer.body.source_slug, answer.body.scope_map], [a.slug, map]);
  });
  assert.deepEqual(trace, nothing);
  refused(await server.adminRequest('GET', `/admin/fronting/${a.slug}/${b.slug}`), 'not_found');
});

test('links made at the same moment over both pods close no circle', async () => {
  const ask = (pod: number, source: string, target: string) =>
    askAdmin(server.admins[pod % 2] as (typeof server.admins)[0], 'POST', '/admin/fronting', {
      source,
      target,
      scope_map: map,
    });
  for (let round = 0; round < 4; round += 1) {
    const ring = await Promise.all(Array.from({ length: 5 }, () => server.resource()));
    const answers = await Promise.all(ring.map(({ slug }, n) => ask(n, slug, ring[(n + 1) % ring.length]?.slug ?? '')));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 201, 201, 201, 400]);
    const [a, b] = [await server.resource(), await server.resource()];
    const twice = await Promise.all([0, 1].map((pod) => ask(pod, a.slug, b.slug)));
    assert.deepEqual(twice.map(({ status }) => status).sort(), [201, 409]);
  }
});

test('the list is filtered, in order, and goes on from page to page', async () => {
  const [a, b] = [await server.resource({ slug: 'aa-gate' }), await server.resource({ slug: 'aa-gate-2' })];
  const targets = await Promise.all(['zz-1', 'zz-2', 'zz-3'].map((slug) => server.resource({ slug })));
  for (const source of [a, b])
    for (const target of targets)
      await admin.fronting.create({ body: { source: source.slug, target: target.slug, scope_map: map } });
  const pairsOf = (body: unknown) =>
    (body as { source_slug: string; target_slug: string }[]).map(
      ({ source_slug, target_slug }) => `${source_slug}>${target_slug}`,
    );
  const list = async (query: string) => pairsOf((await server.adminRequest('GET', `/admin/fronting?${query}`)).body);
  assert.deepEqual(await list('source=aa-gate'), ['aa-gate>zz-1', 'aa-gate>zz-2', 'aa-gate>zz-3']);
  assert.deepEqual(await list('target=zz-2'), ['aa-gate>zz-2', 'aa-gate-2>zz-2']);
  assert.deepEqual(await list('source=nobody'), []);
  assert.equal((await list('source=aa-gate&target=zz-1')).length, 1);

  const walked: string[] = [];
  for (let next = '/admin/fronting?limit=2'; next !== ''; ) {
    const page = await server.adminRequest('GET', next);
    walked.push(...pairsOf(page.body));
    [, next = ''] = /<([^>]+)>; rel="next"/.exec(page.headers.get('link') ?? '') ?? [];
  }
  const all = await list('limit=500');
  assert.deepEqual(walked, all);
  assert.deepEqual(all.slice(0, 6), await list('limit=6'));
  for (const query of ['limit=0', 'limit=501', 'from=a', 'cursor=x'])
    refused(await server.adminRequest('GET', `/admin/fronting?${query}`), 'invalid_request');
});

test('what links rest on cannot be taken from under them, and they are named', async () => {
  const { source, target, link } = await newLink(server);
  const { id: broker_provider_id } = await newProvider(server);
  const patch = (slug: string, body: unknown) => server.adminRequest('PATCH', `/admin/resources/${slug}`, body);
  const route = new RegExp(`${source.slug} -> ${target.slug}`);
  const trace = await traceOf(server, async () => {
    for (const [slug, body, detail] of [
      [source.slug, { slug: fresh() }, /^slug/],
      [target.slug, { slug: fresh() }, /^slug/],
      [target.slug, { backend_kind: 'broker', broker_provider_id }, /^backend_kind/],
      [source.slug, { scopes: [{ name: 'tools/read' }] }, /^scopes: .*tools\/write/],
      [target.slug, { scopes: [] }, /^scopes: .*tools\/read, tools\/write/],
      [source.slug, { slug: fresh(), scopes: [] }, /^slug: .*scopes: /],
    ] as const) {
      const answer = await patch(slug, body);
      const said = refused(answer, 'invalid_request');
      assert.match(said, detail);
      assert.match(said, route);
      assert.deepEqual(answer.body.dependents, [link]);
    }
  });
  assert.deepEqual(trace, nothing);
  const scopes = [{ name: 'tools/write' }, { name: 'tools/read' }, { name: 'tools/new' }];
  for (const { slug } of [source, target])
    assert.equal((await patch(slug, { slug, scopes, display_name: 'New', backend_kind: 'mint' })).status, 200);
  await admin.fronting.delete({ source: source.slug, target: target.slug });
  assert.equal((await patch(source.slug, { slug: fresh(), scopes: [] })).status, 200);
});

test('a scope that is removed while a link to it is made is still there, or there is no link', async () => {
  for (let round = 0; round < 8; round += 1) {
    const [source, target] = [await server.resource(), await server.resource()];
    const [here, there] = server.admins as [(typeof server.admins)[0], (typeof server.admins)[0]];
    const [made, changed] = await Promise.all([
      askAdmin(here, 'POST', '/admin/fronting', { source: source.slug, target: target.slug, scope_map: map }),
      askAdmin(there, 'PATCH', `/admin/resources/${round % 2 ? source.slug : target.slug}`, { scopes: [] }),
    ]);
    assert.deepEqual([made.status, changed.status].sort(), made.status === 201 ? [201, 400] : [200, 400]);
  }
});
