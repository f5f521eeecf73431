/** Client ids made up to make this server go somewhere it should not, or too often, or to fill it up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { localFetch, startMetadataHost } from '../support/metadata-host.ts';
import { type Answer, denied, deniedByPage, TestApp } from '../support/test-app.ts';

const addresses: Record<string, readonly string[]> = {
  'metadata.example': ['169.254.169.254'],
  'inside.example': ['10.0.0.5'],
  'home.example': ['127.0.0.1', '::1'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'mixed.example': ['93.184.216.34', '127.0.0.1'],
};
const server = await startAuthServer({ hosts: (name) => addresses[name] ?? [] });
const appAt = (clientId: string, on = server) =>
  new TestApp([on.issuer], {
    clientId,
    clientSecret: undefined,
    authMethod: 'none',
    redirectUris: ['https://a.example/cb'],
  });
const outbound = (outcome: string, on = server) =>
  on.metric('authserver_outbound_requests_total', { purpose: 'client_document', outcome });

const literal = [
  'https://127.0.0.1/c',
  'https://10.0.0.1/x',
  'https://169.254.169.254/latest/meta-data/',
  'https://192.168.1.1/c',
  'https://100.100.100.200/c',
  'https://0.0.0.0/c',
  'https://[::1]/c',
  'https://[fd00:ec2::254]/c',
  'https://[::ffff:7f00:1]/c',
  'https://[64:ff9b::a9fe:a9fe]/c',
  'https://localhost/c',
  'https://app.localhost/c',
  'https://client.example:22/c',
  'http://client.example/c',
];
for (const clientId of literal)
  test(`${clientId} is refused before anything is asked of anybody [CIMD-18 MCP-26 threat G03]`, async () => {
    const before = await server.metric('authserver_outbound_requests_total');
    const page = await appAt(clientId).start({});
    deniedByPage(page);
    assert.match(page.html, /client_id is a URL, but it/);
    denied(await appAt(clientId).refresh('x'), 'invalid_client');
    assert.equal(await server.metric('authserver_outbound_requests_total'), before);
  });

test('a name that leads into the network and one that leads nowhere cannot be told apart [CIMD-18 threat G03]', async () => {
  const lead = /<p[^>]*>([^<]*could not be fetched[^<]*)</;
  const pages = await Promise.all(
    [...Object.keys(addresses), 'nowhere.example'].map((name) => appAt(`https://${name}/c`).start({})),
  );
  for (const page of pages) deniedByPage(page);
  assert.equal(new Set<string | undefined>(pages.map(({ html }) => lead.exec(html)?.[1])).size, 1);
  assert.notEqual(lead.exec(pages[0]?.html ?? ''), null);
  assert.equal(await outbound('forbidden'), Object.keys(addresses).length);
  assert.equal(await outbound('unreachable'), 1);
});

test('the token endpoint says what is wrong, and when to come back', async () => {
  const answer: Answer<unknown> = await appAt('https://nowhere-2.example/c').refresh('x');
  denied(answer, 'invalid_client');
  assert.match(JSON.stringify(answer.body), /could not be fetched/);
  assert.equal(answer.headers.get('retry-after'), '30');
});

test('a host that gave no answer is left alone for half a minute [threat G08]', async () => {
  const app = appAt('https://nowhere-3.example/c');
  const before = await outbound('unreachable');
  for (let n = 0; n < 10; n += 1) deniedByPage(await app.start({}));
  assert.equal(await outbound('unreachable'), before + 1);
  assert.ok((await server.metric('authserver_cimd_fetch_suppressed_total', { reason: 'negative_cache' })) >= 9);
  server.clock.advance(31);
  deniedByPage(await app.start({}));
  assert.equal(await outbound('unreachable'), before + 2);
});

test('one host is not visited for every URL somebody makes up [threat G08]', async () => {
  const before = await outbound('unreachable');
  for (let n = 0; n < 300; n += 1) deniedByPage(await appAt(`https://victim.example/${n}.json`).start({}));
  const visits = (await outbound('unreachable')) - before;
  assert.ok(visits >= 100 && visits <= 130, `${visits} visits`);
  assert.equal(await server.metric('authserver_cimd_fetch_suppressed_total', { reason: 'host_budget' }), 300 - visits);
  const answer = await appAt('https://victim.example/more.json').refresh('x');
  denied(answer, 'slow_down', 429);
  assert.equal(answer.headers.get('retry-after'), '60');
  assert.match((await appAt('https://another.example/c.json').start({})).html, /gave no usable answer/);
});

test('made-up ids leave no row, and no series of metrics [threat G08 G11]', async () => {
  const rows = await server.sql('select client_id from clients');
  assert.deepEqual(rows, []);
  for (const table of ['authorization_codes', 'consent_grants', 'audit_events'])
    assert.deepEqual(await server.sql(`select count(*)::int as n from ${table}`), [{ n: 0 }], table);
  const text = await server.pods[0]?.metrics.render();
  assert.doesNotMatch(text?.body ?? '', /victim\.example|nowhere|\.json/);
});

test('what is under way has a limit; who comes late is asked to come back [threat G08]', async () => {
  const busy = await startAuthServer({
    env: { ...localFetch, CIMD_FETCH_TIMEOUT: '4s' },
  });
  const host = await startMetadataHost();
  let most = 0;
  let open = 0;
  host.on('*', (_request, response) => {
    open += 1;
    most = Math.max(most, open);
    response.on('close', () => {
      open -= 1;
    });
  });
  const started = performance.now();
  const answers = await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const { status, response } = await appAt(`${host.origin}/slow-${n}`, busy).start({}, new TestBrowser());
      return { status, retryAfter: response.headers.get('retry-after'), ms: performance.now() - started };
    }),
  );
  assert.equal(most, 16);
  const shed = answers.filter(({ status }) => status === 503);
  assert.equal(shed.length, 24);
  for (const { ms, retryAfter } of shed) assert.ok(ms < 3_500 && retryAfter === '1', `${ms} ms`);
  assert.equal(answers.filter(({ status }) => status === 400).length, 16);
  assert.equal(await busy.metric('authserver_cimd_fetch_suppressed_total', { reason: 'capacity' }), 24);
  assert.equal(await outbound('timeout', busy), 16);
  assert.equal((await fetch(`${busy.issuer}/livez`)).status, 200);
});

test('hosts that never answer keep out strangers only, not clients that are known [threat G08]', async () => {
  const busy = await startAuthServer({
    env: { ...localFetch, CIMD_FETCH_TIMEOUT: '3s' },
  });
  const host = await startMetadataHost();
  const tarpit = await startMetadataHost();
  tarpit.on('*', () => {});
  const known = appAt(
    host.publish(
      '/known.json',
      (url) => ({ client_id: url, client_name: 'Known App', redirect_uris: ['https://a.example/cb'] }),
      { 'cache-control': 'no-store' },
    ),
    busy,
  );
  const { uri: resource } = await busy.resource();
  await known.authorize({ user: await busy.user(), resource });
  const stuck = Array.from({ length: 20 }, (_, n) => appAt(`${tarpit.origin}/${n}.json`, busy).refresh('x'));
  while (tarpit.requests.length < 16) await new Promise((resolve) => setTimeout(resolve, 10));
  const started = performance.now();
  assert.equal((await known.start({ resource })).status, 303);
  assert.ok(performance.now() - started < 1_000);
  await Promise.all(stuck);
});

test('what no database takes is left out of a document, or refused [threat G02]', async () => {
  const local = await startAuthServer({
    env: localFetch,
  });
  const host = await startMetadataHost();
  const user = await local.user();
  const { uri: resource } = await local.resource();
  const key = {
    kty: 'EC',
    crv: 'P-256',
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  };
  const publish = (name: string, keys: Record<string, unknown>) =>
    appAt(
      host.publish(`/${name}.json`, (url) => ({
        client_id: url,
        client_name: name,
        redirect_uris: ['https://a.example/cb'],
        token_endpoint_auth_method: 'private_key_jwt',
        ...keys,
      })),
      local,
    );
  for (const [index, more] of [{ kid: 'a\0b' }, { kid: '\ud800' }].entries())
    await publish(`odd-${index}`, { jwks: { keys: [{ ...key, ...more }] } }).code({ user, resource });
  deniedByPage(await publish('address', { jwks_uri: 'https://a.example/\0' }).start({ resource }));
});
