import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { appOf, type ClientInformation, manage, register, registered } from '../support/registration.ts';
import { type Answer, denied, deniedByPage, ok, raw } from '../support/test-app.ts';

const server = await startAuthServer({
  pods: 2,
  env: { DCR_APPROVED_REDIRECTS: 'https://approved.example.com/cb', DCR_RATE_LIMIT: '0' },
});
const user = await server.user();
const resource = await server.resource();

const metadata = {
  client_name: 'App',
  redirect_uris: ['https://app.example.com/cb'],
  logo_uri: 'https://app.example.com/logo.png',
  'client_name#de': 'Anwendung',
};
const publicMetadata = { ...metadata, token_endpoint_auth_method: 'none' };
const get = (of: ClientInformation, token: string | undefined = of.registration_access_token) =>
  manage('GET', of.registration_client_uri, token);
const put = (of: ClientInformation, change: Record<string, unknown>, token = of.registration_access_token) =>
  manage('PUT', of.registration_client_uri, token, { ...metadata, client_id: of.client_id, ...change });
const remove = (of: ClientInformation) => manage('DELETE', of.registration_client_uri, of.registration_access_token);
const atPod = (of: ClientInformation, pod: number): ClientInformation => ({
  ...of,
  registration_client_uri: `${server.pods[pod]?.url}/oauth/register/${of.client_id}`,
});
const refusedToken = (answer: Answer): void => {
  denied(answer, 'invalid_token', 401);
  assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer realm="authserver"(, error="invalid_token")?$/);
};

test('a client reads what it registered, on every pod [R7592-01 R7592-02]', async () => {
  const { client_secret: _, client_secret_expires_at: __, ...first } = await registered(server, metadata);
  for (const pod of [0, 1]) {
    const answer = await get(atPod(first as ClientInformation, pod));
    assert.deepEqual(ok(answer), first);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
  }
});

test('the registration token is kept as a hash alone', async () => {
  const client = await registered(server, metadata);
  const [row] = await server.sql('select row_to_json(clients)::text as row from clients where client_id = $1', [
    client.client_id,
  ]);
  assert.ok(!String(row?.row).includes(client.registration_access_token));
});

test('whatever is wrong with the token is one answer, and the client is not named [R6750-01 R6750-02 R7592-08] [threat G12]', async () => {
  const client = await registered(server, metadata);
  const other = await registered(server, metadata);
  const unknown = { ...client, registration_client_uri: `${server.issuer}/oauth/register/client_unknown` };
  const answers = await Promise.all([
    get(client, other.registration_access_token),
    get(client, ''),
    get(client, client.registration_access_token.slice(0, -1)),
    get(unknown),
    get({ ...client, registration_client_uri: `${server.issuer}/oauth/register/%00` }),
    put(client, {}, other.registration_access_token),
    manage('DELETE', client.registration_client_uri, other.registration_access_token),
    manage('PUT', client.registration_client_uri, other.registration_access_token, 'nonsense'),
  ]);
  for (const answer of answers) refusedToken(answer);
  assert.match(answers[0].headers.get('www-authenticate') ?? '', /error="invalid_token"/);
  assert.equal(new Set(answers.map(({ body }) => body.error_description)).size, 1);
  assert.equal((await get(client)).status, 200);
});

test('who sends no token, or sends it in the query, is told how, and of no error [MCP-38 R6750-01 R6750-03] [threat G12]', async () => {
  const client = await registered(server, metadata);
  const inQuery = `${client.registration_client_uri}?access_token=${client.registration_access_token}`;
  for (const url of [client.registration_client_uri, inQuery])
    for (const method of ['GET', 'DELETE']) {
      const answer = await manage(method, url, undefined);
      denied(answer, 'invalid_token', 401);
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="authserver"');
    }
  assert.equal((await get(client)).status, 200);
});

test('clients of an administrator and of older releases have no such token [threat G12]', async () => {
  const app = await server.client();
  const old = await server.client({ source: 'dcr' });
  for (const { clientId } of [app, old])
    for (const token of ['', 'AAAA', Buffer.alloc(32).toString('base64url')])
      refusedToken(await manage('GET', `${server.issuer}/oauth/register/${clientId}`, token));
});

test('an update replaces: what is left out is gone [R7592-03]', async () => {
  const client = await registered(server, publicMetadata);
  const answer = await manage('PUT', client.registration_client_uri, client.registration_access_token, {
    client_id: client.client_id,
    redirect_uris: ['https://new.example.com/cb'],
    client_uri: null,
  });
  const now = ok(answer) as ClientInformation;
  assert.deepEqual(now.redirect_uris, ['https://new.example.com/cb']);
  assert.equal(now.client_name, 'Unnamed client');
  for (const gone of ['logo_uri', 'client_name#de', 'client_uri']) assert.ok(!(gone in now), gone);
  for (const same of ['client_id', 'client_id_issued_at', 'token_endpoint_auth_method', 'grant_types'])
    assert.deepEqual(now[same], client[same], same);
  assert.ok(!Object.values(now).includes(null));
});

test('an update brings a new token, and the old one is spent [threat G12]', async () => {
  const client = await registered(server, metadata);
  const now = ok(await put(client, { client_name: 'Other' })) as ClientInformation;
  assert.notEqual(now.registration_access_token, client.registration_access_token);
  refusedToken(await get(client));
  assert.equal(ok(await get(now)).client_name, 'Other');
});

test('of two updates at once one holds the token afterwards', async () => {
  const client = await registered(server, metadata);
  const both = await Promise.all([0, 1].map((pod) => put(atPod(client, pod), { client_name: `Pod ${pod}` })));
  assert.deepEqual(both.map(({ status }) => status).sort(), [200, 401]);
});

test('every pod follows an update at once, in what it lets in and what it refuses', async () => {
  const client = await registered(server, publicMetadata);
  const app = appOf(server, client);
  const elsewhere = (redirectUri: string) =>
    new TestBrowser().get(
      app
        .authorizeUrl('E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', { redirect_uri: redirectUri })
        .replace(server.pods[0]?.url as string, server.pods[1]?.url as string),
    );
  assert.equal((await elsewhere('https://app.example.com/cb')).status, 303);
  ok(await put(client, { token_endpoint_auth_method: 'none', redirect_uris: ['https://new.example.com/cb'] }));
  await soon('the new address', async () => (await elsewhere('https://new.example.com/cb')).status === 303);
  deniedByPage(await elsewhere('https://app.example.com/cb'));
});

const forbidden: Record<string, (client: ClientInformation) => Record<string, unknown>> = {
  'no client_id [R7592-04]': () => ({ client_id: undefined }),
  'the id of another [R7592-04]': () => ({ client_id: 'client_other' }),
  'a secret of its own choice [R7592-05]': () => ({ client_secret: 'chosen' }),
  'a secret that is no text [R7592-04]': () => ({ client_secret: ['x'] }),
  'a registration token [R7592-06]': ({ registration_access_token }) => ({ registration_access_token }),
  'a registration address [R7592-06]': ({ registration_client_uri }) => ({ registration_client_uri }),
  'a time of issue [R7592-06]': () => ({ client_id_issued_at: 1 }),
  'a time of expiry [R7592-06]': () => ({ client_secret_expires_at: 0 }),
  'another way to authenticate': () => ({ token_endpoint_auth_method: 'none' }),
  'another nature': () => ({ agent: true }),
  'a machine grant [threat G12]': () => ({ grant_types: ['authorization_code', 'client_credentials'] }),
  'what no registration may have': () => ({ redirect_uris: ['javascript:alert(1)'] }),
};
for (const [name, change] of Object.entries(forbidden))
  test(`an update with ${name} is refused, and changes nothing [threat G12]`, async () => {
    const client = await registered(server, metadata);
    const code = name.startsWith('what no') ? 'invalid_redirect_uri' : 'invalid_client_metadata';
    denied(await put(client, change(client)), code);
    const { client_secret: _, client_secret_expires_at: __, ...first } = client;
    assert.deepEqual(ok(await get(client)), first);
  });

test('an update that is no object is refused', async () => {
  const client = await registered(server, metadata);
  for (const body of [[], 'x', 1])
    denied(
      await manage('PUT', client.registration_client_uri, client.registration_access_token, body),
      'invalid_client_metadata',
    );
});

test('the present secret may come along, and comes back [R7592-04]', async () => {
  const client = await registered(server, metadata);
  const now = ok(await put(client, { client_secret: client.client_secret }));
  assert.deepEqual([now.client_secret, now.client_secret_expires_at], [client.client_secret, 0]);
  ok(await appOf(server, client).introspect('x'));
});

test('what an operator took away or gave stays as it is', async () => {
  const client = await registered(server, metadata);
  await server.sql(
    `update clients set grant_types = '{authorization_code}', ceiling = '{tools/read}' where client_id = $1`,
    [client.client_id],
  );
  denied(await put(client, { grant_types: ['authorization_code', 'refresh_token'] }), 'invalid_client_metadata');
  const now = ok(await put(client, { scope: 'tools/write' }));
  assert.deepEqual([now.grant_types, now.scope], [['authorization_code'], 'tools/read']);
});

test('a machine that was given a ceiling gains no other grant, and keeps its ceiling', async () => {
  const machine = await registered(server, { client_name: 'job', grant_types: ['client_credentials'] });
  const change = {
    redirect_uris: ['https://app.example.com/cb'],
    grant_types: ['client_credentials', 'authorization_code'],
  };
  denied(await put(machine, change), 'invalid_client_metadata');
});

test('the list of approved redirect URIs holds for updates as well; what was held may stay [threat G12]', async () => {
  const client = await registered(server, metadata);
  const mode = (value: 'approved_redirects' | 'admin_only' | 'open') =>
    server.change('dcr_mode', 'dcr_mode', (tx) => tx.settings.setDcrMode(value));
  await mode('approved_redirects');
  try {
    denied(await put(client, { redirect_uris: ['https://evil.example.com/cb'] }), 'invalid_redirect_uri');
    const approved = 'https://approved.example.com/cb';
    const now = ok(await put(client, { redirect_uris: [...metadata.redirect_uris, approved] })) as ClientInformation;
    await mode('admin_only');
    denied(await put(now, { redirect_uris: ['https://evil.example.com/cb'] }), 'invalid_redirect_uri');
    assert.equal((await put(now, { redirect_uris: [approved] })).status, 200);
  } finally {
    await mode('open');
  }
});

test('a client that is stopped cannot manage itself', async () => {
  const client = await registered(server, metadata);
  await server.change('client', client.client_id, (tx) =>
    tx.clients.setStatus(client.client_id, ['active'], 'suspended'),
  );
  for (const answer of [await get(client), await put(client, {}), await remove(client)])
    denied(answer, 'access_denied', 403);
});

test('who was asked for one address or name is asked again for another (RFC 7592 §2.2)', async () => {
  const client = await registered(server, publicMetadata);
  const browser = new TestBrowser();
  const asked = async (of: ClientInformation): Promise<boolean> => {
    const page = await browser.follow(
      await appOf(server, of).start({ scope: 'tools/read', resource: resource.uri }, browser),
    );
    return new URL(page.url).pathname === '/consent';
  };
  await appOf(server, client).code({ user, scope: 'tools/read', resource: resource.uri }, browser);
  assert.equal(await asked(client), false);
  const same = ok(await put(client, { token_endpoint_auth_method: 'none', contacts: ['x@example.com'] }));
  assert.equal(await asked(same as ClientInformation), false);
  ok(await put(same as ClientInformation, { token_endpoint_auth_method: 'none', client_name: 'Your bank' }));
  await soon('the question', () => asked(client));
});

test('a client that ends its registration ends all it was given, on every pod [R7592-07 R7592-10]', async () => {
  const client = await registered(server, metadata);
  const app = appOf(server, client);
  const observer = await server.client({ authMethod: 'client_secret_basic' });
  const tokens = await app.authorize({ user, resource: resource.uri });
  const answer = await remove(client);
  assert.deepEqual([answer.status, answer.body], [204, { text: '' }]);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  for (const pod of [0, 1]) {
    await soon('the end of the client', async () => (await app.refresh(tokens.refresh_token, {}, pod)).status === 401);
    denied(await app.refresh(tokens.refresh_token, {}, pod), 'invalid_client');
    refusedToken(await get(atPod(client, pod)));
  }
  assert.equal(ok(await observer.introspect(tokens.access_token)).active, false);
  const left = await server.sql(
    `select (select count(*) from consent_grants where client_id = $1)::int
          + (select count(*) from token_families where client_id = $1)::int as n`,
    [client.client_id],
  );
  assert.deepEqual(left, [{ n: 0 }]);
  const page = await app.start();
  deniedByPage(page);
  assert.match(page.html, /taken back its registration/);
  assert.match(page.html, /add it again/);
});

test('changes are in the audit trail and in the change feed, without a secret', async () => {
  const client = await registered(server, metadata);
  const now = ok(await put(client, { client_name: 'Other' })) as ClientInformation;
  await remove(now);
  const events = await server.sql('select action, details::text from audit_events where client_id = $1 order by id', [
    client.client_id,
  ]);
  assert.deepEqual(
    events.map(({ action }) => action),
    ['client.registered', 'client.registration_updated', 'client.unregistered'],
  );
  for (const secret of [client.registration_access_token, now.registration_access_token, client.client_secret])
    assert.ok(!JSON.stringify(events).includes(String(secret)));
  assert.equal(
    (await server.sql(`select 1 from changes where kind = 'client' and key = $1`, [client.client_id])).length,
    2,
  );
});

test('there are three methods, and the answer says so [R7592-09]', async () => {
  const { registration_client_uri: uri } = await registered(server, metadata);
  for (const method of ['PATCH', 'POST']) {
    const answer = await raw(uri, { method });
    assert.equal(answer.status, 405);
    for (const allowed of ['GET', 'PUT', 'DELETE'])
      assert.match(answer.headers.get('allow') ?? '', new RegExp(allowed));
  }
});

test('a browser may manage a registration from any origin, without cookies', async () => {
  const { registration_client_uri: uri } = await registered(server, metadata);
  const answer = await fetch(uri, {
    method: 'OPTIONS',
    headers: { origin: 'https://app.example.com', 'access-control-request-method': 'PUT' },
  });
  assert.equal(answer.status, 204);
  assert.match(answer.headers.get('access-control-allow-methods') ?? '', /PUT.*DELETE/);
  assert.equal((await register(server, metadata)).status, 201);
});

test('a demand that was made once stays: a stolen registration token does not undo it [threat G12]', async () => {
  const client = await registered(server, publicMetadata);
  await server.change('client', client.client_id, async (tx) => {
    const held = await tx.clients.find(client.client_id);
    if (held)
      await tx.clients.update({ ...held, dpopBoundAccessTokens: true, requirePushedAuthorizationRequests: true });
  });
  const now = ok(await put(client, { dpop_bound_access_tokens: false }));
  assert.deepEqual([now.dpop_bound_access_tokens, now.require_pushed_authorization_requests], [true, true]);
  deniedByPage(await appOf(server, client).start({ resource: resource.uri }));
});
