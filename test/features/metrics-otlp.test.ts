/**
 * Metrics as a collector receives them and as Prometheus finds them: two token pods and a control plane, processes of their
 * own. One token pod sends over HTTP, the others over gRPC.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createDatabase } from '../support/database.ts';
import { type ReceivedPoint, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { emptyDirectory, freePorts } from '../support/server-process.ts';
import { type StartedServer, startServer } from '../support/started-server.ts';
import { TestApp } from '../support/test-app.ts';

const receiver = await startOtlpReceiver();
after(() => receiver.close());
const { dsn, drop } = await createDatabase();
after(drop);
const directory = await emptyDirectory();
const [first = 0, second = 0, admin = 0] = await freePorts(3);

const start = async (role: 'token' | 'admin', token: number, more: Record<string, string> = {}) =>
  startServer({
    ...{ role, directory, by: 'service', ports: { token, admin, internal: (await freePorts(1))[0] ?? 0 } },
    env: {
      SERVER_ISSUER: `http://localhost:${first}`,
      STORAGE_DRIVER: 'postgres',
      STORAGE_POSTGRES_DSN: dsn,
      SERVER_SHUTDOWN_WAIT: '3s',
      METRICS_PROVIDER: 'both',
      METRICS_OTEL_ENDPOINT: receiver.grpc,
      METRICS_INSECURE: 'true',
      ...more,
    },
  });
const resource = 'https://mcp.example.com/mcp';
const adminPlane = await start('admin', 0);
const pods = await Promise.all([
  start('token', first),
  start('token', second, { METRICS_OTEL_ENDPOINT: receiver.http, METRICS_PATH: '/of/this/pod' }),
]);
await adminPlane.resource({ slug: 'mcp', uri: resource });
const registered = await adminPlane.client({ grantTypes: ['client_credentials'], scope: 'tools/read' });
const machine = new TestApp([`http://localhost:${first}`, `http://localhost:${second}`], registered);

/** The series of a process as Prometheus would have them, `_bucket` and the like apart. */
const scraped = async (url: string): Promise<Map<string, number>> => {
  const text = await (await fetch(url)).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      const [, name = '', labels = ''] = /^([a-z_:0-9]+)(?:\{(.*)\})?$/.exec(line.slice(0, at)) ?? [];
      return [seriesOf(name, Object.fromEntries(readLabels(labels))), Number(line.slice(at + 1))];
    }),
  );
};
const readLabels = (text: string) =>
  [...text.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name as string, value as string]);
const seriesOf = (name: string, labels: Record<string, unknown>): string =>
  `${name} ${JSON.stringify(
    Object.entries(labels)
      .map(([key, value]) => [key, String(value)])
      .sort(),
  )}`;

/** The same of what was sent: a histogram becomes the lines it has in Prometheus text. */
const sentBy = (points: readonly ReceivedPoint[]): Map<string, number> =>
  new Map(
    points.flatMap(({ name, attributes, value, histogram }): [string, number][] => {
      if (!histogram) return [[seriesOf(name, attributes), value]];
      const { bounds, counts, count, sum } = histogram;
      let below = 0;
      return [
        ...counts.map((inBucket, at): [string, number] => {
          below += inBucket;
          return [seriesOf(`${name}_bucket`, { ...attributes, le: bounds[at] ?? '+Inf' }), below];
        }),
        [seriesOf(`${name}_sum`, attributes), sum],
        [seriesOf(`${name}_count`, attributes), count],
      ];
    }),
  );

/** What goes on without anybody asking for anything, and the scrape itself. */
const moves =
  /^(process_|nodejs_|authserver_(event_loop|db_|change_feed_|group_commit_size)|authserver_http_.*"(\/metrics|\/of\/this\/pod)")/;
const differences = (one: Map<string, number>, other: Map<string, number>): string[] =>
  [...new Set([...one.keys(), ...other.keys()])]
    .filter((series) => !moves.test(series) && one.get(series) !== other.get(series))
    .map((series) => `${series}: ${one.get(series)} and ${other.get(series)}`);

const urls = (): [StartedServer, string][] => [
  [pods[0], `${pods[0].internalUrl}/metrics`],
  [pods[1], `${pods[1].internalUrl}/of/this/pod`],
  [adminPlane, `${adminPlane.adminUrl}/metrics`],
];
const issued = seriesOf('authserver_tokens_issued_total', { grant_type: 'client_credentials' });

test('both ways tell the same of every process, and the sums over pods are exact', async () => {
  for (let wait = 0; (await machine.clientCredentials({ resource }, 1)).status !== 200; wait += 1) {
    assert.ok(wait < 100, 'the pod learns of the client');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (let round = 0; round < 5; round += 1)
    await Promise.all(Array.from({ length: 7 }, (_, n) => machine.clientCredentials({ resource }, n % 2)));
  await machine.clientCredentials({ resource: 'https://nowhere.example.com' }, 0);
  const shown = await Promise.all(urls().map(([, url]) => scraped(url)));
  assert.equal(
    shown.reduce((sum, series) => sum + (series.get(issued) ?? 0), 0),
    36,
  );

  assert.deepEqual(
    await Promise.all([...pods, adminPlane].map((server) => server.stop())),
    Array.from({ length: 3 }, () => ({ code: 0, signal: null })),
  );
  const sent = Map.groupBy(receiver.metrics(), ({ resource: of }) => String(of['service.instance.id']));
  assert.equal(sent.size, 3, 'the last values leave when a process ends');
  for (const points of sent.values()) {
    assert.equal(points[0]?.resource['service.name'], 'authserver');
    assert.ok(points.every(({ type, cumulative }) => type === 'gauge' || cumulative));
  }
  const received = [...sent.values()].map(sentBy);
  assert.equal(
    received.reduce((sum, series) => sum + (series.get(issued) ?? 0), 0),
    36,
  );
  for (const series of shown) {
    const nearest = received.map((other) => differences(series, other)).toSorted((a, b) => a.length - b.length)[0];
    assert.deepEqual(nearest, []);
  }
});

const alone = (more: Record<string, string>, port: number) =>
  start('token', port, { SERVER_ISSUER: `http://localhost:${port}`, ...more });
const status = async (url: string) => (await fetch(url)).status;

test('otel shows nothing to Prometheus, and none sends nothing either', async () => {
  const [one = 0, other = 0] = await freePorts(2);
  const servers = await Promise.all([
    alone({ METRICS_PROVIDER: 'otel' }, one),
    alone({ METRICS_PROVIDER: 'none' }, other),
  ]);
  for (const { internalUrl } of servers) {
    assert.equal(await status(`${internalUrl}/livez`), 200);
    assert.equal(await status(`${internalUrl}/metrics`), 404);
  }
  const before = receiver.messages('metrics');
  await Promise.all(servers.map((server) => server.stop()));
  assert.equal(receiver.messages('metrics'), before + 1);
});

test('a collector that is not there or does not answer delays neither a request nor the end, and is named once', async () => {
  const [one = 0, other = 0, nobody = 0] = await freePorts(3);
  receiver.hang(true);
  const servers = await Promise.all([
    alone({ METRICS_OTEL_ENDPOINT: `127.0.0.1:${nobody}` }, one),
    alone({ METRICS_OTEL_ENDPOINT: receiver.http }, other),
  ]);
  await Promise.all(
    servers.map(async (server) => {
      await Promise.all(Array.from({ length: 20 }, () => status(`${server.issuer}/.well-known/jwks.json`)));
      const asked = performance.now();
      assert.deepEqual(await server.stop(), { code: 0, signal: null });
      const seconds = (performance.now() - asked) / 1000;
      assert.ok(seconds < 3 + 2, `it took ${seconds} s to end, and shutdown_wait is 3 s`);
    }),
  );
  receiver.hang(false);
  const said = servers.map((server) => server.process.stdout().match(/OTLP is not accepted/g)?.length ?? 0);
  assert.ok(said[0] === 1 && said[1] !== undefined && said[1] <= 1, `${said}`);
});
