/** Thousands of declarations in one transaction: how long it takes, how far it is, and who has to wait for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const count = 5000;
const clients = Array.from({ length: count }, (_, n) => ({
  client_id: `app-${n}`,
  client_name: `App ${n}`,
  redirect_uris: [`https://app-${n}.example.com/cb`, `https://app-${n}.example.com/other`],
  scope: 'tools/read tools/write',
  ...(n % 10 === 0 ? { token_endpoint_auth_method: 'client_secret_basic' } : {}),
}));

type Line = {
  progress?: { done: number; total: number };
  result?: Record<string, unknown>;
  problem?: Record<string, unknown>;
};

/** The lines of an answer as they come. */
const stream = async function* (path: string, body: unknown): AsyncGenerator<Line> {
  const response = await fetch(`${server.adminUrl}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${server.adminKey}`,
      'content-type': 'application/json',
      accept: 'application/x-ndjson',
    },
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200, response.headers.get('content-type') ?? '');
  assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
  const decoder = new TextDecoder();
  let begun = '';
  for await (const chunk of response.body ?? []) {
    const lines = (begun + decoder.decode(chunk, { stream: true })).split('\n');
    begun = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as Line;
  }
  assert.equal(begun, '');
};

test(`${count} clients are applied within 30 seconds, and whoever watches sees how far it is`, async () => {
  const other = await admin.client.create({
    body: { client_name: 'Other', redirect_uris: ['https://x.example.com/cb'] },
  });
  const seen: number[] = [];
  let result: Record<string, unknown> | undefined;
  let changedMeanwhile: Promise<unknown> | undefined;
  let doneWhenChanged = 0;
  const started = performance.now();
  for await (const line of stream('/admin/configuration/apply', { configuration: { clients } })) {
    assert.equal(line.problem, undefined);
    if (line.progress) {
      assert.equal(line.progress.total, count);
      seen.push(line.progress.done);
    }
    // The lock of the change feed is taken at the very end: others go on changing things.
    if (line.progress && line.progress.done > 100)
      changedMeanwhile ??= admin.client.update({ id: other.client_id, body: { client_name: 'Changed' } }).then(() => {
        doneWhenChanged = seen.at(-1) ?? 0;
      });
    if (line.result) result = line.result;
  }
  const seconds = (performance.now() - started) / 1000;
  assert.ok(seconds < 30, `${seconds} s`);
  await changedMeanwhile;
  assert.ok(doneWhenChanged < count, `another change waited until ${doneWhenChanged}`);
  assert.equal((result?.steps as unknown[] | undefined)?.length, count);
  assert.equal((result?.secrets as unknown[] | undefined)?.length, count / 10);
  assert.ok(seen.length > 20);
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  assert.equal(seen.at(-1), count);
  const [rows] = await server.sql(`select count(*) as n from clients where client_id like 'app-%'`);
  assert.equal(Number(rows?.n), count);
  const [events] = await server.sql(`select count(*) as n from audit_events where action = 'client.created_admin'`);
  assert.equal(Number(events?.n), count + 1);
});

test('applied again nothing is written, and a few that differ are found among them', async () => {
  const again = await admin.configuration.apply({ body: { configuration: { clients } } });
  assert.deepEqual([again.steps.length, again.unchanged], [0, count]);
  const changed = clients.map((client, n) => (n === 4321 ? { ...client, scope: 'tools/read' } : client));
  const { steps } = await admin.configuration.plan({ body: { configuration: { clients: changed } } });
  assert.deepEqual(
    steps.map(({ action, key }) => [action, key]),
    [['change', 'app-4321']],
  );
});

test('a failure after the work has begun is the last line, and leaves nothing', async () => {
  const { uri } = await server.resource();
  const configuration = {
    clients: [...clients, ...Array.from({ length: 60 }, (_, n) => ({ ...clients[0], client_id: `late-${n}` }))],
    resources: [{ slug: 'late', uri }],
  };
  const lines: Line[] = [];
  for await (const line of stream('/admin/configuration/apply', { configuration })) lines.push(line);
  const { problem } = lines.at(-1) as Line;
  assert.equal(problem?.status, 409);
  assert.match(String(problem?.detail), /^resource late: /);
  assert.equal(lines.filter((line) => line.problem ?? line.result).length, 1);
  const [rows] = await server.sql(`select count(*) as n from clients where client_id like 'late-%'`);
  assert.equal(Number(rows?.n), 0);
});
