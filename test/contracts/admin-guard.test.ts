import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createAdminApp, createAdminPlane } from '@authserver/admin';
import { entities, isChange, type Operation, openApiDocument } from '@authserver/admin-api';
import { loadConfig } from '@authserver/config';
import { createKeyring, keyfileStore } from '@authserver/keys';
import { openDatabase } from '@authserver/store';
import { auditActions, createLogger, createMetrics } from '@authserver/telemetry';
import { readSourceFiles } from '../support/source-files.ts';

const key = 'the-admin-key-of-this-test_which-is-long-enough';
const clock = { now: () => new Date() };
const keyStore = keyfileStore({ directory: join(tmpdir(), 'none'), algorithm: 'ES256', maxTokenLifetimeSeconds: 60 });

/** The control plane over a database that is not there: a request that gets past the key answers 503, not 401. */
const database = openDatabase({ dsn: 'postgres://127.0.0.1:1/none', maxConnections: 1, applicationName: 'test' });
const app = await createAdminApp(
  createAdminPlane({
    config: loadConfig({ env: { AUTHPLANE_ADMIN_AUTH_FAIL_MAX: '0', AUTHPLANE_ADMIN_REQUESTS_PER_SECOND: '0' } })
      .config,
    database,
    keyStore,
    cipher: undefined,
    keyring: createKeyring({ store: keyStore, clock }),
    logger: createLogger({ level: 'fatal', stdout: false }),
    metrics: createMetrics(),
    clock,
    version: 'test',
    apiKey: key,
  }),
);
await app.ready();
after(async () => {
  await app.close();
  await database.end();
});

const { paths } = openApiDocument() as { paths: Record<string, Record<string, unknown>> };
const documented = Object.entries(paths).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => ({ method: method.toUpperCase() as Operation['method'], path })),
);
const concrete = (path: string) => path.replace(/\{\w+\}/g, '019483f2-9c6e-7abc-8def-0123456789ab');
const send = (method: string, url: string, headers: Record<string, string> = {}) =>
  app.inject({ method: method as 'GET', url, headers });

test('every documented operation is refused without the key, before anything is read [threat K01]', async () => {
  assert.ok(documented.length > 40);
  for (const { method, path } of documented) {
    const name = `${method} ${path}`;
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: `Basic ${btoa(`admin:${key}`)}` }]) {
      const response = await send(method, concrete(path), headers);
      assert.equal(response.statusCode, 401, name);
      assert.match(response.headers['www-authenticate'] as string, /^Bearer/, name);
      assert.match(response.headers['content-type'] as string, /^application\/problem\+json/, name);
      assert.equal(response.headers['cache-control'], 'no-store', name);
      assert.equal(response.json().code, 'unauthorized', name);
    }
    const withKey = await send(method, concrete(path), { authorization: `Bearer ${key}` });
    assert.notEqual(withKey.statusCode, 401, `${name} with the key`);
  }
});

test('a malformed body, a wrong method and a query with the key say no more than 401', async () => {
  for (const [method, url] of [
    ['POST', '/admin/users'],
    ['PUT', '/admin/users'],
    ['TRACE', '/admin/users'],
    ['OPTIONS', '/admin/users'],
    ['HEAD', '/admin/users'],
    ['GET', `/admin/users?authorization=Bearer+${encodeURIComponent(key)}`],
    ['GET', `/admin/users?api_key=${encodeURIComponent(key)}`],
  ] as const) {
    const response = await app.inject({
      method: method as 'POST',
      url,
      ...(method === 'POST' ? { headers: { 'content-type': 'application/json' }, payload: '{' } : {}),
    });
    assert.ok([401, 404].includes(response.statusCode), `${method} ${url}: ${response.statusCode}`);
  }
});

test('no spelling of an address leads past the key [threat K01]', async () => {
  for (const url of [
    '//admin/clients',
    '/admin//clients',
    '/admin/./clients',
    '/admin/x/../clients',
    '/admin/x/..;/clients',
    '/admin/ui/../clients',
    '/admin/clients/',
    '/admin/clients;x=1',
    '/Admin/Clients',
    '/admin%2fclients',
    '/admin/%2e%2e/admin/clients',
    '/admin/clients%00',
    '/livez/../admin/clients',
  ])
    for (const authorization of [undefined, 'bearer wrong', `Bearer wrong, Bearer ${key}`]) {
      const { statusCode } = await send('GET', url, authorization === undefined ? {} : { authorization });
      assert.ok([400, 401, 404].includes(statusCode), `${url}: ${statusCode}`);
    }
});

/** The paths of all routes of the app, from the tree that Fastify prints: four columns of indentation a level. */
const routePaths = (): string[] => {
  const trail: string[] = [];
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indentation = '', part = '', methods] = /^([─└├│ ]*)([^ ]*)(?: \(([A-Z, ]+)\))?/.exec(line) ?? [];
      trail.length = Math.max(0, indentation.length / 4 - 1);
      trail.push(part);
      return methods ? [trail.join('')] : [];
    });
};

test('what needs no key is the list we know, and everything else is documented', async () => {
  const open = ['/livez', '/health', '/ready', '/metrics', '/admin/openapi.json'];
  const parameters = (path: string) => path.replace(/:[\w|:]+|\{\w+\}/g, '*');
  const guarded = new Set(documented.map(({ path }) => parameters(path)));
  assert.deepEqual(routePaths().map(parameters).sort(), [...guarded, ...open].sort());
  for (const path of open) assert.notEqual((await send('GET', path)).statusCode, 401, path);
});

test('every change names its audit action, and every action is in the catalogue', () => {
  const operations = Object.entries(entities).flatMap(([entity, row]) =>
    Object.entries<Operation>(row.operations).map(([verb, operation]) => ({ name: `${entity}.${verb}`, operation })),
  );
  for (const { name, operation } of operations) {
    assert.equal(operation.audit !== undefined, isChange(operation), `${name} is a ${operation.method}`);
    for (const action of [operation.audit ?? []].flat()) assert.ok(action in auditActions, `${name}: ${action}`);
  }
});

test('every action of the catalogue is written somewhere', () => {
  const sources = readSourceFiles()
    .filter(({ path }) => /^(services|packages\/(store|boot))\//.test(path) && !path.endsWith('.test.ts'))
    .map(({ text }) => text)
    .join('\n');
  for (const action of Object.keys(auditActions)) assert.ok(sources.includes(`'${action}'`), action);
});
