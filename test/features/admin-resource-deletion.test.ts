/** Deleting a resource: what ends with it, what is kept because it names it, and what stands in the way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { newLink, newProvider } from '../support/brokering.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true, pods: 2 });
const { admin } = server;
const user = await server.user();
const fresh = () => `mcp-${crypto.randomUUID().slice(0, 8)}`;
const path = (idOrSlug: string) => `/admin/resources/${idOrSlug}`;
const remove = (idOrSlug: string, query = '') => server.adminRequest('DELETE', `${path(idOrSlug)}${query}`);
const isKnown = async (slug: string, pod: number) =>
  (await fetch(`${server.pods[pod]?.url}/.well-known/oauth-protected-resource/${slug}`)).status === 200;
const onBothPods = (what: string, slug: string, known: boolean) =>
  soon(what, async () => (await Promise.all([0, 1].map((pod) => isKnown(slug, pod)))).every((is) => is === known));

/** A resource that somebody holds tokens for. */
const used = async (options: { scopes?: string[] } = {}) => {
  const resource = await server.resource(options);
  await onBothPods('creation', resource.slug, true);
  const app = await server.client({ authMethod: 'client_secret_basic' });
  const tokens = await app.authorize({ user, resource: resource.uri, scope: 'tools/read' });
  return { resource, app, tokens };
};

test('one without a history is really deleted', async () => {
  const { id, slug } = await server.resource();
  const { audit, changes } = await traceOf(server, async () => assert.equal((await remove(slug)).status, 204));
  assert.deepEqual(changes, [{ kind: 'resource', key: id }]);
  const { before, ...details } = audit[0]?.details ?? {};
  assert.deepEqual(details, { id, slug, consents: 0, issuances: 0, archived: false, revoked_families: 0 });
  assert.equal((before as { slug: string }).slug, slug);
  refused(await server.adminRequest('GET', path(id)), 'not_found');
  refused(await remove(id), 'not_found');
  assert.deepEqual(await server.sql('select 1 from resources where id = $1', [id]), []);
});

test('one with a history is archived: gone for the token plane, its tokens dead, its name in the history [threat I02]', async () => {
  const { resource, app, tokens } = await used();
  const { id, slug, uri } = resource;
  const code = await app.code({ user, resource: uri, scope: 'tools/read' });
  const { audit } = await traceOf(server, async () => {
    const answer = await remove(slug);
    assert.deepEqual([answer.status, answer.body], [204, { text: '' }]);
  });
  const { before, ...details } = audit[0]?.details ?? {};
  assert.equal(audit.length, 1);
  assert.deepEqual(details, { id, slug, consents: 1, issuances: 1, archived: true, revoked_families: 1 });
  assert.equal((before as { uri: string }).uri, uri);

  for (const pod of [0, 1]) denied(await app.refresh(tokens.refresh_token, {}, pod), 'invalid_grant');
  denied(await app.redeem(code, {}, 1), 'invalid_grant');
  assert.equal(ok(await app.introspect(tokens.access_token)).active, false);
  await onBothPods('deletion', slug, false);
  await assert.rejects(app.code({ user, resource: uri, scope: 'tools/read' }), 'nobody may ask for it');

  const shown = await admin.resource.get({ id });
  assert.deepEqual([shown.slug, shown.uri], [slug, uri]);
  assert.ok(!Number.isNaN(Date.parse(shown.archived_at ?? '')));
  const { issuances } = await admin.issuance.list({ query: { resource: id } });
  assert.deepEqual(
    issuances.map(({ resource_id, resource, status }) => [resource_id, resource, status]),
    [[id, uri, 'revoked']],
  );
  const { consent_grants } = await admin.grant.listUserGrants({ id: user.id });
  const consent = consent_grants.find((grant) => grant.resource_id === id);
  assert.ok(consent?.revoked_at, 'the consent is kept, and over');
});

test('an archived one is found by its id alone, in a list of its own, and stays as it is', async () => {
  const { resource } = await used();
  const { id, slug } = resource;
  await remove(id);
  for (const address of [path(slug), `/admin/resources?slug=${slug}`, `${path(slug)}/fronting`])
    refused(await server.adminRequest('GET', address), 'not_found');
  const slugsOf = async (query: string) =>
    (
      (await server.adminRequest('GET', `/admin/resources?limit=500${query}`)).body as unknown as { slug: string }[]
    ).map((row) => row.slug);
  assert.ok(!(await slugsOf('')).includes(slug));
  assert.ok(!(await slugsOf('&archived=false')).includes(slug));
  assert.ok((await slugsOf('&archived=true')).includes(slug));
  for (const query of ['archived=yes', 'archived=true&slug=a'])
    refused(await server.adminRequest('GET', `/admin/resources?${query}`), 'invalid_request');

  const { clientId: client_id } = await server.client();
  const trace = await traceOf(server, async () => {
    for (const [method, address, body] of [
      ['DELETE', path(id), undefined],
      ['PATCH', path(id), { display_name: 'Back' }],
      ['PATCH', path(id), {}],
      ['POST', `${path(id)}/policy/runtime/client-ids`, { client_id }],
    ] as const)
      assert.match(refused(await server.adminRequest(method, address, body), 'conflict'), /was deleted/);
    const link = { source: slug, target: (await server.resource()).slug, scope_map: { 'tools/read': ['tools/read'] } };
    refused(await server.adminRequest('POST', '/admin/fronting', link), 'invalid_request');
  });
  assert.deepEqual(trace.audit, []);
});

test('slug and URI are free for another resource, which has nothing of the first', async () => {
  const { resource, app, tokens } = await used();
  await remove(resource.slug);
  await onBothPods('deletion', resource.slug, false);
  const again = await admin.resource.create({
    body: { slug: resource.slug, uri: resource.uri, scopes: [{ name: 'tools/read' }] },
  });
  assert.notEqual(again.id, resource.id);
  await onBothPods('the new one', resource.slug, true);
  assert.equal(ok(await app.introspect(tokens.access_token)).active, false, 'a token for the first');
  denied(await app.refresh(tokens.refresh_token), 'invalid_grant');
  const { access_token } = await app.authorize({ user, resource: resource.uri, scope: 'tools/read' });
  assert.equal(ok(await app.introspect(access_token)).active, true);
  const { issuances } = await admin.issuance.list({ query: { resource: resource.slug } });
  assert.deepEqual(
    issuances.map(({ resource_id }) => resource_id),
    [again.id],
  );
  await remove(again.id);
  assert.equal((await admin.resource.get({ id: resource.id })).slug, resource.slug);
  assert.equal((await admin.resource.get({ id: again.id })).slug, resource.slug);
});

test('machine tokens and tokens for several resources end with any one of them', async () => {
  const [one, other] = [await used(), await used()];
  const job = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  const tokenFor = async (...worlds: { resource: { uri: string } }[]) => {
    const resource = worlds.map((world) => world.resource.uri);
    return ok(await job.clientCredentials({ resource, scope: 'tools/read' })).access_token;
  };
  const dead = [await tokenFor(one), await tokenFor(one, other), await tokenFor(other, one)];
  const kept = await tokenFor(other);
  await remove(one.resource.id);
  for (const token of dead) assert.equal(ok(await job.introspect(token)).active, false);
  assert.equal(ok(await job.introspect(kept)).active, true);
  assert.equal(ok(await other.app.introspect(other.tokens.access_token)).active, true);
});

test('a rehearsal says what would end, and ends nothing', async () => {
  const { resource, app, tokens } = await used();
  const { slug: behind } = await server.resource();
  const link = await admin.fronting.create({
    body: { source: resource.slug, target: behind, scope_map: { 'tools/read': ['tools/read'] } },
  });
  const trace = await traceOf(server, async () => {
    const answer = await remove(resource.slug, '?cascade=true&dry_run=true');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('dry-run'), 'true');
    assert.deepEqual(answer.body, { dependents: [link], consents: 1, families: 1, issuances: 1, archived: true });
    refused(await remove(resource.slug, '?dry_run=true'), 'conflict');
  });
  assert.deepEqual(trace, nothing);
  assert.equal(ok(await app.introspect(tokens.access_token)).active, true);
  ok(await app.refresh(tokens.refresh_token));
  const empty = await admin.resource.delete({ id: (await server.resource()).id, query: { dry_run: 'true' } });
  assert.deepEqual(empty, { dependents: [], consents: 0, families: 0, issuances: 0, archived: false });
});

test('links stand in the way, are named, and go with it when the operator says so', async () => {
  const { source, target, link } = await newLink(server);
  const third = await server.resource();
  const into = await admin.fronting.create({
    body: { source: third.slug, target: source.slug, scope_map: { 'tools/read': ['tools/read'] } },
  });
  const blocked = await traceOf(server, async () => {
    for (const query of ['', '?cascade=false']) {
      const answer = await remove(source.slug, query);
      assert.match(refused(answer, 'conflict'), /cascade=true/);
      assert.deepEqual(
        (answer.body.dependents as { created_at: string }[]).map((one) => one.created_at).sort(),
        [link, into].map((one) => one.created_at).sort(),
      );
    }
    refused(await remove(source.slug, '?cascade=yes'), 'invalid_request');
  });
  assert.deepEqual(blocked, nothing);

  const { audit, changes } = await traceOf(server, async () =>
    assert.equal((await remove(source.slug, '?cascade=true')).status, 204),
  );
  // Of events of one millisecond nobody can tell which was first.
  const events = audit.map(({ action, details }) => `${action} ${details.reason} ${details.cascaded_links}`);
  assert.deepEqual(events.sort(), [
    'fronting_link.deleted resource_cascade undefined',
    'fronting_link.deleted resource_cascade undefined',
    'resource.deleted undefined 2',
  ]);
  assert.deepEqual(
    changes.map(({ kind }) => kind),
    ['fronting_link', 'fronting_link', 'resource'],
  );
  for (const [from, to] of [
    [source.slug, target.slug],
    [third.slug, source.slug],
  ])
    refused(await server.adminRequest('GET', `/admin/fronting/${from}/${to}`), 'not_found');
  assert.equal((await remove(target.slug)).status, 204);
});

test('a stale If-Match changes nothing, and two deletions at once are one', async () => {
  const { resource } = await used();
  const trace = await traceOf(server, async () => {
    refused(
      await server.adminRequest('DELETE', path(resource.id), undefined, { 'if-match': '"77"' }),
      'precondition_failed',
    );
  });
  assert.deepEqual(trace, nothing);
  const { audit } = await traceOf(server, async () => {
    const answers = await Promise.all([1, 2, 3].map(() => remove(resource.id)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 409, 409]);
  });
  assert.equal(audit.length, 1);
});

test('nobody is given anything at a resource that is archived in the same moment', async () => {
  for (let round = 0; round < 4; round += 1) {
    const { resource, app } = await used();
    const people = await Promise.all(Array.from({ length: 3 }, () => server.user()));
    const wishes = { resource: resource.uri, scope: 'tools/read' };
    const [, ...answers] = await Promise.all([
      remove(resource.id),
      ...people.map((person) => app.authorize({ user: person, ...wishes }).catch(() => undefined)),
      app.authorize({ user, ...wishes }).catch(() => undefined),
    ]);
    for (const tokens of answers) if (tokens) assert.equal(ok(await app.introspect(tokens.access_token)).active, false);
    const inForce = 'select 1 from consent_grants where resource_id = $1 and revoked_at is null';
    assert.deepEqual(await server.sql(inForce, [resource.id]), []);
    const live = 'select 1 from token_families where resource_id = $1 and revoked_at is null';
    assert.deepEqual(await server.sql(live, [resource.id]), []);
  }
});

test('a pod that has not heard of it yet writes no consent for it', async () => {
  const { resource, app } = await used();
  await remove(resource.id);
  const consent = {
    id: crypto.randomUUID(),
    userId: (await server.user()).id,
    clientId: app.clientId,
    resourceId: resource.id,
    asked: ['tools/read'],
    allowed: ['tools/read'],
    now: new Date(),
  };
  await assert.rejects(server.store.consentGrants.allow(consent), { name: 'ReferenceGone' });
  await assert.rejects(server.store.consentGrants.allow({ ...consent, userId: user.id }), { name: 'ReferenceGone' });
});

test('a kind cannot change under tokens of the other kind', async () => {
  const { resource } = await used();
  const { id: broker_provider_id } = await newProvider(server);
  const toBroker = { backend_kind: 'broker', broker_provider_id };
  assert.match(refused(await server.adminRequest('PATCH', path(resource.id), toBroker), 'conflict'), /history/);
  await remove(resource.id);
  const again = await admin.resource.create({
    body: { slug: resource.slug, uri: resource.uri, backend_kind: 'broker', broker_provider_id },
  });
  assert.equal(again.backend_kind, 'broker');
});

test('a provider may go when only archived resources knew it', async () => {
  const provider = await newProvider(server);
  const resource = await admin.resource.create({
    body: { slug: fresh(), backend_kind: 'broker', broker_provider_id: provider.id },
  });
  await server.sql(
    `insert into issuances (id, grant_type, client_id, subject, resource_id, resource, scopes, backend_kind, issued_at, expires_at)
     values ($1, 'exchange', 'somebody', 'somebody', $2, '', '{}', 'broker', now(), now())`,
    [crypto.randomUUID(), resource.id],
  );
  refused(await server.adminRequest('DELETE', `/admin/broker-providers/${provider.id}`), 'conflict');
  await admin.resource.delete({ id: resource.id });
  assert.equal((await admin.resource.get({ id: resource.id })).broker_provider_id, provider.id);
  await admin.provider.delete({ id: provider.id });
  const { backend_kind, broker_provider_id } = await admin.resource.get({ id: resource.id });
  assert.deepEqual([backend_kind, broker_provider_id], ['broker', '']);
});
