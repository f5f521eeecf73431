import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { denied, ok, signIn } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const guard = await server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'] });
const resource = await server.resource({ runtimeClients: [guard.clientId] });
const password = 'correct horse battery staple';
const create = (body: unknown) => server.adminRequest('POST', '/admin/users', body);
const newUser = async () => admin.user.create({ body: { email: `${crypto.randomUUID()}@example.com`, password } });
const patch = (id: string, body: unknown) => server.adminRequest('PATCH', `/admin/users/${id}`, body);

/** Whether the login form lets somebody in. */
const canSignIn = async (email: string, secret: string): Promise<boolean> => {
  const app = await server.client();
  const browser = new TestBrowser();
  const page = await signIn(browser, await browser.follow(await app.start({ resource: resource.uri }, browser)), {
    id: '',
    email,
    password: secret,
  });
  return page.status === 303;
};

test('a user is made, and can sign in', async () => {
  const answer = await create({ email: ' Ada@Example.com ', password, name: 'Ada', role: 'admin' });
  assert.equal(answer.status, 201);
  const { id, created_at, ...rest } = answer.body;
  assert.match(String(id), /^[0-9a-f-]{36}$/);
  assert.ok(Math.abs(Date.parse(String(created_at)) - Date.now()) < 60_000);
  assert.deepEqual(rest, {
    email: 'Ada@Example.com',
    name: 'Ada',
    role: 'admin',
    status: 'active',
    provider: 'local',
    provider_issuer: null,
    provider_sub: null,
  });
  assert.ok(await canSignIn('ada@example.com', password));
  assert.ok(!(await canSignIn('ada@example.com', `${password}.`)));
});

test('a password is kept as argon2id and shown nowhere', async () => {
  const { id } = await newUser();
  const [row] = await server.sql<{ password_hash: string }>('select password_hash from users where id = $1', [id]);
  assert.match(row?.password_hash ?? '', /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  const views = JSON.stringify([await admin.user.get({ id }), await admin.user.list()]);
  assert.doesNotMatch(views, /argon2|password/);
});

test('an address belongs to one user, whatever its case', async () => {
  const { email } = await newUser();
  const trace = await traceOf(server, async () => {
    for (const again of [email, email?.toUpperCase(), ` ${email} `])
      refused(await create({ email: again, password }), 'conflict');
    refused(await patch((await server.user()).id, { email: email?.toUpperCase() }), 'conflict');
  });
  assert.deepEqual(trace, nothing);
  const answers = await Promise.all([1, 2, 3].map(() => create({ email: 'race@example.com', password })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409]);
});

test('a user is looked up by address', async () => {
  const { id, email } = await newUser();
  for (const asked of [email, email?.toUpperCase()])
    assert.deepEqual(
      (await admin.user.list({ query: { email: String(asked) } })).map((user) => user.id),
      [id],
    );
  assert.deepEqual(await admin.user.list({ query: { email: 'nobody@example.com' } }), []);
  assert.deepEqual(await admin.user.list({ query: { email: '%' } }), [], 'no pattern');
  const plus = await admin.user.create({ body: { email: 'a+b@example.com', password } });
  assert.deepEqual(
    (await admin.user.list({ query: { email: 'a+b@example.com' } })).map((user) => user.id),
    [plus.id],
  );
});

test('a list of users is paged and says how many there are', async () => {
  await newUser();
  await newUser();
  const all = await admin.user.list();
  const page = await server.adminRequest('GET', '/admin/users?limit=1&offset=1');
  assert.deepEqual(page.body, [all[1]]);
  assert.equal(page.headers.get('x-total-count'), String(all.length));
  for (const query of ['limit=0', 'limit=10001', 'offset=-1', 'name=x'])
    refused(await server.adminRequest('GET', `/admin/users?${query}`), 'invalid_request');
});

const refusals: Record<string, [body: unknown, detail: RegExp]> = {
  'no address': [{ password }, /email/],
  'no password': [{ email: 'x@example.com' }, /password/],
  'a password of seven characters': [{ email: 'x@example.com', password: '1234567' }, /password/],
  'a password of 1025 characters': [{ email: 'x@example.com', password: 'x'.repeat(1025) }, /password/],
  'an address without @': [{ email: 'x', password }, /email/],
  'an address with a line break': [{ email: 'x@example.com\nbcc: y@example.com', password }, /email/],
  'an address of 255 characters': [{ email: `${'x'.repeat(243)}@example.com`, password }, /email/],
  'a role there is not': [{ email: 'x@example.com', password, role: 'root' }, /role/],
  'a status of its own choice': [{ email: 'x@example.com', password, status: 'active' }, /status/],
  'a hash instead of a password': [{ email: 'x@example.com', password_hash: '$argon2id$' }, /password_hash/],
  'a name with a control character': [{ email: 'x@example.com', password, name: 'a\u0007' }, /name/],
};
for (const [name, [body, detail]] of Object.entries(refusals))
  test(`${name} is refused`, async () => {
    const told = refused(await create(body), 'invalid_request');
    assert.match(told, detail);
    assert.ok(!told.includes(password) && !told.includes('1234567'));
  });

test('a patch changes address and name; the user signs in with the new address', async () => {
  const { id, email } = await newUser();
  const after = await admin.user.update({ id, body: { email: `new-${email}`, name: 'New' } });
  assert.deepEqual([after.email, after.name, after.id], [`new-${email}`, 'New', id]);
  assert.ok(await canSignIn(`new-${email}`, password));
  assert.ok(!(await canSignIn(String(email), password)));
});

test('role and status are not for patching, and a bad member stops the good ones', async () => {
  const { id } = await newUser();
  const trace = await traceOf(server, async () => {
    for (const member of ['role', 'status', 'provider', 'id'])
      assert.match(refused(await patch(id, { name: 'New', [member]: 'admin' }), 'invalid_request'), new RegExp(member));
    assert.match(refused(await patch(id, { name: 'New', password: 'short' }), 'invalid_request'), /password/);
    assert.equal((await patch(id, {})).status, 200);
  });
  assert.deepEqual(trace, nothing);
  assert.equal((await admin.user.get({ id })).name, '');
});

test('an account that lives elsewhere has no password here', async () => {
  const { id } = await newUser();
  await server.sql(`update users set provider = 'oidc', password_hash = null where id = $1`, [id]);
  const trace = await traceOf(server, async () => {
    refused(await patch(id, { name: 'New', password }), 'invalid_request');
  });
  assert.deepEqual(trace, nothing);
  assert.equal((await admin.user.get({ id })).name, '');
});

test('an account without an address is shown as one', async () => {
  const { id } = await newUser();
  await server.sql('update users set email = null where id = $1', [id]);
  assert.equal((await admin.user.get({ id })).email, null);
  assert.ok((await admin.user.list()).some((user) => user.id === id && user.email === null));
});

test('a user with nothing live is deleted without force', async () => {
  const { id, email } = await newUser();
  const answer = await server.adminRequest('DELETE', `/admin/users/${id}`);
  assert.deepEqual([answer.status, answer.body], [204, { text: '' }]);
  refused(await server.adminRequest('GET', `/admin/users/${id}`), 'not_found');
  assert.ok(!(await canSignIn(String(email), password)));
  await admin.user.create({ body: { email: String(email), password } });
});

test('a user with a live session at a client is deleted only with force=true', async () => {
  const user = await server.user();
  const app = await server.client();
  const { access_token, refresh_token } = await app.authorize({ user, resource: resource.uri, scope: 'tools/read' });
  const trace = await traceOf(server, async () => {
    assert.match(refused(await server.adminRequest('DELETE', `/admin/users/${user.id}`), 'conflict'), /force=true/);
  });
  assert.deepEqual(trace, nothing);
  assert.equal(ok(await guard.introspect(access_token)).active, true, 'a refused deletion ends nothing');

  await admin.user.delete({ id: user.id, query: { force: 'true' } });
  assert.equal(ok(await guard.introspect(access_token)).active, false);
  denied(await app.refresh(refresh_token), 'invalid_grant');
  assert.equal((await server.sql('select 1 from issuances where subject_user_id = $1', [user.id])).length, 1);
});
