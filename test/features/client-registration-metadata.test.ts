import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { appOf, type ClientInformation, register, registered } from '../support/registration.ts';
import { denied, ok, raw } from '../support/test-app.ts';

const server = await startAuthServer({ env: { DCR_RATE_LIMIT: '0' } });
const bounded = await startAuthServer({ env: { OAUTH_DEFAULT_CLIENT_SCOPE: 'tools/read' } });
const picky = await startAuthServer({ env: { DCR_PRIVATE_USE_SCHEMES: 'cursor,com.example.app' } });

const metadata = { client_name: 'App', redirect_uris: ['https://app.example.com/cb'] };
const user = await server.user();
const resource = await server.resource();

/** What real clients send; names and addresses as they were seen. */
const clients: Record<string, Record<string, unknown>> = {
  'an editor with a scheme and host of its own that says web': {
    client_name: 'Cursor',
    redirect_uris: ['cursor://anysphere.cursor-retrieval/oauth/user-x/callback'],
    application_type: 'web',
    token_endpoint_auth_method: 'none',
  },
  'an editor with a scheme of its own that says nothing': {
    client_name: 'Cursor',
    redirect_uris: [
      'cursor://anysphere.cursor-mcp/oauth/callback',
      'https://www.cursor.com/agents/mcp/oauth/callback',
      'http://localhost:8787/callback',
    ],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  'an editor that lists the grants it knows': {
    client_name: 'Visual Studio Code',
    client_uri: 'https://code.visualstudio.com',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    redirect_uris: [
      'https://insiders.vscode.dev/redirect',
      'https://vscode.dev/redirect',
      'http://127.0.0.1/',
      'http://127.0.0.1:33418/',
    ],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  },
  'a command line with nothing but a loopback address [M25-01 M25-03]': {
    redirect_uris: ['http://127.0.0.1:41234/cb'],
    token_endpoint_auth_method: 'none',
  },
  'a hosted client with a secret in the body': {
    client_name: 'Claude',
    redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    scope: 'tools/read',
    token_endpoint_auth_method: 'client_secret_post',
  },
  'a client that writes what it has not as null': {
    ...metadata,
    logo_uri: null,
    contacts: null,
    jwks: null,
    scope: null,
    token_endpoint_auth_method: 'none',
  },
};
for (const [name, asked] of Object.entries(clients))
  test(`${name} gets in`, async () => {
    const client = await registered(server, asked);
    assert.deepEqual(client.redirect_uris, asked.redirect_uris);
    assert.ok(!JSON.stringify(client).includes('null'));
    const tokens = await appOf(server, client).authorize({ user, resource: resource.uri });
    assert.equal(tokens.token_type, 'Bearer');
  });

for (const [said, uris, stored] of [
  ['web', ['https://app.example.com/cb'], 'web'],
  ['web', ['http://127.0.0.1/cb'], 'web'],
  ['native', ['http://127.0.0.1/cb'], 'native'],
  ['native', ['https://app.example.com/cb'], 'native'],
  [undefined, ['http://localhost/cb'], 'native'],
  [undefined, ['https://app.example.com/cb'], 'web'],
  ['web', ['com.example.app:/cb'], 'native'],
] as const)
  test(`application_type ${said ?? 'unsaid'} with ${uris[0]} is registered as ${stored} [MCP-33]`, async () => {
    assert.equal((await registered(server, { redirect_uris: uris, application_type: said })).application_type, stored);
  });

test('every bad redirect URI names itself and what is wrong with it [R7591-07 R7591-10 MCP-20 MCP-34]', async () => {
  const bad = {
    'http://evil.example.com/cb': 'use https',
    'javascript:alert(1)': 'may not be used for redirects',
    'https://app.example.com/cb#x': 'fragment',
    '/callback': 'not an absolute URI',
    'http://127.1/cb': 'must be written as',
  };
  const answer = await register(server, {
    ...metadata,
    redirect_uris: [...metadata.redirect_uris, ...Object.keys(bad)],
  });
  denied(answer, 'invalid_redirect_uri');
  const told = String(answer.body.error_description).split('; ');
  assert.equal(told.length, Object.keys(bad).length);
  for (const [uri, why] of Object.entries(bad))
    assert.ok(
      told.some((line) => line.includes(uri) && line.includes(why)),
      `${uri}: ${told.join('\n')}`,
    );
});

test('a plain word is no scheme of an app, unless a host follows or the operator names it [O21-11]', async () => {
  const ask = (of: typeof server, uri: string) =>
    register(of, { redirect_uris: [uri], application_type: 'native', token_endpoint_auth_method: 'none' });
  for (const uri of ['myapp:/cb', 'myapp:cb', 'myapp:///cb']) {
    const answer = await ask(server, uri);
    denied(answer, 'invalid_redirect_uri');
    assert.match(String(answer.body.error_description), new RegExp(`${uri} .*domain name`));
  }
  for (const uri of ['com.example.app:/cb', 'cursor://anysphere.cursor-mcp/cb'])
    assert.equal((await ask(server, uri)).status, 201);
  assert.equal((await ask(picky, 'cursor:/cb')).status, 201);
});

test('schemes may be limited, and the refusal names what is not accepted', async () => {
  const ask = (...redirect_uris: string[]) => register(picky, { redirect_uris, token_endpoint_auth_method: 'none' });
  assert.equal((await ask('cursor://x/cb', 'com.example.app:/cb', 'http://127.0.0.1/cb')).status, 201);
  const answer = await ask('cursor://x/cb', 'other.app:/cb');
  denied(answer, 'invalid_redirect_uri');
  assert.match(String(answer.body.error_description), /other\.app:\/cb/);
  assert.doesNotMatch(String(answer.body.error_description), /cursor/);
});

test('an unnamed client without redirect URIs, and a contradiction of grant and response, are refused [R7591-06 R7591-08]', async () => {
  denied(await register(server, { client_name: 'App' }), 'invalid_redirect_uri');
  denied(
    await register(server, { grant_types: ['client_credentials'], response_types: ['code'] }),
    'invalid_client_metadata',
  );
});

test('keys come by value or by address, not both, and not with their private half [R7591-09]', async () => {
  const key = {
    kty: 'EC',
    crv: 'P-256',
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  };
  const asking = { ...metadata, token_endpoint_auth_method: 'private_key_jwt' };
  const jwks_uri = 'https://app.example.com/jwks.json';
  assert.deepEqual((await registered(server, { ...asking, jwks: { keys: [key] } })).jwks, { keys: [key] });
  const byAddress = await registered(server, { ...asking, jwks_uri });
  assert.equal(byAddress.jwks_uri, jwks_uri);
  assert.ok(!('client_secret' in byAddress));
  for (const bad of [
    { jwks: { keys: [key] }, jwks_uri },
    {},
    { jwks: { keys: [{ ...key, d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI' }] } },
  ])
    denied(await register(server, { ...asking, ...bad }), 'invalid_client_metadata');
});

test('demands a client makes of itself are registered and told', async () => {
  const demands = { dpop_bound_access_tokens: true, require_pushed_authorization_requests: true };
  const client = await registered(server, { ...metadata, ...demands });
  assert.equal(client.dpop_bound_access_tokens, true);
  assert.equal(client.require_pushed_authorization_requests, true);
});

test('secrets, ids and registration tokens are never the same twice [R7591-12]', async () => {
  const many = await Promise.all(Array.from({ length: 8 }, () => registered(server, metadata)));
  for (const member of ['client_id', 'client_secret', 'registration_access_token'] as const)
    assert.equal(new Set(many.map((client) => client[member])).size, many.length, member);
});

test('what a client says of itself comes back if it is sound, and is fetched by nobody [R7591-14] [threat G03]', async () => {
  const sound = {
    client_uri: 'https://app.example.com/',
    'client_name#ja': 'アプリ',
    contacts: ['ops@example.com'],
    software_id: 'app',
    software_version: '1.0',
  };
  const client = await registered(server, {
    ...metadata,
    ...sound,
    logo_uri: 'https://bank.example/logo.png',
    tos_uri: 'http://169.254.169.254/latest/meta-data/',
    policy_uri: 'http://postgres:5432/',
    sector_identifier_uri: 'http://nats:8222/varz',
  });
  for (const [member, value] of Object.entries(sound)) assert.deepEqual(client[member], value);
  for (const dropped of ['logo_uri', 'tos_uri', 'policy_uri', 'sector_identifier_uri']) assert.ok(!(dropped in client));
});

test('a client is shown as what it is: its own word, its real destination [R7591-13]', async () => {
  const client = await registered(server, {
    ...metadata,
    client_name: 'Your Bank',
    token_endpoint_auth_method: 'none',
  });
  const page = await appOf(server, client).start({ resource: resource.uri });
  assert.equal(page.status, 303);
  const login = await fetch(page.location as URL);
  const html = await login.text();
  assert.match(html, /app\.example\.com/);
  assert.match(html, /not verified|unverified|registered itself|has not been checked/i);
});

test('jwks_uri of somebody inside the house is refused [threat G03]', async () => {
  const asking = { ...metadata, token_endpoint_auth_method: 'private_key_jwt' };
  for (const jwks_uri of ['http://169.254.169.254/latest/meta-data/', 'http://postgres:5432/', 'file:///etc/passwd'])
    denied(await register(server, { ...asking, jwks_uri }), 'invalid_client_metadata');
});

test('shapes that no metadata has are refused in no time, and leave nothing behind [threat G02]', async () => {
  const shapes: unknown[] = [
    { ...metadata, redirect_uris: 'https://app.example.com/cb' },
    { ...metadata, redirect_uris: [['https://app.example.com/cb']] },
    { ...metadata, redirect_uris: [null] },
    { ...metadata, redirect_uris: {} },
    { ...metadata, redirect_uris: Array.from({ length: 1_500 }, (_, index) => `https://app.example.com/${index}`) },
    { ...metadata, client_name: 'x'.repeat(60_000) },
    { ...metadata, grant_types: { length: 1, 0: 'authorization_code' } },
    [],
    null,
    'x',
    1,
  ];
  for (const shape of shapes) {
    const started = performance.now();
    const answer = await register(server, shape);
    assert.equal(answer.status, 400, JSON.stringify(shape)?.slice(0, 60));
    assert.match(String(answer.body.error), /^invalid_(client_metadata|redirect_uri|request)$/);
    assert.ok(String(answer.body.error_description).length <= 4000);
    assert.ok(performance.now() - started < 500);
  }
});

test('bodies that are no JSON of ours are refused, and pollute nothing [threat G02]', async () => {
  const url = `${server.issuer}/oauth/register`;
  const post = (body: string | Buffer, type = 'application/json') =>
    raw(url, { method: 'POST', headers: { 'content-type': type }, body });
  const good = JSON.stringify(metadata);
  for (const body of [
    '{',
    good.slice(1),
    Buffer.from(`\ufeff${good}`, 'utf16le'),
    '['.repeat(2000) + ']'.repeat(2000),
  ]) {
    const { status, text } = await post(body);
    assert.equal(status, 400);
    assert.ok((JSON.parse(text) as { error: string }).error);
  }
  for (const type of ['text/plain', 'text/html', 'application/x-www-form-urlencoded', 'multipart/form-data'])
    assert.ok([400, 415].includes((await post(good, type)).status), type);
  await post(`{"__proto__":{"agent":true},"constructor":{"prototype":{"agent":true}},${good.slice(1)}`);
  const { body } = await register(server, metadata);
  assert.equal(body.agent, false);
});

test('where scopes are bounded, wanting a machine grant as well does not lift the bound [threat G01]', async () => {
  const client = await registered(bounded, { ...metadata, grant_types: ['authorization_code', 'client_credentials'] });
  assert.deepEqual([client.grant_types, client.scope], [['authorization_code'], 'tools/read']);
  const { uri } = await bounded.resource();
  const app = appOf(bounded, client as ClientInformation);
  denied(await app.clientCredentials({ scope: 'tools/read', resource: uri }), 'unauthorized_client');
  assert.equal((await app.authorize({ user: await bounded.user(), resource: uri })).scope, 'tools/read');
});

test('only machine grants: registered, and good for nothing until an administrator says what for [MCC-06]', async () => {
  const client = await registered(server, { client_name: 'job', grant_types: ['client_credentials'] });
  denied(
    await appOf(server, client).clientCredentials({ scope: 'tools/read', resource: resource.uri }),
    'invalid_scope',
  );
  ok(await appOf(server, client).introspect('x'));
});

test('ids of our making are no URLs [CIMD-22] [threat C11]', async () => {
  for (let count = 0; count < 5; count += 1)
    assert.match((await registered(server, metadata)).client_id, /^client_[A-Za-z0-9_-]{22}$/);
});

test('of a key only what a signature needs is kept, whatever else a stranger writes into it [threat G02]', async () => {
  const key = {
    kty: 'EC',
    crv: 'P-256',
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  };
  const asking = { ...metadata, token_endpoint_auth_method: 'private_key_jwt' };
  const nested = JSON.parse('['.repeat(2_000) + ']'.repeat(2_000));
  for (const more of [{ kid: 'a\0b' }, { kid: '\ud800' }, { x5c: nested }, { x_vendor: 'x'.repeat(50_000) }]) {
    const client = await registered(server, { ...asking, jwks: { keys: [{ ...key, ...more }] } });
    assert.deepEqual(client.jwks, { keys: [key] });
  }
  for (const jwks_uri of [
    'https://app.example.com/\0',
    'https://app.example.com/a b',
    'https://app.example.com/\ud800',
  ])
    denied(await register(server, { ...asking, jwks_uri }), 'invalid_client_metadata');
  const large = await register(server, { ...asking, jwks: { keys: [{ ...key, x_vendor: 'x'.repeat(70_000) }] } });
  assert.equal(large.status, 413);
});

test('keys that would keep us computing are refused [threat L01]', async () => {
  const number = (bytes: number) => Buffer.alloc(bytes, 0xff).toString('base64url');
  for (const key of [
    { kty: 'RSA', n: number(384), e: number(384) },
    { kty: 'RSA', n: number(2048), e: 'AQAB' },
  ]) {
    const asking = { ...metadata, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key] } };
    denied(await register(server, asking), 'invalid_client_metadata');
  }
});
