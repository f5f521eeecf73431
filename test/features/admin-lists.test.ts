/** Lists that have to be found one's way in: filters, searches, and pages that rows coming and going do not shift. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pages } from '@authserver/admin-api';
import { refused } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { ok } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const password = 'correct horse battery staple';
const web = (client_name: string, host: string) => ({ client_name, redirect_uris: [`https://${host}/cb`] });

const made = {
  claude: await admin.client.create({ body: web('Claude Desktop', 'claude.example.com') }),
  percent: await admin.client.create({ body: web('100% Söze_Tool', 'tool.example.org') }),
  plain: await admin.client.create({ body: web('100 SozeXTool', 'other.example.org') }),
  agent: await admin.client.create({
    body: {
      client_name: 'Nightly',
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_post',
      scope: 'reports/write tools/read',
      agent: true,
    },
  }),
};
type Made = keyof typeof made;
const nameOf = new Map(Object.entries(made).map(([name, { client_id }]) => [client_id, name]));
const names = async (query: string): Promise<(string | undefined)[]> => {
  const answer = await server.adminRequest('GET', `/admin/clients?${query}`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return (answer.body as unknown as { id: string }[]).map(({ id }) => nameOf.get(id));
};

const finds: [string, Made[]][] = [
  ['q=claude', ['claude']],
  ['q=DESKTOP', ['claude']],
  ['q=claude.example.com', ['claude']],
  ['q=example.org', ['percent', 'plain']],
  [`q=${made.agent.client_id}`, ['agent']],
  [`q=${made.agent.client_id.slice(8).toLowerCase()}`, ['agent']],
  [`q=${encodeURIComponent('100%')}`, ['percent']],
  [`q=${encodeURIComponent('söze_')}`, ['percent']],
  [`q=${encodeURIComponent('SÖZE')}`, ['percent']],
  [`q=${encodeURIComponent('%%%')}`, []],
  [`q=${encodeURIComponent('_%_')}`, []],
  [`q=${encodeURIComponent('\\')}`, []],
  [`q=${encodeURIComponent("' or true --")}`, []],
  ['q=s:', ['claude', 'percent', 'plain']],
  [`q=${encodeURIComponent('desktop\nclaude').replace('%0A', '')}`, []],
  ['agent=true', ['agent']],
  ['agent=false', ['claude', 'percent', 'plain']],
  ['grant_type=client_credentials', ['agent']],
  ['grant_type=refresh_token', ['claude', 'percent', 'plain']],
  ['scope=reports/write', ['agent']],
  ['scope=reports', []],
  [`redirect_uri=${encodeURIComponent('https://tool.example.org/cb')}`, ['percent']],
  [`redirect_uri=${encodeURIComponent('https://TOOL.example.org/cb')}`, []],
  [`redirect_uri=${encodeURIComponent('https://tool.example.org/')}`, []],
  ['q=example&agent=true', []],
  ['q=example.org&status=active&source=admin&agent=false&scope=tools/read', []],
  ['source=cimd', []],
];
for (const [query, expected] of finds)
  test(`clients with ${decodeURIComponent(query)} are ${expected.join(', ') || 'none'}`, async () => {
    assert.deepEqual(await names(query), expected);
  });

test('unused clients are those that were neither used nor made since', async () => {
  await server.sql(`update clients set created_at = created_at - interval '100 days' where client_id = any($1)`, [
    [made.claude.client_id, made.percent.client_id],
  ]);
  await server.sql('update clients set last_used_at = now() where client_id = $1', [made.percent.client_id]);
  const ago = (days: number) => new Date(Date.now() - days * 24 * 3600_000).toISOString();
  assert.deepEqual(await names(`last_used_before=${ago(30)}`), ['claude']);
  assert.deepEqual(await names(`last_used_before=${ago(-1)}`), ['claude', 'percent', 'plain', 'agent']);
  assert.deepEqual(await names(`last_used_before=${ago(200)}`), []);
});

for (const query of [
  'name=x',
  'q=',
  'q=%20',
  'q=%00',
  `q=${'x'.repeat(257)}`,
  'agent=yes',
  'grant_type=password',
  'scope=a%20b',
  'last_used_before=30d',
  'last_used_before=2026-01-01',
  'status=gone',
  'cursor=abc',
  'limit=0',
  'limit=10001',
  'q=a&q=b',
])
  test(`clients?${query} is refused`, async () => {
    refused(await server.adminRequest('GET', `/admin/clients?${query}`), 'invalid_request');
  });

/** Follows the links of a list to its end. */
const walk = async (path: string): Promise<{ rows: { id: string }[]; totals: (string | null)[] }> => {
  const rows: { id: string }[] = [];
  const totals: (string | null)[] = [];
  for (let next: string | undefined = path; next; ) {
    const { status, body, headers } = await server.adminRequest('GET', next);
    assert.equal(status, 200, JSON.stringify(body));
    rows.push(...(body as unknown as { id: string }[]));
    assert.ok(rows.length < 200, 'the list goes in a circle');
    totals.push(headers.get('x-total-count'));
    next = /^<([^>]+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1];
  }
  return { rows, totals };
};

test('the pages of clients hold every client once, also where many were made in one microsecond', async () => {
  await server.sql(`
    insert into clients (client_id, client_name, grant_types, token_endpoint_auth_method, registration_source, created_at)
    select 'twin-' || n, 'Twin', '{authorization_code}', 'none', 'dcr', '2026-03-01 00:00:00.123456Z'::timestamptz
           + (n / 10) * interval '1 microsecond'
      from generate_series(1, 40) as n`);
  const { rows, totals } = await walk('/admin/clients?q=twin&limit=7');
  const expected = await server.sql<{ id: string }>(
    `select client_id as id from clients where client_name = 'Twin' order by created_at, client_id`,
  );
  assert.deepEqual(
    rows.map(({ id }) => id),
    expected.map(({ id }) => id),
  );
  assert.deepEqual(totals, ['40', ...new Array(5).fill(null)], 'counted on the first page');

  const byOffset = await server.adminRequest('GET', '/admin/clients?q=twin&limit=7&offset=35');
  assert.deepEqual(
    (byOffset.body as unknown as { id: string }[]).map(({ id }) => id),
    expected.slice(35).map(({ id }) => id),
  );
  assert.equal(byOffset.headers.get('x-total-count'), '40');
  assert.equal(byOffset.headers.get('link'), null);
  const beyond = await server.adminRequest('GET', '/admin/clients?q=twin&offset=41');
  assert.deepEqual([beyond.body, beyond.headers.get('x-total-count')], [[], '40']);
  const none = await server.adminRequest('GET', '/admin/clients?q=triplet');
  assert.deepEqual([none.body, none.headers.get('x-total-count')], [[], '0']);
});

test('clients that come and go between pages shift nothing', async () => {
  const seen: string[] = [];
  for await (const page of pages(admin.client.list, { query: { q: 'twin', limit: 10 } })) {
    seen.push(...page.map(({ id }) => id));
    if (seen.length === 10) {
      await server.sql('delete from clients where client_id = any($1)', [seen.slice(0, 3)]);
      await server.sql(`update clients set created_at = '2026-02-01Z' where client_id = $1`, [seen[5]]);
    }
  }
  assert.equal(seen.length, 40);
  assert.equal(new Set(seen).size, 40);
});

test('a client id may be a long address, and a page may end with it', async () => {
  const url = `https://client.example/${'x'.repeat(1900)}/päge two`;
  await server.sql(
    `insert into clients (client_id, client_name, grant_types, token_endpoint_auth_method, registration_source, created_at)
     values ($1, 'Document A', '{authorization_code}', 'none', 'cimd', '2020-01-01Z'),
            ('document-b', 'Document B', '{authorization_code}', 'none', 'cimd', '2020-01-02Z')`,
    [url],
  );
  const { rows } = await walk('/admin/clients?source=cimd&limit=1');
  assert.deepEqual(
    rows.map(({ id }) => id),
    [url, 'document-b'],
  );
});

test('a cursor of another list is at the end, and never an error of ours', async () => {
  for (const position of ['x', '0192a000-0000-7000-8000-000000000000', '2026-01-01T00:00:00.000000Z', '9999 x y'])
    for (const list of ['clients', 'users', 'resources', 'tokens', 'issuances', 'initial-access-tokens']) {
      const cursor = Buffer.from(`1 ${position}`).toString('base64url');
      const query = list === 'issuances' ? `client=x&cursor=${cursor}` : `cursor=${cursor}`;
      assert.equal((await server.adminRequest('GET', `/admin/${list}?${query}`)).status, 200, `${list} ${position}`);
    }
});

test('users are found by part of an address or a name, by status, role and provider', async () => {
  const ada = await admin.user.create({ body: { email: 'Ada.L@Example.COM', password, name: 'Ada Lovelace' } });
  const grace = await admin.user.create({
    body: { email: 'grace@navy.example', password, name: '客户 100%_sure', role: 'admin' },
  });
  await admin.user.disable({ id: ada.id });
  await server.sql(`insert into users (id, email, name, provider) values ($1, null, 'No Address', 'oidc')`, [
    '0192a000-0000-7000-8000-00000000000a',
  ]);
  const found = async (query: Record<string, string>) => (await admin.user.list({ query })).map(({ name }) => name);
  for (const [query, expected] of [
    [{ q: 'ada.l' }, ['Ada Lovelace']],
    [{ q: 'LOVELACE' }, ['Ada Lovelace']],
    [{ q: 'navy' }, ['客户 100%_sure']],
    [{ q: '客户' }, ['客户 100%_sure']],
    [{ q: '0%_s' }, ['客户 100%_sure']],
    [{ q: '%' }, ['客户 100%_sure']],
    [{ q: '_l' }, []],
    [{ q: 'address' }, ['No Address']],
    [{ email: 'ADA.l@example.com' }, ['Ada Lovelace']],
    [{ email: 'ada.l' }, []],
    [{ status: 'disabled' }, ['Ada Lovelace']],
    [{ role: 'admin' }, ['客户 100%_sure']],
    [{ provider: 'oidc' }, ['No Address']],
    [{ q: 'example', role: 'admin', status: 'active' }, ['客户 100%_sure']],
    [{ q: 'ada', status: 'active' }, []],
  ] as [Record<string, string>, string[]][])
    assert.deepEqual(await found(query), expected, JSON.stringify(query));
  for (const query of ['role=root', 'status=gone', 'q=', 'name=x', 'provider=', `q=${'x'.repeat(257)}`])
    refused(await server.adminRequest('GET', `/admin/users?${query}`), 'invalid_request');
  assert.equal(grace.role, 'admin');
});

test('resources have cursors too', async () => {
  for (let n = 0; n < 5; n += 1) await server.resource();
  const { rows, totals } = await walk('/admin/resources?limit=2');
  assert.equal(new Set(rows.map(({ id }) => id)).size, 5);
  assert.deepEqual(totals, ['5', null, null]);
  refused(await server.adminRequest('GET', '/admin/resources?slug=x&cursor=MSB4'), 'invalid_request');
});

test('the grants of a user come by pages, the latest first', async () => {
  const user = await server.user();
  const resources = [await server.resource(), await server.resource(), await server.resource()];
  const app = await server.client();
  for (const { uri } of resources) await app.authorize({ user, resource: uri, scope: 'tools/read' });
  const whole = await admin.grant.listUserGrants({ id: user.id });
  assert.deepEqual(
    whole.consent_grants.map(({ resource_id }) => resource_id),
    resources.map(({ id }) => id).reverse(),
  );
  const paged = [];
  for await (const page of pages(admin.grant.listUserGrants, { id: user.id, query: { limit: 2 } })) paged.push(page);
  assert.deepEqual(
    paged.map(({ consent_grants }) => consent_grants.length),
    [2, 1],
  );
  assert.deepEqual(
    paged.flatMap(({ consent_grants }) => consent_grants),
    whole.consent_grants,
  );
  assert.deepEqual((await admin.grant.listUserGrants({ id: crypto.randomUUID() })).consent_grants, []);
});

test('the pages of issuances hold every token once, from the moment of the first page', async () => {
  const place = await server.resource();
  const job = await server.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  for (let n = 0; n < 7; n += 1) ok(await job.clientCredentials({ resource: place.uri, scope: 'tools/read' }));
  const whole = await admin.issuance.list({ query: { client: job.clientId } });
  assert.equal(whole.count, 7);
  for (const filter of [
    { client: job.clientId },
    { resource: place.slug },
    { client: job.clientId, resource: place.id },
  ]) {
    const paged = [];
    for await (const page of pages(admin.issuance.list, { query: { ...filter, limit: 3 } })) paged.push(page);
    assert.deepEqual(
      paged.map(({ count }) => count),
      [3, 3, 1],
    );
    assert.deepEqual(
      paged.flatMap(({ issuances }) => issuances.map(({ id }) => id)),
      whole.issuances.map(({ id }) => id),
    );
    assert.equal(new Set(paged.map(({ since }) => since)).size, 1, 'the day that is looked back stays where it was');
  }
  // A cursor cannot look further back than a list may.
  const [last] = whole.issuances;
  const early = Buffer.from(`1 2000-01-01T00:00:00.000Z ${last?.id}`).toString('base64url');
  const answer = await server.adminRequest('GET', `/admin/issuances?client=${job.clientId}&cursor=${early}`);
  assert.ok(Date.parse(String(answer.body.since)) > Date.now() - 32 * 24 * 3600_000);
  assert.equal(answer.body.count, 6);
});

test('a token for several resources is found by each of them, once', async () => {
  const [one, two] = [await server.resource(), await server.resource()];
  const [id] = await server.sql<{ id: string }>(
    `insert into issuances (id, grant_type, client_id, subject, resource_id, resource, scopes, issued_at, expires_at, further_targets)
     values ((left(uuidv7_floor(now())::text, 14) || '7aaa-8aaa-aaaaaaaaaaaa')::uuid, 'authorization_code', $1, 'someone', $2, 'https://one.example/', '{}',
             now(), now() + interval '1 hour', $3) returning id`,
    [made.claude.client_id, one.id, JSON.stringify([{ resource_id: two.id, resource: 'https://two.example/' }])],
  );
  for (const resource of [one.slug, two.id])
    assert.deepEqual(
      (await admin.issuance.list({ query: { resource } })).issuances.map((issuance) => issuance.id),
      [id?.id],
    );
});
