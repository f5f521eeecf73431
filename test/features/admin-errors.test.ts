import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entities, type Operation } from '@authserver/admin-api';
import { refused } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { github } from '../support/brokering.ts';

const server = await startAuthServer({ admin: true });
const web = { client_name: 'App', redirect_uris: ['https://app.example.com/cb'] };
const email = 'x@example.com';
const password = 'correct horse battery staple';

/** A sound body for every operation that takes one. */
const bodies: Record<string, Record<string, unknown>> = {
  'POST /admin/clients': web,
  'PATCH /admin/clients/{id}': { client_name: 'New' },
  'POST /admin/clients/{id}/rotate-secret': {},
  'POST /admin/users': { email, password },
  'PATCH /admin/users/{id}': { name: 'New' },
  'POST /admin/resources': { slug: 'mcp' },
  'PATCH /admin/resources/{id}': { display_name: 'New' },
  'POST /admin/resources/{slug}/policy/exchange/allowed-clients': { client_id: 'c' },
  'PUT /admin/resources/{slug}/policy/exchange/budgets': { max_depth: 5 },
  'POST /admin/resources/{slug}/policy/runtime/client-ids': { client_id: 'c' },
  'POST /admin/resources/{slug}/policy/connect/allowed-return-urls': { url: 'https://app.example.com/' },
  'POST /admin/keys/rotate': { force: false },
  'PATCH /admin/settings/dcr': { mode: 'open' },
  'POST /admin/initial-access-tokens': { label: 'Laptop' },
  'POST /admin/broker-providers': { slug: 'up', display_name: 'Up', protocol: 'oauth', config_data: github },
  'PATCH /admin/broker-providers/{id}': { display_name: 'New' },
  'POST /admin/fronting': { source: 'a', target: 'b', scope_map: { x: ['y'] } },
  'PATCH /admin/fronting/{source}/{target}': { scope_map: { x: ['y'] } },
  'POST /admin/idps': { issuer: 'https://idp.example.com', jwks_uri: 'https://idp.example.com/jwks' },
  'PATCH /admin/idps/{id}': { name: 'New' },
  'PUT /admin/idps/{id}': { name: 'New' },
  'POST /admin/xaa/policies': { idp_id: 'nobody', name: 'Policy' },
  'PATCH /admin/xaa/policies/{id}': { name: 'New' },
  'PUT /admin/xaa/policies/{id}': { name: 'New' },
  'POST /admin/xaa/subject-mappings': { idp_id: 'nobody', idp_subject: 'somebody' },
  'PATCH /admin/xaa/subject-mappings/{id}': { local_user_id: null },
  'POST /admin/keys/{kid}/retire': { force: false },
  'POST /admin/exchange/explain': { client_id: 'c', subject_client_id: 'c' },
  'POST /admin/admin-keys': { label: 'CI', role: 'viewer' },
  'PATCH /admin/admin-keys/{id}': { label: 'CI' },
  'POST /admin/configuration/plan': { configuration: {} },
  'POST /admin/configuration/apply': { configuration: {} },
};
const operations = Object.values(entities)
  .flatMap((entity) => Object.values<Operation>(entity.operations))
  .map((operation) => ({ ...operation, name: `${operation.method} ${operation.path}` }));
const withBody = operations.filter(({ body }) => body !== undefined);
const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
const filled = (path: string, id: string) => path.replaceAll(/\{\w+\}/g, id);

test('every operation that takes a body is looked at here', () => {
  assert.deepEqual(withBody.map(({ name }) => name).sort(), Object.keys(bodies).sort());
});

for (const { name, method, path } of withBody)
  test(`${name}: what is not the body it wants is refused before anything is done`, async () => {
    const sound = bodies[name] ?? {};
    const send = (body: string, contentType = 'application/json') =>
      server.adminRequest(method, filled(path, 'nobody'), body, { 'content-type': contentType });

    const unknown = refused(await send(JSON.stringify({ ...sound, surprise: 1 })), 'invalid_request');
    assert.match(unknown, /surprise/, 'the unknown member is named');
    for (const member of Object.keys(sound))
      for (const value of isObject(sound[member]) ? [42, 'x'] : [{}, 42, [[]]])
        assert.match(refused(await send(JSON.stringify({ [member]: value })), 'invalid_request'), new RegExp(member));
    for (const body of ['{', '{"a":1,}', "{'a': 1}", '[]', '"text"', '42', 'true', '\u0000', '{"a":1}{"b":2}'])
      refused(await send(body), 'invalid_request');
    for (const type of ['text/plain', 'application/xml', 'application/octet-stream'])
      assert.ok([400, 415].includes((await send(JSON.stringify(sound), type)).status), type);
    const form = new URLSearchParams(Object.entries(sound).map(([member, value]) => [member, String(value)]));
    const asForm = await send(form.toString(), 'application/x-www-form-urlencoded');
    assert.match(refused(asForm, 'unsupported_media_type'), /media type/i);
  });

test('a body of more than 1 MiB is not read', async () => {
  const answer = await server.adminRequest('POST', '/admin/clients', { ...web, client_name: 'x'.repeat(1024 * 1024) });
  refused(answer, 'content_too_large');
});

for (const { name, method, path } of operations)
  test(`${name}: a query parameter there is not is refused, so that no misspelt one is taken for obeyed`, async () => {
    const detail = refused(
      await server.adminRequest(method, `${filled(path, 'nobody')}?dryrun=true`, bodies[name]),
      'invalid_request',
    );
    assert.match(detail, /dryrun/);
  });

test('a prototype cannot be set through a body', async () => {
  const body = `{"client_name":"App","redirect_uris":["https://app.example.com/cb"],"__proto__":{"agent":true}}`;
  const answer = await server.adminRequest('POST', '/admin/clients', body);
  if (answer.status === 201) assert.equal(answer.body.agent, false);
  else refused(answer, 'invalid_request');
  assert.equal(({} as Record<string, unknown>).agent, undefined);
});

/** Ends what may not be there: as revoked as one can wish. A user who is not there allowed nothing. */
const neverNotFound = [
  'DELETE /admin/issuances/{id}',
  'DELETE /admin/grants/consent/{id}',
  'DELETE /admin/grants/broker/{id}',
  'GET /admin/users/{id}/grants',
];

for (const { name, method, path } of operations.filter((operation) => operation.path.includes('{')))
  test(`${name}: an id that was never given out`, async () => {
    for (const id of [
      'nobody',
      crypto.randomUUID(),
      "x'%20or%20'1'='1",
      '%F0%9F%98%80',
      '%2e%2e%2fusers',
      'a'.repeat(256),
    ]) {
      const query = name.includes('allowed-return-urls') && method === 'DELETE' ? '?url=x' : '';
      const answer = await server.adminRequest(method, filled(path, id) + query, bodies[name]);
      if (neverNotFound.includes(name)) assert.ok([200, 204].includes(answer.status), `${id}: ${answer.status}`);
      else assert.match(refused(answer, 'not_found'), /no such/, id);
    }
  });

for (const { name, method, path } of operations.filter((operation) => operation.path.includes('{')))
  test(`${name}: what can be no id at all`, async () => {
    for (const id of ['a'.repeat(257), 'a%00b', 'a%0Ab', '%ff', '%', '%ED%A0%80']) {
      const answer = await server.adminRequest(method, filled(path, id), bodies[name]);
      assert.ok([400, 404].includes(answer.status), `${id}: ${answer.status}`);
      refused(answer, answer.status === 400 ? 'invalid_request' : 'not_found');
    }
  });

test('an address that cannot be read is not repeated, since its query may hold a secret', async () => {
  for (const id of ['%ff', 'x'.repeat(2100)])
    for (const authorization of [undefined, `Bearer ${server.adminKey}`]) {
      const path = `/admin/clients/${id}?token=canary`;
      const answer = await server.adminRequest('GET', path, undefined, { authorization });
      assert.doesNotMatch(refused(answer, 'invalid_request'), /canary|%ff|xxx/);
    }
});

test('a path there is not is 404, a method there is not is 405 and names those there are (RFC 9110 §15.5.6)', async () => {
  for (const path of ['/', '/admin', '/admin/', '/admin/client', '/admin/clients/a/b', '//admin/stats'])
    refused(await server.adminRequest('GET', path), 'not_found');
  refused(await server.adminRequest('GET', '/admin/clients/'), 'invalid_request'); // an empty id
  for (const [method, path, allow] of [
    ['PUT', '/admin/clients', 'HEAD, GET, POST'],
    ['DELETE', '/admin/clients', 'HEAD, GET, POST'],
    ['POST', '/admin/clients/x', 'HEAD, GET, PATCH, DELETE'],
    ['GET', '/admin/clients/x/rotate-secret', 'POST'],
    ['POST', '/admin/clients/x/suspend', 'PATCH'],
    ['GET', '/admin/keys/rotate', 'POST'],
    ['POST', '/admin/stats', 'HEAD, GET'],
  ] as const) {
    const answer = await server.adminRequest(method, path);
    refused(answer, 'method_not_allowed');
    const sorted = (list: string | null) => list?.split(', ').sort().join();
    assert.equal(sorted(answer.headers.get('allow')), sorted(allow), `${method} ${path}`);
  }
});

test('HEAD is GET without a body (RFC 9110 §9.3.2)', async () => {
  const answer = await server.adminRequest('HEAD', '/admin/clients');
  assert.deepEqual([answer.status, answer.body], [200, { text: '' }]);
});

test('an operation without a body takes an empty JSON body', async () => {
  const { clientId } = await server.client();
  const answer = await server.adminRequest('PATCH', `/admin/clients/${clientId}/suspend`, '', {
    'content-type': 'application/json',
  });
  assert.equal(answer.status, 200);
});

test('every answer has a request id of our own making', async () => {
  for (const path of ['/admin/stats', '/admin/clients/nobody', '/nowhere']) {
    const id = (await server.adminRequest('GET', path, undefined, { 'x-request-id': 'mine' })).headers.get(
      'x-request-id',
    );
    assert.match(id ?? '', /^[A-Za-z0-9_-]{16,}$/);
  }
});
