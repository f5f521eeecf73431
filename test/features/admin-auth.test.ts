import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { raw } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true });

const withAuthorization = (authorization: string | undefined) =>
  server.adminRequest('GET', '/admin/stats', undefined, { authorization });

test('the key opens the admin API, however its scheme is spelled (RFC 9110 §11.1)', async () => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR', 'Bearer ']) {
    const answer = await withAuthorization(`${scheme} ${server.adminKey}`);
    assert.equal(answer.status, 200, scheme);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
  }
});

for (const [name, authorization] of Object.entries({
  'no header': undefined,
  'an empty header': '',
  'the scheme alone': 'Bearer',
  'the key alone': 'KEY',
  'another key': `Bearer ${'x'.repeat(43)}`,
  'the start of the key': 'Bearer KEY_START',
  'the key and one character more': 'Bearer KEYx',
  'the key in upper case': 'Bearer KEY_UPPER',
  'two keys': 'Bearer KEY KEY',
  'another scheme': 'Basic KEY',
  'basic authentication with the key': 'BASIC',
  'an empty key': 'Bearer  ',
}))
  test(`${name} is answered with 401 and a challenge (RFC 9110 §15.5.2)`, async () => {
    const key = server.adminKey;
    const answer = await withAuthorization(
      authorization
        ?.replace('BASIC', `Basic ${Buffer.from(`admin:${key}`).toString('base64')}`)
        .replace('KEY_START', key.slice(0, -1))
        .replace('KEY_UPPER', key.toUpperCase())
        .replaceAll('KEY', key),
    );
    assert.equal(answer.status, 401);
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="admin"');
    assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.equal(answer.body.code, 'unauthorized');
    assert.equal(answer.body.status, 401);
    assert.equal(answer.body.title, 'Unauthorized');
    assert.ok(!JSON.stringify(answer.body).includes(key.slice(0, 8)));
  });

test('two Authorization headers are not a choice of keys', async () => {
  const { adminUrl, adminKey } = server;
  const authorization = ['Bearer wrong', `Bearer ${adminKey}`];
  const answer = await raw(`${adminUrl}/admin/stats`, { headers: { authorization } as never });
  assert.notEqual(answer.status, 200);
});

test('the key is not looked for in the query, in a cookie or in other headers', async () => {
  const key = server.adminKey;
  for (const [path, headers] of [
    [`/admin/stats?api_key=${key}&access_token=${key}`, {}],
    ['/admin/stats', { 'x-api-key': key }],
    ['/admin/stats', { cookie: `api_key=${key}; authorization=Bearer ${key}` }],
    ['/admin/stats', { 'proxy-authorization': `Bearer ${key}` }],
  ] as const)
    assert.equal(
      (await server.adminRequest('GET', path, undefined, { authorization: undefined, ...headers })).status,
      401,
    );
});

test('without the key nothing is changed and no id is told from another [threat K01]', async () => {
  const client = await server.client();
  const noKey = { authorization: undefined };
  for (const [method, path, body] of [
    ['DELETE', `/admin/clients/${client.clientId}?force=true`],
    ['GET', `/admin/clients/${client.clientId}`],
    ['GET', '/admin/clients/nobody'],
    ['POST', '/admin/users', { email: 'a@example.com', password: 'long enough, really' }],
    ['POST', '/admin/users', '{'],
    ['PATCH', '/admin/settings/dcr', { mode: 'admin_only' }],
    ['PUT', '/admin/clients', undefined],
  ] as const)
    assert.equal((await server.adminRequest(method, path, body, noKey)).status, 401, `${method} ${path}`);
  assert.equal((await server.admin.client.get({ id: client.clientId })).status, 'active');
  assert.equal((await server.admin.system.stats()).users, 0);
  assert.equal((await server.admin.dcr.get()).mode, 'open');
  assert.deepEqual(await server.sql('select 1 from audit_events'), []);
});

test('health and metrics need no key and say nothing secret', async () => {
  const noKey = { authorization: undefined };
  for (const [path, status] of [
    ['/livez', 'alive'],
    ['/ready', 'ready'],
    ['/health', 'ok'],
  ] as const) {
    const answer = await server.adminRequest('GET', path, undefined, noKey);
    assert.equal(answer.status, 200);
    assert.equal(answer.body.status, status);
  }
  const metrics = await server.adminRequest('GET', '/metrics', undefined, noKey);
  assert.equal(metrics.status, 200);
  assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain/);
  assert.match(String(metrics.body.text), /^authserver_active_clients \d+$/m);
  assert.match(String(metrics.body.text), /^authserver_http_requests_total\{.*path="\/admin\/stats".*\} \d+$/m);
  assert.ok(!String(metrics.body.text).includes(server.adminKey));
});

test('the OpenAPI document needs no key and describes how to give it', async () => {
  const answer = await server.adminRequest('GET', '/admin/openapi.json', undefined, { authorization: undefined });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  const document = answer.body as {
    openapi: string;
    components: { securitySchemes: Record<string, { type: string; scheme: string }> };
    paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
  };
  assert.match(document.openapi, /^3\./);
  assert.deepEqual(
    Object.values(document.components.securitySchemes).map(({ type, scheme }) => [type, scheme]),
    [['http', 'bearer']],
  );
  assert.ok(document.paths['/admin/clients/{id}']?.patch?.responses['200']);
});

test('the admin API has no CORS and forbids framing: it is not for browsers of others [threat L11]', async () => {
  const answer = await server.adminRequest('GET', '/admin/stats', undefined, { origin: 'https://evil.example' });
  assert.equal(answer.headers.get('access-control-allow-origin'), null);
  assert.equal(answer.headers.get('x-frame-options'), 'DENY');
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  const preflight = await server.adminRequest('OPTIONS', '/admin/stats', undefined, {
    authorization: undefined,
    origin: 'https://evil.example',
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'authorization',
  });
  assert.equal(preflight.status, 401);
  assert.equal(preflight.headers.get('access-control-allow-origin'), null);
});

test('the public port has no admin API and no metrics', async () => {
  for (const path of ['/admin/stats', '/admin/clients', '/metrics', '/admin/openapi.json']) {
    const response = await fetch(`${server.issuer}${path}`, {
      headers: { authorization: `Bearer ${server.adminKey}` },
    });
    assert.equal(response.status, 404, path);
  }
});
