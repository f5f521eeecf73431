import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused, traceOf } from '../support/admin-answers.ts';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';
import { appOf, type ClientInformation, manage, register } from '../support/registration.ts';
import { type Answer, denied, ok } from '../support/test-app.ts';

const approved = 'https://approved.example.com/cb';
const server = await startAuthServer({
  admin: true,
  pods: 2,
  env: { DCR_MODE: 'admin_only', DCR_APPROVED_REDIRECTS: approved, DCR_RATE_LIMIT: '0' },
});
const { admin } = server;
const metadata = { client_name: 'App', redirect_uris: ['https://app.example.com/cb'] };

const create = (body: { max_uses?: number; expires_in?: number } = {}) =>
  admin.initialAccessToken.create({ body: { label: 'Alice', ...body } });
const show = async (id: string) => (await admin.initialAccessToken.list()).find((token) => token.id === id);
const refusedToken = (answer: Answer): void => {
  denied(answer, 'invalid_token', 401);
  assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer .*error="invalid_token"/);
};

test('where only administrators register, their token does as well, once, and is counted', async () => {
  const { id, token, ...shown } = await create();
  assert.deepEqual([shown.label, shown.status, shown.uses, shown.max_uses], ['Alice', 'usable', 0, 1]);
  denied(await register(server, metadata), 'access_denied', 403);
  const answer = await register(server, metadata, { token });
  assert.equal(answer.status, 201);
  const user = await server.user();
  const { uri } = await server.resource();
  ok(
    await appOf(server, answer.body as ClientInformation).redeem(
      await appOf(server, answer.body as ClientInformation).code({ user, resource: uri }),
    ),
  );
  refusedToken(await register(server, metadata, { token, pod: 1 }));
  const used = await show(id);
  assert.deepEqual([used?.status, used?.uses], ['used_up', 1]);
  assert.ok(Math.abs(Date.parse(used?.last_used_at ?? '') - Date.now()) < 5000);
  const [event] = await server.sql(
    `select details from audit_events where action = 'client.registered' and client_id = $1`,
    [answer.body.client_id],
  );
  assert.match(JSON.stringify(event?.details), new RegExp(`"initial_access_token": ?"${id}"`));
});

test('of many registrations at once over two pods, as many succeed as the token allows [threat G13]', async () => {
  const { id, token } = await create({ max_uses: 3 });
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, index) => register(server, metadata, { token, pod: index % 2 })),
  );
  assert.equal(answers.filter(({ status }) => status === 201).length, 3);
  for (const answer of answers.filter(({ status }) => status !== 201)) refusedToken(answer);
  assert.equal((await show(id))?.uses, 3);
});

test('metadata that is refused costs no use', async () => {
  const { id, token } = await create();
  denied(await register(server, { ...metadata, redirect_uris: ['javascript:x'] }, { token }), 'invalid_redirect_uri');
  assert.equal((await show(id))?.uses, 0);
  assert.equal((await register(server, metadata, { token })).status, 201);
});

test('a wrong token is refused before its metadata is read, whatever the mode [R7591-18]', async () => {
  for (const token of ['x', 'iat_', `iat_${'A'.repeat(43)}`, '', 'a b'])
    refusedToken(await register(server, { redirect_uris: 'nonsense' }, { token }));
  const { token } = await create();
  refusedToken(await register(server, metadata, { token: token.slice(0, -1) }));
  await admin.dcr.set({ body: { mode: 'open' } });
  try {
    await soon('open registration', async () => (await register(server, metadata)).status === 201);
    refusedToken(await register(server, metadata, { token: 'x' }));
  } finally {
    await admin.dcr.set({ body: { mode: 'admin_only' } });
    await soon('closed registration', async () => (await register(server, metadata)).status === 403);
  }
});

test('a token in the query or with another scheme is none [threat G13]', async () => {
  const { token } = await create();
  for (const [query, authorization] of [
    [`?access_token=${token}`, undefined],
    ['', `Basic ${Buffer.from(`${token}:`).toString('base64')}`],
    ['', `DPoP ${token}`],
  ]) {
    const answer = await fetch(`${server.issuer}/oauth/register${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) },
      body: JSON.stringify(metadata),
    });
    assert.equal(answer.status, 403);
  }
});

test('one that has expired or was revoked is refused on both pods; its clients stay [threat G13]', async () => {
  const short = await create({ expires_in: 60, max_uses: 9 });
  const revoked = await create({ max_uses: 9 });
  const { body } = await register(server, metadata, { token: revoked.token });
  await admin.initialAccessToken.delete({ id: revoked.id });
  server.clock.advance(61);
  for (const { token } of [short, revoked])
    for (const pod of [0, 1]) refusedToken(await register(server, metadata, { token, pod }));
  assert.deepEqual([(await show(short.id))?.status, (await show(revoked.id))?.status], ['expired', 'revoked']);
  ok(await manage('GET', String(body.registration_client_uri), String(body.registration_access_token)));
});

test('it lifts the list of approved redirect URIs, for a registration and not for what follows', async () => {
  const { token } = await create({ max_uses: 2 });
  await admin.dcr.set({ body: { mode: 'approved_redirects' } });
  try {
    await soon(
      'the list',
      async () => (await register(server, { ...metadata, redirect_uris: [approved] })).status === 201,
    );
    denied(await register(server, metadata), 'invalid_redirect_uri');
    const { status, body } = await register(server, metadata, { token });
    assert.equal(status, 201);
    const update = { ...metadata, client_id: body.client_id, redirect_uris: ['https://evil.example.com/cb'] };
    const uri = String(body.registration_client_uri);
    denied(await manage('PUT', uri, String(body.registration_access_token), update), 'invalid_redirect_uri');
  } finally {
    await admin.dcr.set({ body: { mode: 'admin_only' } });
  }
});

test('it gives its bearer nothing else: no machine token, no other client', async () => {
  const { token } = await create({ max_uses: 2 });
  const { body } = await register(server, { client_name: 'job', grant_types: ['client_credentials'] }, { token });
  denied(await appOf(server, body as ClientInformation).clientCredentials(), 'invalid_scope');
  denied(await manage('GET', String(body.registration_client_uri), token), 'invalid_token', 401);
});

test('it is kept as a hash, shown once, and in no list or audit event', async () => {
  let token = '';
  let id = '';
  const { audit, changes } = await traceOf(server, async () => {
    ({ token, id } = await create());
    await admin.initialAccessToken.delete({ id });
  });
  assert.match(token, /^iat_[A-Za-z0-9_-]{43}$/);
  assert.deepEqual(
    audit.map(({ action }) => action),
    ['initial_access_token.created', 'initial_access_token.revoked'],
  );
  assert.deepEqual(changes, []);
  const rows = await server.sql('select row_to_json(initial_access_tokens)::text as row from initial_access_tokens');
  for (const text of [
    JSON.stringify(audit),
    JSON.stringify(rows),
    JSON.stringify(await admin.initialAccessToken.list()),
  ])
    assert.ok(!text.includes(token));
});

test('what makes no sense is refused', async () => {
  for (const body of [
    {},
    { label: ' ' },
    { label: 'a\nb' },
    { label: 'x', max_uses: 0 },
    { label: 'x', max_uses: 1.5 },
    { label: 'x', expires_in: 1 },
    { label: 'x', expires_in: 400 * 86_400 },
    { label: 'x', token: 'chosen' },
  ])
    refused(await server.adminRequest('POST', '/admin/initial-access-tokens', body), 'invalid_request');
  const { id } = await create();
  await admin.initialAccessToken.delete({ id });
  for (const gone of [id, 'x', '01890000-0000-7000-8000-000000000000'])
    refused(await server.adminRequest('DELETE', `/admin/initial-access-tokens/${gone}`), 'not_found');
});

test('an operator makes, lists and revokes them on the command line', async () => {
  const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
  const cli = (...args: string[]) => runCli(['admin', 'dcr', 'token', ...args], { env });
  const made = await cli('create', '--label', 'build farm', '--max-uses', '2', '--expires-in', '30d');
  assert.equal(made.code, 0, made.stderr);
  const [, id, token] = /id=(\S+) .*\ntoken=(\S+)\n/.exec(made.stdout) ?? [];
  assert.match(made.stderr, /shown this once/);
  assert.equal((await register(server, metadata, { token })).status, 201);
  assert.match((await cli('list')).stdout, new RegExp(`id=${id} label="build farm" status=usable uses=1/2 `));
  assert.deepEqual((await cli('revoke', '--id', id as string)).stdout, `token revoked: id=${id}\n`);
  refusedToken(await register(server, metadata, { token }));
  failedWith(await cli('revoke', '--id', id as string), 4);
  failedWith(await cli('create', '--label', 'x', '--expires-in', 'soon'), 2);
});
