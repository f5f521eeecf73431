/**
 * Every metric of the catalogue is moved by what it says it counts: here, or in the test that is named. Two token pods and a
 * control plane; what they count is added up, and is the same in Prometheus text and at a collector.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { exposePool, watchGathering } from '@authserver/boot';
import { gather, openDatabase } from '@authserver/store';
import {
  type Catalogue,
  catalogue,
  createLogger,
  createMetrics,
  type MetricSpec,
  openOtelMetrics,
} from '@authserver/telemetry';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { devicesOf, manyAddresses, person } from '../support/device.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { localFetch, startMetadataHost } from '../support/metadata-host.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { findProgram, inCi } from '../support/programs.ts';
import { root } from '../support/source-files.ts';
import { denied, ok, read, signIn, TestApp } from '../support/test-app.ts';

type Key = keyof Catalogue;

const server = await startAuthServer({
  pods: 2,
  admin: true,
  adminEnv: { PURGE_INTERVAL: '1s' },
  env: {
    ...localFetch,
    ...manyAddresses,
    RATE_LIMIT_AUTH_FAIL_MAX: '3',
    DCR_RATE_LIMIT: '1',
    DCR_RATE_LIMIT_BURST: '1',
  },
});
const host = await startMetadataHost();
const user = await server.user();
const resource = await server.resource();
const wish = { user, resource: resource.uri, scope: 'tools/read' };
const app = await server.client();
const job = await server.client({
  authMethod: 'client_secret_basic',
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read'],
});
const planes = () => [...server.pods, ...server.admins];

/** The sum over all processes; of a histogram how often something was observed. */
const sumOf = async (key: Key): Promise<number> => {
  const { name, type } = catalogue[key] as MetricSpec;
  const sample = type === 'histogram' ? `${name}_count` : name;
  const texts = await Promise.all(planes().map(async ({ metrics }) => (await metrics.render()).body));
  return texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.split(/[ {]/, 1)[0] === sample)
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
};

/** What is done, and the metrics that move by it. */
const deeds: { what: string; does: () => Promise<unknown>; moves: readonly Key[] }[] = [
  {
    what: 'a code flow and a refresh',
    async does() {
      const { refresh_token } = await app.authorize(wish);
      ok(await app.refresh(refresh_token, {}, 1));
    },
    moves: [
      ...([
        'authFlowDuration',
        'loginAttempts',
        'consentDecisions',
        'tokensIssued',
        'tokensRefreshed',
        'activeFamilies',
      ] as const),
      ...(['issuanceDuration', 'httpRequests', 'httpDuration', 'dbDuration', 'groupCommitSize'] as const),
    ],
  },
  {
    what: 'a machine token, read and revoked',
    async does() {
      const { access_token } = ok(await job.clientCredentials({ resource: resource.uri }));
      assert.equal(ok(await job.introspect(access_token, 1)).active, true);
      assert.equal((await job.revoke(access_token)).status, 200);
      denied(await job.clientCredentials({ scope: 'not/allowed' }), 'invalid_scope');
    },
    moves: [
      ...(['clientCredentialsIssued', 'clientCredentialsDenied', 'introspections', 'introspectionDuration'] as const),
      ...(['tokensRevoked', 'authDenied'] as const),
    ],
  },
  {
    what: 'a refresh token and a code presented again',
    async does() {
      const grant = await app.code(wish);
      const { refresh_token } = ok(await app.redeem(grant));
      ok(await app.refresh(refresh_token));
      server.clock.advance(120);
      denied(await app.refresh(refresh_token, {}, 1), 'invalid_grant');
      denied(await app.redeem(grant), 'invalid_grant');
    },
    moves: ['refreshReuse', 'codeReuse', 'tokensRevoked'],
  },
  {
    what: 'a refresh token presented again while its family cannot be revoked',
    async does() {
      const { refresh_token } = await app.authorize(wish);
      ok(await app.refresh(refresh_token));
      server.clock.advance(120);
      await server.sql('alter table token_families add constraint no_more check (revoked_at is null) not valid');
      assert.equal((await app.refresh(refresh_token)).status, 500);
      await server.sql('alter table token_families drop constraint no_more');
    },
    moves: ['revocationFailures'],
  },
  {
    what: 'a proof of possession, good and bad',
    async does() {
      const proof = await (await DpopKey.create(server)).header();
      ok(await job.clientCredentials({}, 0, proof));
      assert.equal((await job.clientCredentials({}, 1, proof)).status, 400);
    },
    moves: ['dpopValidated', 'dpopRejected'],
  },
  {
    what: 'a device that is allowed',
    does: async () => (await devicesOf(server)()).allowed(user, { resource: resource.uri }),
    moves: ['deviceRequests'],
  },
  {
    what: 'wrong passwords until the account is locked',
    async does() {
      const victim = await server.user();
      const browser = person();
      for (let n = 0; n < 5; n += 1) {
        const page = await browser.get(`${server.issuer}/login`);
        await signIn(browser, page, { ...victim, password: 'wrong' });
      }
    },
    moves: ['loginAttempts', 'loginLockouts'],
  },
  {
    what: 'a client that is a document, one whose document is not there, and one that registers itself too often',
    async does() {
      const at = (clientId: string) =>
        new TestApp([server.issuer], {
          clientId,
          clientSecret: undefined,
          authMethod: 'none',
          redirectUris: ['https://a.example/cb'],
        });
      const good = host.publish('/good.json', (client_id) => ({
        client_id,
        client_name: 'Document App',
        redirect_uris: ['https://a.example/cb'],
      }));
      await at(good).authorize(wish);
      await Promise.all([1, 2, 3].map(() => at(good.replace('good', 'bad')).start()));
      for (let n = 0; n < 3; n += 1)
        await read(
          await fetch(`${server.issuer}/oauth/register`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ redirect_uris: ['https://a.example/cb'] }),
          }),
        );
    },
    moves: ['clientsRegistered', 'cimdFetchDuration', 'cimdFetchSuppressed', 'outboundRequests', 'rateLimited'],
  },
  {
    what: 'more failures of one address than the flight recorder keeps',
    async does() {
      const browser = new TestBrowser({ 'x-forwarded-for': '203.0.113.9' });
      for (let n = 0; n < 80; n += 1) await app.start({ redirect_uri: `https://evil-${n}.example/` }, browser);
    },
    moves: ['traceEventsDropped'],
  },
  {
    what: 'what an operator changes',
    async does() {
      await server.admin.client.create({
        body: { client_name: 'Made by an operator', redirect_uris: ['https://app.example.com/cb'] },
      });
      const slug = 'operated';
      const made = await server.adminRequest('POST', '/admin/resources', {
        ...{ slug, uri: 'https://operated.example.com/mcp', display_name: slug, backend_kind: 'mint' },
        scopes: [{ name: 'tools/read' }],
      });
      assert.equal(made.status, 201, JSON.stringify(made.body));
      await server.adminRequest('POST', `/admin/resources/${made.body.id}/policy/exchange/allowed-clients`, {
        client_id: job.clientId,
      });
      await server.adminRequest('POST', '/admin/idps', {
        ...{ issuer: 'https://idp.example.com', audience: server.issuer },
        jwks_uri: 'https://idp.example.com/jwks.json',
      });
      assert.equal((await server.adminRequest('POST', '/admin/keys/rotate?force=true')).status, 200);
    },
    moves: [
      ...(['clientsRegistered', 'activeClients', 'resourceServerOps', 'xaaIdpOperations', 'keyRotations'] as const),
      ...(['keyReloadDuration', 'changePropagation', 'changeFeedReads', 'changeFeedVersion'] as const),
    ],
  },
  {
    what: 'rows that are over, which can be deleted and then cannot',
    async does() {
      const expired = () =>
        server.sql(
          `insert into browser_sessions (id_hash, user_id, user_epoch, auth_time, expires_at)
           values (sha256(gen_random_uuid()::text::bytea), $1, 1, $2, $2)`,
          [user.id, new Date(server.clock.now().getTime() - 86_400_000)],
        );
      await expired();
      await until('it is deleted', async () => (await sumOf('purgeDeleted')) > 0);
      await server.sql(`create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$`);
      await server.sql(
        'create trigger refuse before delete on browser_sessions for each row execute function refuse()',
      );
      await expired();
      await until('it is not', async () => (await sumOf('purgeFailures')) > 0);
      await server.sql('drop trigger refuse on browser_sessions');
    },
    moves: ['purgeDeleted', 'purgeFailures', 'purgeLastSuccess', 'purgeLastDuration'],
  },
  {
    what: 'some time that goes by',
    does: () => new Promise((resolve) => setTimeout(resolve, 600)),
    moves: ['eventLoopActive', 'eventLoopIdle', 'eventLoopDelay', 'changeFeedLastRead'],
  },
];

/** Gauges that say how things are. */
const standing: readonly Key[] = [
  'buildInfo',
  'dbConnections',
  'dbConnectionsMax',
  'changeChannelUp',
  'partitionsUntil',
  'purgeLag',
];

const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
  for (let wait = 0; !(await holds()); wait += 1) {
    assert.ok(wait < 250, what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

for (const { what, does, moves } of deeds)
  test(`${what}: ${moves.map((key) => catalogue[key].name).join(' ')}`, async () => {
    const before = new Map<Key, number>();
    for (const key of moves) before.set(key, await sumOf(key));
    await does();
    for (const key of moves)
      await until(`${catalogue[key].name} moves`, async () => (await sumOf(key)) > (before.get(key) ?? 0));
  });

/** Pools and queues are full for moments only, so these are made to be: their own registry, the same code. */
const crowded: readonly Key[] = ['dbWaiting', 'groupCommitWaiting', 'groupCommitRefused'];
test(`more requests than there are connections and places: ${crowded.map((key) => catalogue[key].name).join(' ')}`, async () => {
  const metrics = createMetrics();
  const pool = openDatabase({ dsn: server.dsn, maxConnections: 1, applicationName: 'authserver test' });
  after(() => pool.end());
  exposePool(metrics, 'token', pool);
  const limits = { queue: 2, batch: 1, inFlight: 1 };
  const ask = gather(
    async (items: readonly number[]) => {
      await pool.query('test_sleep', 'select pg_sleep(0.1)');
      return items;
    },
    limits,
    watchGathering(metrics)('code_find'),
  );
  const asked = [ask(1), ask(2), ask(3)];
  const queries = [1, 2].map((n) => pool.query(`test_sleep_${n}`, 'select pg_sleep(0.2)'));
  const { body } = await metrics.render();
  assert.match(body, /^authserver_group_commit_waiting\{operation="code_find"\} 2$/m);
  assert.match(body, /^authserver_group_commit_refused_total\{operation="code_find"\} 1$/m);
  assert.match(body, /^authserver_db_pool_waiting\{pool="token"\} [12]$/m);
  const refused = await Promise.allSettled([...asked, ...queries]);
  assert.deepEqual(
    refused.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
});

test('what is not moved here is asked for by name in another test, or is planned', () => {
  const here = new Set<Key>([...deeds.flatMap(({ moves }) => moves), ...standing, ...crowded, ...last]);
  const directories = ['test/features', 'packages/boot/src'];
  const others = directories.flatMap((directory) =>
    readdirSync(join(root, directory))
      .filter((file) => file.endsWith('.test.ts') && !file.startsWith('metrics-'))
      .map((file) => readFileSync(join(root, directory, file), 'utf8')),
  );
  const unmoved = (Object.entries(catalogue) as [Key, MetricSpec][])
    .filter(([key, { name, planned }]) => !planned && !here.has(key) && !others.some((text) => text.includes(name)))
    .map(([, { name }]) => name);
  assert.deepEqual(unmoved, []);
  const doubtful = [...here].filter((key) => (catalogue[key] as MetricSpec).planned);
  assert.deepEqual(doubtful, [], 'moved, and said to be planned');
});

test('gauges that stand have a series', async () => {
  const texts = await Promise.all(planes().map(async ({ metrics }) => (await metrics.render()).body));
  for (const key of standing)
    assert.ok(
      texts.some((text) => new RegExp(`^${catalogue[key].name}[ {]`, 'm').test(text)),
      key,
    );
});

const collectors = ['grpc', 'http'] as const;
for (const way of collectors)
  test(`a collector is sent every series over ${way}, with the values Prometheus is shown`, async () => {
    const receiver = await startOtlpReceiver();
    const logger = createLogger({ level: 'error', format: 'json', stdout: true });
    for (const [at, { metrics }] of planes().entries()) {
      const settings = { provider: 'both', otel_endpoint: receiver[way], insecure: true } as const;
      let shown = await metrics.whole();
      const read = async () => {
        shown = structuredClone(await metrics.whole()); // what it holds goes on counting
        return shown;
      };
      const sender = await openOtelMetrics(settings, { instanceId: `process ${at}`, logger, read });
      await sender?.stop(5_000);
      const points = receiver.metrics().filter((point) => point.resource['service.instance.id'] === `process ${at}`);
      const value = (name: string, labels: object) =>
        points.find((point) => point.name === name && sameLabels(point.attributes, labels));
      for (const { name, type, values } of shown)
        for (const { labels, value: expected, ...rest } of values) {
          const { le, ...others } = labels as Record<string, string>;
          const { metricName } = rest as { metricName?: string };
          if (le !== undefined || metricName?.endsWith('_sum')) continue;
          assert.equal(value(name, others)?.value, expected, `${name} ${JSON.stringify(labels)}`);
          assert.equal(value(name, others)?.type, { counter: 'sum', gauge: 'gauge' }[String(type)] ?? 'histogram');
        }
      for (const { name } of Object.values<MetricSpec>(catalogue))
        assert.ok(
          shown.some((metric) => metric.name === name),
          name,
        );
    }
    await receiver.close();
  });
const sameLabels = (one: object, other: object): boolean => {
  const text = (labels: object) =>
    JSON.stringify(
      Object.entries(labels)
        .map(([key, value]) => [key, String(value)])
        .sort(),
    );
  return text(one) === text(other);
};

const promtool = await findProgram(['promtool'], ['prometheus']);
const missing = promtool === undefined && !inCi && 'promtool is not installed';
test('promtool takes the page of each process', { skip: missing }, async () => {
  assert.ok(promtool, 'promtool could not be installed');
  for (const { metrics } of planes()) {
    const { body } = await metrics.render();
    const ours = body
      .split('\n\n')
      .filter((family) => / auth(server|plane)_/.test(family))
      .join('\n');
    const said = await new Promise<string>((resolve) => {
      const child = execFile(promtool, ['check', 'metrics'], (_error, stdout, stderr) => resolve(stdout + stderr));
      child.stdin?.end(`${ours}\n`);
    });
    assert.equal(said, '');
  }
});

test('two token pods and a control plane: their sums are exact', async () => {
  const before = await sumOf('clientCredentialsIssued');
  const requests = await sumOf('httpRequests');
  await Promise.all(Array.from({ length: 31 }, (_, n) => job.clientCredentials({}, n % 2)));
  for (let n = 0; n < 7; n += 1) await server.adminRequest('GET', '/admin/clients');
  assert.equal((await sumOf('clientCredentialsIssued')) - before, 31);
  await until('every answer is counted once', async () => (await sumOf('httpRequests')) - requests === 38);
});

/** What the end of a process loses; the last test, since a pod ends. */
const last: readonly Key[] = ['auditEventsDropped'];
test(`events that were counted and cannot be written: ${catalogue.auditEventsDropped.name}`, async () => {
  const before = await sumOf('auditEventsDropped');
  const browser = person();
  const victim = await server.user();
  for (let n = 0; n < 2; n += 1) {
    const page = await browser.get(`${server.pods[1]?.url}/login`);
    await signIn(browser, page, { ...victim, password: 'wrong' });
  }
  await server.sql('alter table audit_events add constraint no_more check (false) not valid');
  await server.stopPod(1);
  await server.sql('alter table audit_events drop constraint no_more');
  assert.ok((await sumOf('auditEventsDropped')) > before);
});
