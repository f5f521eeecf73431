/** Declarations are applied again and again: what they make, change, adopt and delete, and what they leave alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { askAdmin } from '../support/admin-plane.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { everything } from '../support/declarations.ts';
import { register } from '../support/registration.ts';
import { TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ admin: 2, env: { DCR_MODE: 'open' } });
const { admin } = server;
const [here, there] = server.admins as [(typeof server.admins)[0], (typeof server.admins)[0]];
const apply = (body: Parameters<typeof admin.configuration.apply>[0]['body']) => admin.configuration.apply({ body });
const plan = (body: Parameters<typeof admin.configuration.plan>[0]['body']) => admin.configuration.plan({ body });
const actions = ({ steps }: { steps: { action: string; kind: string; key: string }[] }) =>
  steps.map(({ action, kind, key }) => `${action} ${kind} ${key}`);
const web = (client_id: string, more: Record<string, unknown> = {}) => ({
  client_id,
  client_name: 'App',
  redirect_uris: ['https://app.example.com/cb'],
  ...more,
});
const ownedRows = () => server.sql('select * from configuration_owners order by kind, key');

test('what one server exports makes an empty one equal to it, and a second time there is nothing to do', async () => {
  const first = await startAuthServer({ admin: true });
  const made = await first.admin.configuration.apply({ body: { configuration: everything() } });
  assert.equal(made.steps.length, 16);
  assert.ok(made.steps.every(({ action }) => action === 'create'));
  const { configuration, warnings } = await first.admin.configuration.export();
  assert.deepEqual(warnings, []);

  const second = await startAuthServer({ admin: true });
  await second.admin.configuration.apply({ body: { configuration } });
  assert.deepEqual((await second.admin.configuration.export()).configuration, configuration);
  assert.deepEqual(Object.keys(configuration), Object.keys(everything()));

  const owned = await second.sql('select * from configuration_owners order by kind, key');
  const left = await traceOf(second, async () => {
    const again = await second.admin.configuration.apply({ body: { configuration, prune: true } });
    assert.deepEqual([again.steps, again.unchanged, again.drift, again.secrets], [[], 16, [], []]);
    const asWritten = await second.admin.configuration.apply({ body: { configuration: everything() } });
    assert.deepEqual([asWritten.steps, asWritten.unchanged], [[], 16]);
  });
  assert.deepEqual(left, nothing);
  assert.deepEqual(await second.sql('select * from configuration_owners order by kind, key'), owned);

  const gone = await second.admin.configuration.apply({ body: { configuration: {}, prune: true } });
  assert.equal(gone.steps.length, 16);
  assert.deepEqual((await second.admin.configuration.export()).configuration, {});
  assert.deepEqual(await second.sql('select * from configuration_owners'), []);
});

test('each object has its own audit event and change, and the whole has one more', async () => {
  const declared = { users: [{ email: 'eve@example.com' }], clients: [web('audited'), web('audited-too')] };
  const { audit, changes } = await traceOf(server, () => apply({ configuration: declared, owner: 'audit' }));
  assert.deepEqual(audit.map(({ action }) => action).sort(), [
    'client.created_admin',
    'client.created_admin',
    'configuration.applied',
    'user.created',
  ]);
  const summary = audit.find(({ action }) => action === 'configuration.applied');
  assert.equal(summary?.actor_id, 'admin');
  assert.equal(summary?.details.owner, 'audit');
  assert.deepEqual([summary?.details.created, summary?.details.changed, summary?.details.deleted], [3, 0, 0]);
  assert.deepEqual(
    changes.map(({ kind }) => kind),
    ['client', 'client', 'user'],
  );
});

test('a plan names every member that changes, does nothing, and is what apply does', async () => {
  await apply({ configuration: { clients: [web('planned', { scope: 'a' })] }, owner: 'plan' });
  const wanted = {
    configuration: { clients: [web('planned', { scope: 'a b', client_name: 'Other' })] },
    owner: 'plan',
  };
  let planned = await plan(wanted);
  const owned = await ownedRows();
  assert.deepEqual(
    await traceOf(server, async () => {
      planned = await plan(wanted);
      await admin.configuration.apply({ body: wanted, query: { dry_run: 'true' } });
    }),
    nothing,
  );
  assert.deepEqual(await ownedRows(), owned);
  assert.deepEqual(planned.steps, [
    {
      action: 'change',
      kind: 'client',
      key: 'planned',
      changes: [
        { member: 'client_name', from: 'App', to: 'Other' },
        { member: 'scope', from: 'a', to: 'a b' },
      ],
    },
  ]);
  const applied = await apply({ ...wanted, plan: planned.plan });
  assert.deepEqual(applied.steps, planned.steps);
  assert.equal((await admin.client.get({ id: 'planned' })).scope, 'a b');
  const stale = await server.adminRequest('POST', '/admin/configuration/apply', { ...wanted, plan: planned.plan });
  refused(stale, 'precondition_failed');
});

test('one object that cannot be made undoes all, and is named', async () => {
  const { slug, uri } = await server.resource();
  const configuration = {
    clients: [web('undone')],
    users: [{ email: 'undone@example.com' }],
    resources: [{ slug: 'undone', uri }],
  };
  const left = await traceOf(server, async () => {
    const answer = await server.adminRequest('POST', '/admin/configuration/apply', { configuration });
    assert.match(refused(answer, 'conflict'), /^resource undone: .*URI exists already/);
  });
  assert.deepEqual(left, nothing);
  refused(await server.adminRequest('GET', '/admin/clients/undone'), 'not_found');
  assert.equal((await admin.resource.get({ id: slug })).slug, slug);
});

test('one answer names everything that is wrong, and where', async () => {
  await apply({ configuration: { clients: [web('fixed')] }, owner: 'wrong' });
  const answer = await server.adminRequest('POST', '/admin/configuration/apply', {
    owner: 'wrong',
    configuration: {
      clients: [
        web('good'),
        { client_id: 'no-redirect', client_name: ' ' },
        web('good'),
        web('typo', { scopes: 'a' }),
        { client_name: 'nameless' },
        web('https://app.example.com/client.json'),
        web('00000000-0000-4000-8000-000000000000'),
      ],
      users: [{ email: 'x@example.com', password: 'long enough' }, { email: 'X@example.com ' }],
      resources: [
        {
          slug: 'a',
          policy: {
            exchange: { budgets: [{ client_id: 'stranger', max_uses: 1 }, { max_depth: 3 }] },
            runtime: { client_ids: ['good', 'typo', 'nobody'] },
          },
        },
        { slug: 'b', backend_kind: 'broker', broker_provider_slug: 'nowhere' },
      ],
      fronting_links: [{ source: 'a', target: 'absent', scope_map: { x: ['y'] } }],
      xaa_policies: [{ idp: 'https://unknown.example.com', name: 'x' }],
      subject_mappings: [{ idp: 'https://unknown.example.com', idp_subject: 'x', user: 'stranger@example.com' }],
    },
  });
  refused(answer, 'invalid_request');
  const problems = answer.body.problems as { kind: string; index: number; member?: string; message: string }[];
  assert.deepEqual(
    problems.map(({ kind, index, member, message }) => `${kind} ${index} ${member ?? '-'}: ${message}`),
    [
      'client 1 client_name: must not be blank',
      'client 1 redirect_uris: redirect_uris is required for authorization_code',
      'client 2 -: is declared twice, first as clients[0]',
      'client 3 scopes: is not known',
      'client 4 client_id: is required',
      'client 4 redirect_uris: redirect_uris is required for authorization_code',
      'client 5 client_id: must be 1 to 128 of A-Z, a-z, 0-9, -, ., _ and ~',
      'client 6 client_id: must not look like the id of a user (RFC 9700 §4.15)',
      'user 0 password: is not known',
      'user 1 -: is declared twice, first as users[0]',
      'resource 0 policy.exchange.budgets: there is no client stranger',
      'resource 0 policy.runtime.client_ids: there is no client nobody',
      'resource 1 broker_provider_slug: there is no provider nowhere',
      'fronting_link 0 target: there is no resource absent',
      'xaa_policy 0 idp: there is no idp https://unknown.example.com',
      'subject_mapping 0 idp: there is no idp https://unknown.example.com',
      'subject_mapping 0 user: there is no user stranger@example.com',
    ],
  );
  const fixed = await server.adminRequest('POST', '/admin/configuration/plan', {
    owner: 'wrong',
    configuration: { clients: [web('fixed', { token_endpoint_auth_method: 'client_secret_post', agent: true })] },
  });
  assert.match(refused(fixed, 'conflict'), /token_endpoint_auth_method: cannot be changed.*agent: cannot be changed/);
});

test('prune deletes what these files declared before, and nothing else', async () => {
  await admin.client.create({ body: web('by-hand') });
  const { body } = await register(server, { redirect_uris: ['https://self.example.com/cb'] });
  const self = String(body.client_id);
  await apply({ configuration: { clients: [web('others')] }, owner: 'others' });
  await apply({ configuration: { clients: [web('kept'), web('dropped')] }, owner: 'pruned' });
  const only = { configuration: { clients: [web('kept')] }, owner: 'pruned' };
  const planned = await plan(only);
  assert.deepEqual([planned.steps, planned.left], [[], [{ kind: 'client', key: 'dropped' }]]);
  const undeclared = planned.undeclared.find(({ kind }) => kind === 'client');
  assert.ok(
    undeclared?.keys.includes('by-hand') && !undeclared.keys.includes(self) && !undeclared.keys.includes('others'),
  );
  assert.deepEqual(actions(await apply({ ...only, prune: true })), ['delete client dropped']);
  for (const id of ['by-hand', self, 'others', 'kept']) assert.ok(await admin.client.get({ id }), id);
  refused(await server.adminRequest('GET', '/admin/clients/dropped'), 'not_found');
});

test('an object of the same name that somebody made by hand since is not pruned', async () => {
  await apply({ configuration: { clients: [web('reborn')] }, owner: 'reborn' });
  await admin.client.delete({ id: 'reborn' });
  await admin.client.create({ body: web('reborn') });
  const { steps } = await apply({ configuration: {}, owner: 'reborn', prune: true });
  assert.deepEqual(steps, []);
  assert.ok(await admin.client.get({ id: 'reborn' }));
});

test('what is in use is pruned only with force', async () => {
  const user = await server.user();
  const resource = await server.resource();
  await apply({ configuration: { clients: [web('used')] }, owner: 'used' });
  const app = await server.client();
  await server.sql('delete from clients where client_id = $1', [app.clientId]);
  const empty = { configuration: {}, owner: 'used', prune: true };
  const used = new TestApp([server.issuer], {
    ...{ clientId: 'used', clientSecret: undefined, authMethod: 'none' },
    redirectUris: ['https://app.example.com/cb'],
  });
  await used.authorize({ user, resource: resource.uri, scope: 'tools/read' });
  const refusedPlan = await server.adminRequest('POST', '/admin/configuration/plan', empty);
  assert.match(refused(refusedPlan, 'conflict'), /client used: .*force/);
  assert.deepEqual(actions(await apply({ ...empty, force: true })), ['delete client used']);
});

test('what somebody else declares is not taken, unless that is said', async () => {
  const configuration = { clients: [web('contested', { scope: 'a' })] };
  await apply({ configuration, owner: 'one' });
  const answer = await server.adminRequest('POST', '/admin/configuration/apply', { configuration, owner: 'two' });
  assert.match(refused(answer, 'conflict'), /client contested: belongs to the owner one/);
  const taken = await apply({ configuration, owner: 'two', take_over: true });
  assert.deepEqual(taken.steps, [{ action: 'adopt', kind: 'client', key: 'contested', taken_from: 'one' }]);
  assert.deepEqual((await apply({ configuration: {}, owner: 'one', prune: true })).steps, []);
  const owners = await admin.configuration.owners({ query: { owner: 'two' } });
  assert.deepEqual(
    owners.map(({ kind, key }) => [kind, key]),
    [['client', 'contested']],
  );
});

test('what registered itself is not for files to declare', async () => {
  const { body } = await register(server, { redirect_uris: ['https://self.example.com/cb'] });
  const id = String(body.client_id);
  const answer = await server.adminRequest('POST', '/admin/configuration/apply', {
    configuration: { clients: [web(id)] },
  });
  assert.match(refused(answer, 'conflict'), /registered itself/);
});

test('what was made by hand and is declared now is adopted', async () => {
  await admin.client.create({ body: web('adopted') });
  const configuration = { clients: [web('adopted')] };
  const { audit, changes } = await traceOf(server, async () => {
    assert.deepEqual(actions(await apply({ configuration, owner: 'adopting' })), ['adopt client adopted']);
  });
  assert.deepEqual([audit.map(({ action }) => action), changes], [['configuration.applied'], []]);
  assert.deepEqual(audit[0]?.details.adopted_objects, ['client adopted']);
  assert.deepEqual(actions(await apply({ configuration: {}, owner: 'adopting', prune: true })), [
    'delete client adopted',
  ]);
});

test('a plan says what was changed by hand since the last apply, and apply puts it right', async () => {
  const configuration = {
    clients: [web('drifting', { scope: 'a' }), web('vanishing')],
    users: [{ email: 'moved@example.com', name: 'Old' }],
    resources: [{ slug: 'renamed', uri: 'https://renamed.example.com/mcp' }],
  };
  const body = { configuration, owner: 'drift' };
  await apply(body);
  assert.deepEqual((await plan(body)).drift, []);
  await admin.client.update({ id: 'drifting', body: { scope: 'a b' } });
  await admin.client.delete({ id: 'vanishing' });
  const [user] = await admin.user.list({ query: { email: 'moved@example.com' } });
  await admin.user.update({ id: user?.id ?? '', body: { email: 'elsewhere@example.com' } });
  await admin.resource.update({ id: 'renamed', body: { slug: 'another' } });

  const { drift, steps } = await plan(body);
  assert.deepEqual(drift, [
    { kind: 'client', key: 'drifting', what: 'changed', changes: [{ member: 'scope', from: 'a', to: 'a b' }] },
    { kind: 'client', key: 'vanishing', what: 'deleted' },
    {
      kind: 'user',
      key: 'moved@example.com',
      what: 'changed',
      changes: [{ member: 'email', from: 'moved@example.com', to: 'elsewhere@example.com' }],
    },
    {
      kind: 'resource',
      key: 'renamed',
      what: 'changed',
      changes: [{ member: 'slug', from: 'renamed', to: 'another' }],
    },
  ]);
  assert.equal(steps.length, 4);
  await apply(body);
  assert.equal((await admin.user.get({ id: user?.id ?? '' })).email, 'moved@example.com');
  const after = await plan(body);
  assert.deepEqual([after.steps, after.drift], [[], []]);

  // Whoever writes the change by hand into the file as well has no drift any more.
  await admin.client.update({ id: 'drifting', body: { scope: 'c' } });
  const followed = {
    ...body,
    configuration: { ...configuration, clients: [web('drifting', { scope: 'c' }), web('vanishing')] },
  };
  assert.deepEqual((await apply(followed)).steps, []);
  await admin.client.update({ id: 'drifting', body: { client_name: 'By hand' } });
  assert.deepEqual(
    (await plan(followed)).drift.flatMap(({ changes }) => changes),
    [{ member: 'client_name', from: 'App', to: 'By hand' }],
  );
});

test('a client that was suspended in an emergency stays so, unless its file says what it is', async () => {
  const body = (more: Record<string, unknown> = {}) => ({
    configuration: { clients: [web('stopped', more)] },
    owner: 'status',
  });
  await apply(body());
  await admin.client.suspend({ id: 'stopped' });
  assert.deepEqual((await apply(body())).steps, []);
  assert.equal((await admin.client.get({ id: 'stopped' })).status, 'suspended');
  await apply(body({ status: 'active' }));
  assert.equal((await admin.client.get({ id: 'stopped' })).status, 'active');
  await apply(body({ status: 'revoked' }));
  const answer = await server.adminRequest('POST', '/admin/configuration/apply', body({ status: 'active' }));
  assert.match(refused(answer, 'conflict'), /client stopped: .*revoked/);
});

test('a scope can go from a resource together with the link that maps it', async () => {
  const body = (scopes: string[], map: Record<string, string[]>) => ({
    configuration: {
      resources: [
        { slug: 'front', scopes: scopes.map((name) => ({ name })) },
        { slug: 'back', scopes: scopes.map((name) => ({ name })) },
      ],
      fronting_links: [{ source: 'front', target: 'back', scope_map: map }],
    },
    owner: 'links',
  });
  await apply(body(['a', 'b'], { a: ['a'], b: ['b'] }));
  assert.equal((await apply(body(['b'], { b: ['b'] }))).steps.length, 3);
  assert.equal((await apply(body(['b', 'c'], { b: ['b'], c: ['c'] }))).steps.length, 3);
  assert.deepEqual(actions(await apply({ configuration: { resources: [] }, owner: 'links', prune: true })).sort(), [
    'delete fronting_link front/back',
    'delete resource back',
    'delete resource front',
  ]);
});

test('of several who apply the same at once one makes it all, and the others find nothing to do [threat K08]', async () => {
  const clients = Array.from({ length: 40 }, (_, n) => web(`meeting-${n}`));
  const body = { configuration: { clients }, owner: 'meeting' };
  const answers = await Promise.all(
    [here, there, here].map((pod) => askAdmin(pod, 'POST', '/admin/configuration/apply', body)),
  );
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  );
  const done = answers.map((answer) => (answer.body.steps as unknown[]).length).sort((a, b) => a - b);
  assert.deepEqual(done, [0, 0, 40]);
});

test('a viewer may plan and export, and must not apply [threat K05]', async () => {
  const { key } = await admin.adminKey.create({ body: { label: 'ci', role: 'viewer' } });
  const ask = (method: string, path: string, body?: unknown) => askAdmin({ url: here.url, key }, method, path, body);
  const body = { configuration: { clients: [web('forbidden')] } };
  assert.equal((await ask('POST', '/admin/configuration/plan', body)).status, 200);
  assert.equal((await ask('GET', '/admin/configuration/export')).status, 200);
  refused(await ask('POST', '/admin/configuration/apply', body), 'forbidden');
  refused(await ask('POST', '/admin/configuration/apply?dry_run=true', body), 'forbidden');
  refused(await server.adminRequest('GET', '/admin/clients/forbidden'), 'not_found');
});

test('who may become an administrator is for owners to declare [threat K05]', async () => {
  const { key } = await admin.adminKey.create({ body: { label: 'gitops', role: 'operator' } });
  const body = { configuration: { users: [{ email: 'root@example.com', role: 'admin' as const }] }, owner: 'admins' };
  const path = '/admin/configuration/apply';
  assert.match(refused(await askAdmin({ url: here.url, key }, 'POST', path, body), 'forbidden'), /role owner/);
  assert.equal((await plan(body)).role, 'owner');
  await apply(body);
  const prune = { ...body, configuration: {}, prune: true };
  refused(await askAdmin({ url: here.url, key }, 'POST', path, prune), 'forbidden');
  assert.deepEqual(actions(await apply(prune)), ['delete user root@example.com']);
});
