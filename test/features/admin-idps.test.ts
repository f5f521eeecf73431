import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { askAdmin } from '../support/admin-plane.ts';
import { type AuthServer, startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';
import { startIdentityProviders } from '../support/identity-provider.ts';

const server = await startAuthServer({ admin: 2 });
const { admin } = server;
const [here, there] = server.admins as [(typeof server.admins)[0], (typeof server.admins)[0]];
const { host, newIdp } = await startIdentityProviders();

const somewhere = () => `https://idp-${crypto.randomUUID()}.example.com`;
const register = (body: Record<string, unknown>) => server.adminRequest('POST', '/admin/idps', body);
const operations = async (of: AuthServer = server) => {
  const text = await (await fetch(`${of.adminUrl}/metrics`)).text();
  return Object.fromEntries(
    ['register', 'update', 'delete'].map((operation) => [
      operation,
      Number(
        new RegExp(`^authplane_xaa_idp_operations_total\\{operation="${operation}"\\} (\\d+)$`, 'm').exec(text)?.[1] ??
          0,
      ),
    ]),
  );
};

test('an identity provider is registered, listed and deleted with the lines of the manual', async () => {
  const before = await operations();
  const created = await register({
    issuer: 'https://idp.example.com',
    audience: 'https://auth.example.com',
    jwks_uri: 'https://idp.example.com/.well-known/jwks.json',
  });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  const { id, created_at, updated_at, ...shown } = created.body;
  assert.deepEqual(shown, {
    name: 'https://idp.example.com',
    issuer: 'https://idp.example.com',
    jwks_uri: 'https://idp.example.com/.well-known/jwks.json',
    jwks_uri_discovered: false,
    audience: 'https://auth.example.com',
    enabled: true,
  });
  const listed = await server.adminRequest('GET', '/admin/idps');
  assert.ok(Array.isArray(listed.body));
  assert.deepEqual(
    (listed.body as unknown as { id: string }[]).map((idp) => idp.id),
    [id],
  );
  assert.equal((await server.adminRequest('DELETE', `/admin/idps/${id}`)).status, 204);
  refused(await server.adminRequest('GET', `/admin/idps/${id}`), 'not_found');
  const after = await operations();
  assert.deepEqual([after.register, after.delete], [Number(before.register) + 1, Number(before.delete) + 1]);
});

test('whatever is no identity provider is refused, all of it at once', async () => {
  const good = { issuer: 'https://good.example.com', jwks_uri: 'https://good.example.com/keys' };
  const trace = await traceOf(server, async () => {
    for (const [body, said] of [
      [{}, /issuer/],
      [{ ...good, issuer: 'good.example.com' }, /issuer: must be an https URL/],
      [{ ...good, issuer: 'https://good.example.com/?tenant=1' }, /issuer: must not have a query/],
      [{ ...good, issuer: 'https://good.example.com/#a' }, /issuer/],
      [{ ...good, issuer: 'https://user@good.example.com' }, /issuer/],
      [{ ...good, issuer: 'https://good.example.com/a b' }, /issuer/],
      [{ ...good, issuer: 'https://gööd.example.com' }, /issuer/],
      [{ ...good, issuer: 'ftp://good.example.com' }, /issuer/],
      [{ ...good, issuer: server.issuer }, /issuer: is this server itself/],
      [{ ...good, issuer: `https://good.example.com/${'x'.repeat(2000)}` }, /issuer/],
      [{ ...good, jwks_uri: 'javascript:alert(1)' }, /jwks_uri/],
      [{ ...good, jwks_uri: 'https://good.example.com:22/' }, /jwks_uri: uses a forbidden port/],
      [{ ...good, jwks_uri: '' }, /jwks_uri/],
      [{ ...good, audience: '' }, /audience/],
      [{ ...good, name: 'a\nb' }, /name/],
      [{ ...good, enabled: 'yes' }, /enabled/],
      [{ ...good, id: 'mine' }, /id/],
      [{ ...good, keys_fetched_at: '2026-01-01T00:00:00Z' }, /keys_fetched_at/],
      [{ issuer: 'x', name: '', audience: 7 }, /issuer.*name.*audience/],
    ] as const)
      assert.match(refused(await register(body), 'invalid_request'), said, JSON.stringify(body));
  });
  assert.deepEqual(trace, nothing);
});

test('an issuer is registered once, however many try at once', async () => {
  const issuer = somewhere();
  const body = { issuer, jwks_uri: `${issuer}/keys` };
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, n) => askAdmin(n % 2 ? here : there, 'POST', '/admin/idps', body)),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409, 409, 409, 409]);
  for (const answer of answers.filter(({ status }) => status === 409))
    assert.match(refused(answer, 'conflict'), /issuer exists already/);
});

for (const method of ['PATCH', 'PUT'])
  test(`${method} changes what is given, keeps the rest, and brings defaults back with null`, async () => {
    const issuer = somewhere();
    const { id } = await admin.idp.create({
      body: { issuer, name: 'Old', jwks_uri: `${issuer}/keys`, audience: 'https://alias.example.com' },
    });
    const path = `/admin/idps/${id}`;
    const before = await operations();
    const { audit, changes } = await traceOf(server, async () => {
      const { status, body } = await server.adminRequest(method, path, { name: 'New', enabled: false });
      assert.equal(status, 200);
      assert.deepEqual(
        [body.name, body.enabled, body.audience, body.jwks_uri],
        ['New', false, 'https://alias.example.com', `${issuer}/keys`],
      );
    });
    assert.equal(audit.length, 1);
    const { before: was, after: is } = (audit[0]?.details ?? {}) as {
      before: { name: string };
      after: { name: string };
    };
    assert.deepEqual([audit[0]?.action, was.name, is.name], ['idp.updated', 'Old', 'New']);
    assert.deepEqual(changes, [{ kind: 'idp', key: id }]);
    assert.equal((await operations()).update, Number(before.update) + 1);

    const reset = await server.adminRequest(method, path, { audience: null, jwks_uri: null });
    assert.deepEqual([reset.body.audience, reset.body.jwks_uri], [server.issuer, '']);

    const idle = await traceOf(server, async () => {
      for (const body of [{}, { name: 'New' }, { audience: null }])
        assert.equal((await server.adminRequest(method, path, body)).status, 200);
      for (const body of [{ issuer: somewhere() }, { id: 'x' }, { name: null }, { enabled: 1 }, { version: 1 }])
        refused(await server.adminRequest(method, path, body), 'invalid_request');
      refused(await server.adminRequest(method, path, { jwks_uri: 'https://[::1' }), 'invalid_request');
      refused(await server.adminRequest(method, '/admin/idps/nobody', { name: 'x' }), 'not_found');
    });
    assert.deepEqual(idle, nothing);
  });

test('what was seen at one place says nothing of another', async () => {
  const { issuer } = newIdp();
  const { id, keys_fetched_at } = await admin.idp.create({ body: { issuer } });
  assert.ok(keys_fetched_at);
  const moved = await admin.idp.update({ id, body: { jwks_uri: `${host.origin}/other-keys` } });
  assert.deepEqual([moved.keys_fetched_at, moved.jwks_uri_discovered], [undefined, false]);
});

test('a stale If-Match is refused on every change, and lists go on where they ended', async () => {
  const issuer = somewhere();
  const { id } = await admin.idp.create({ body: { issuer, jwks_uri: `${issuer}/keys` } });
  const path = `/admin/idps/${id}`;
  const etag = (await server.adminRequest('GET', path)).headers.get('etag') ?? '';
  await admin.idp.update({ id, body: { name: 'Meanwhile' }, ifMatch: etag });
  const trace = await traceOf(server, async () => {
    for (const [method, at, body] of [
      ['PATCH', path, { name: 'x' }],
      ['PUT', path, { name: 'x' }],
      ['POST', `${path}/refresh-keys`],
      ['DELETE', path],
    ] as const)
      refused(await server.adminRequest(method, at, body, { 'if-match': etag }), 'precondition_failed');
  });
  assert.deepEqual(trace, nothing);

  const all = (await admin.idp.list()).map((idp) => idp.id);
  const seen: string[] = [];
  for (let next: string | undefined = '/admin/idps?limit=3'; next; ) {
    const answer = await server.adminRequest('GET', next);
    seen.push(...(answer.body as unknown as { id: string }[]).map((idp) => idp.id));
    next = /^<(.+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
  }
  assert.deepEqual(seen, all);
});

test('an identity provider with policies or mappings is deleted only together with them', async () => {
  const issuer = somewhere();
  const { id } = await admin.idp.create({ body: { issuer, jwks_uri: `${issuer}/keys` } });
  const policy = await admin.xaaPolicy.create({ body: { idp_id: id, name: 'Everybody' } });
  const mapping = await admin.subjectMapping.create({ body: { idp_id: id, idp_subject: 'foo' } });
  const path = `/admin/idps/${id}`;
  const trace = await traceOf(server, async () => {
    const answer = await server.adminRequest('DELETE', path);
    assert.match(refused(answer, 'conflict'), /1 policies and 1 subject mappings.*cascade=true/);
    assert.deepEqual(answer.body.dependents, [
      { kind: 'xaa_policy', id: policy.id, name: 'Everybody' },
      { kind: 'subject_mapping', id: mapping.id, idp_subject: 'foo' },
    ]);
    refused(await server.adminRequest('DELETE', `${path}?cascade=false`), 'conflict');
    refused(await server.adminRequest('DELETE', `${path}?cascade=yes`), 'invalid_request');
    const rehearsed = await server.adminRequest('DELETE', `${path}?cascade=true&dry_run=true`);
    assert.deepEqual([rehearsed.status, rehearsed.body], [200, { policies: 1, subject_mappings: 1 }]);
  });
  assert.deepEqual(trace, nothing);
  const { audit, changes } = await traceOf(server, async () => {
    assert.equal((await server.adminRequest('DELETE', `${path}?cascade=true`)).status, 204);
  });
  assert.deepEqual(audit.map(({ action, details }) => `${action} ${details.reason ?? ''}`).sort(), [
    'idp.deleted ',
    'subject_mapping.deleted idp_cascade',
    'xaa_policy.deleted idp_cascade',
  ]);
  assert.deepEqual(changes, [{ kind: 'idp', key: id }]);
  refused(await server.adminRequest('GET', `/admin/xaa/policies/${policy.id}`), 'not_found');
  refused(await server.adminRequest('GET', `/admin/xaa/subject-mappings/${mapping.id}`), 'not_found');
  refused(await server.adminRequest('DELETE', path), 'not_found');
});

test('a policy that is made while its identity provider is deleted is either in the way or refused, never lost', async () => {
  for (let round = 0; round < 5; round += 1) {
    const issuer = somewhere();
    const { id } = await admin.idp.create({ body: { issuer, jwks_uri: `${issuer}/keys` } });
    const [made, gone] = await Promise.all([
      askAdmin(here, 'POST', '/admin/xaa/policies', { idp_id: id }),
      askAdmin(there, 'DELETE', `/admin/idps/${id}`),
    ]);
    if (made.status === 201) assert.equal(gone.status, 409);
    else {
      assert.ok([404, 409].includes(made.status), String(made.status));
      assert.equal(gone.status, 204);
    }
  }
});

test('where xaa.enabled is false there is no such thing, and the answer says why', async () => {
  const off = await startAuthServer({ admin: true, env: { XAA_ENABLED: 'false' } });
  for (const [method, path, body] of [
    ['GET', '/admin/idps'],
    ['POST', '/admin/idps', { issuer: 'https://idp.example.com' }],
    ['POST', '/admin/idps/some/refresh-keys'],
    ['GET', '/admin/xaa/policies'],
    ['GET', '/admin/xaa/subject-mappings'],
    ['DELETE', '/admin/xaa/subject-mappings/some'],
  ] as const)
    assert.match(refused(await off.adminRequest(method, path, body), 'not_found'), /xaa\.enabled is false/);
  const env = { AUTHPLANE_ADMIN_URL: off.adminUrl, AUTHPLANE_ADMIN_API_KEY: off.adminKey };
  assert.match(failedWith(await runCli(['admin', 'idp', 'list'], { env }), 4), /xaa\.enabled is false/);
  const { enabled, grant } = (await off.admin.system.config()).xaa;
  assert.deepEqual([enabled, grant], [false, false]);
});

test('admin idp: the life of one, command by command', async () => {
  const { issuer, jwks_uri } = newIdp();
  const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
  const lines = async (...line: string[]) => {
    const { code, stdout, stderr } = await runCli(['admin', 'idp', ...line], { env });
    assert.equal(code, 0, stderr);
    return stdout.slice(0, -1).split('\n');
  };
  const [created = ''] = await lines('create', '--issuer', issuer, '--name', 'Work');
  const id = /^identity provider created: id=(\S+) issuer=\S+$/.exec(created)?.[1] ?? '';
  assert.ok((await lines('list')).some((line) => line.startsWith(`id=${id} name=Work issuer=${issuer} enabled=true`)));
  assert.match(
    (await lines('get', '--id', id))[0] ?? '',
    new RegExp(` jwks_uri=${jwks_uri} jwks_uri_discovered=true `),
  );
  assert.match(
    (await lines('refresh-keys', '--id', id))[0] ?? '',
    new RegExp(`^keys refreshed: id=${id} jwks_uri=${jwks_uri} usable_keys=2 kids=\\[one,two\\] `),
  );
  await lines('update', '--id', id, '--no-enabled', '--audience', 'https://alias.example.com', '--jwks-uri', jwks_uri);
  const changed = await admin.idp.get({ id });
  assert.deepEqual(
    [changed.enabled, changed.audience, changed.jwks_uri_discovered],
    [false, 'https://alias.example.com', false],
  );
  await lines('update', '--id', id, '--enabled', '--default-audience', '--discover-keys');
  const back = await admin.idp.get({ id });
  assert.deepEqual([back.enabled, back.audience, back.jwks_uri], [true, server.issuer, '']);
  await admin.xaaPolicy.create({ body: { idp_id: id } });
  assert.match(failedWith(await runCli(['admin', 'idp', 'delete', '--id', id], { env }), 5), /cascade/);
  assert.deepEqual(await lines('delete', '--id', id, '--cascade'), [`identity provider deleted: id=${id}`]);
  const told = await runCli(['admin', 'idp', 'create', '--issuer', `${host.origin}/nobody-2`], { env });
  assert.deepEqual([told.code, /were not found/.test(told.stderr)], [0, true]);
});
