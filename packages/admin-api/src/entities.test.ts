import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entities } from './entities.ts';
import { isChange, type Operation } from './entity.ts';
import { openApiDocument } from './openapi.ts';
import { CreateClient } from './views/client.ts';
import { CreateResource, ListResources } from './views/resource.ts';
import { CreateUser } from './views/user.ts';

const operations = Object.values(entities).flatMap(({ operations }) => Object.values<Operation>(operations));

test('whatever changes something names its audit action, and nothing else does', () => {
  for (const operation of operations)
    assert.equal(operation.audit !== undefined, isChange(operation), `${operation.method} ${operation.path}`);
});

test('every operation is in the OpenAPI document once, and every reference leads somewhere', () => {
  const document = openApiDocument() as { paths: Record<string, object>; components: { schemas: object } };
  const described = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(described.sort(), operations.map(({ method, path }) => `${method} ${path}`).sort());
  for (const [, name = ''] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g))
    assert.ok(name in document.components.schemas, name);
});

test('bodies with unknown members are refused', () => {
  const user = { email: 'a@example.com', password: 'long enough' };
  assert.ok(CreateUser.safeParse(user).success);
  assert.ok(!CreateUser.safeParse({ ...user, rolle: 'admin' }).success);
  assert.ok(!CreateUser.safeParse({ ...user, role: 'Admin' }).success);
});

test('one refusal of a client names all violations, those between members too', () => {
  const messages = (body: unknown) => CreateClient.safeParse(body).error?.issues.map((issue) => issue.path.join('.'));
  assert.deepEqual(messages({ client_name: ' ' }), ['client_name', 'redirect_uris']);
  assert.deepEqual(messages({ client_name: 'x', redirect_uris: 7 }), ['redirect_uris']);
  assert.equal(messages({ client_name: 'x', redirect_uris: ['https://app.example/cb'] }), undefined);
});

test('a resource', () => {
  const cases: [unknown, boolean][] = [
    [{ slug: 'MCP', uri: 'https://mcp.example/mcp' }, true],
    [{ slug: 'a_b' }, false],
    [{ slug: 'a', uri: 'https://mcp.example/#part' }, false],
    [{ slug: 'a', uri: 'ftp://mcp.example/' }, false],
    [{ slug: 'a', uri: 'https://user@mcp.example/' }, false],
    [{ slug: 'a', backend_kind: 'broker', broker_provider_slug: 'github' }, true],
    [{ slug: 'a', backend_kind: 'vault' }, false],
    [{ slug: 'a', scopes: [{ name: 'read' }, { name: 'read' }] }, false],
    [{ slug: 'a', scopes: [{ name: 'two words' }] }, false],
  ];
  for (const [body, good] of cases) assert.equal(CreateResource.safeParse(body).success, good, JSON.stringify(body));
  assert.ok(ListResources.safeParse({ slug: 'a' }).success);
  assert.ok(!ListResources.safeParse({ slug: 'a', limit: '5' }).success);
});
