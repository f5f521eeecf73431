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
import { catalogue, createLogger, createMetrics, type MetricSpec, openOtelMetrics } from '@authserver/telemetry';
import { startAuthServer } from '../support/auth-server.ts';
import { manyAddresses, person } from '../support/device.ts';
import { localFetch, startMetadataHost } from '../support/metadata-host.ts';
import { type MetricKey, metricDeeds, until } from '../support/metric-deeds.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { findProgram, inCi } from '../support/programs.ts';
import { root } from '../support/source-files.ts';
import { signIn } from '../support/test-app.ts';

type Key = MetricKey;

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

const deeds = metricDeeds({ server, host, user, resource, app, job, sumOf });

/** Gauges that say how things are. */
const standing: readonly Key[] = [
  'buildInfo',
  'dbConnections',
  'dbConnectionsMax',
  'changeChannelUp',
  'partitionsUntil',
  'purgeLag',
  'purgeLastDuration',
];

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

/** What the end of a process loses; moved by the last test, since a pod ends. */
const last: readonly Key[] = ['auditEventsDropped'];

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
    const logger = createLogger({ level: 'error', stdout: true });
    for (const [at, { metrics }] of planes().entries()) {
      const settings = { provider: 'both', otel_endpoint: receiver[way], insecure: true } as const;
      let shown = await metrics.whole();
      const read = async () => {
        shown = structuredClone(await metrics.whole()); // what it holds goes on counting
        return shown;
      };
      const sender = await openOtelMetrics(settings, {
        instanceId: `process ${at}`,
        logger,
        read,
        onDropped: () => {},
      });
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
