import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';

const server = await startAuthServer({ admin: true });
const directory = await mkdtemp(join(tmpdir(), 'audit-export-'));
after(() => rm(directory, { recursive: true, force: true }));
const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };

/** A day of its own for each test, long ago. */
let days = 0;
const newDay = () => {
  days += 1;
  return new Date(Date.UTC(2020, 0, days)).toISOString().slice(0, 10);
};
const spanOf = (day: string) => ({ since: `${day}T00:00:00Z`, until: `${day}T23:59:59.999Z` });

const eventsOf = (day: string, count: number) =>
  server.store.auditEvents.insertMany(
    Array.from({ length: count }, (_, n) => ({
      action: 'client.updated' as const,
      actorId: 'ops-key',
      clientId: `client ${n}`,
      ip: '203.0.113.7',
      userAgent: 'curl/8',
      requestId: `request-${n}`,
      details: { zeta: n, a: [true, null, 'ü "\\\u2028'], before: { name: 'A' }, after: { name: 'B' } },
      at: new Date(Date.parse(`${day}T08:00:00.000Z`) + n),
    })),
  );

type Line = Awaited<ReturnType<typeof exported>>[number];
const exported = async (query: Record<string, string>) => {
  const lines = [];
  for await (const line of await server.admin.audit.export({ query })) lines.push(line);
  return lines;
};

/** How many batches the server has read for exports. */
const reads = async (): Promise<number> => {
  const metrics = await (await fetch(`${server.adminUrl}/metrics`)).text();
  return Number(
    /^authserver_db_operation_duration_seconds_count\{.*operation="audit_list_chained".*\} (\d+)$/m.exec(
      metrics,
    )?.[1] ?? 0,
  );
};

/** Many events at once, beside the chain. */
const manyEventsOf = async (day: string, count: number) => {
  await server.sql('alter table audit_events disable trigger audit_events_are_chained');
  for (let from = 1; from <= count; from += 5000)
    await server.sql(
      `insert into audit_events (id, at, action, actor_id, details)
     select overlay(overlay(gen_random_uuid()::text placing left(uuidv7_floor(at)::text, 14) from 1 for 14) placing '7' from 15 for 1)::uuid,
            at, 'user.login', gen_random_uuid(), jsonb_build_object('n', n, 'padding', repeat('x', 200))
       from (select n, $1::timestamptz + n * interval '1 millisecond' as at from generate_series($2::int, $3::int) n) as t`,
      [`${day}T06:00:00Z`, from, Math.min(from + 4999, count)],
    );
  await server.sql('alter table audit_events enable trigger audit_events_are_chained');
};

test('the export is a line of JSON for each event of the time, oldest first, with its place in the chain', async () => {
  const day = newDay();
  await eventsOf(day, 1203);
  const { status, headers } = await server.adminRequest('HEAD', '/admin/audit/export');
  assert.equal(status, 200);
  assert.equal(headers.get('content-type'), 'application/x-ndjson');

  const response = await fetch(`${server.adminUrl}/admin/audit/export?${new URLSearchParams(spanOf(day))}`, {
    headers: { authorization: `Bearer ${server.adminKey}` },
  });
  assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
  const text = await response.text();
  assert.ok(text.endsWith('\n'));
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  assert.equal(lines.length, 1203);
  assert.deepEqual(
    lines.map(({ position }) => position),
    lines.map((_, index) => index + 1),
  );
  const { id, hash, ...first } = lines[0] as Line;
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.match(String(hash), /^[0-9a-f]{64}$/);
  assert.deepEqual(first, {
    v: 1,
    at: `${day}T08:00:00.000000Z`,
    action: 'client.updated',
    actor_id: 'ops-key',
    client_id: 'client 0',
    ip: '203.0.113.7',
    user_agent: 'curl/8',
    request_id: 'request-0',
    trace_id: null,
    details: { zeta: 0, a: [true, null, 'ü "\\\u2028'], before: { name: 'A' }, after: { name: 'B' } },
    day,
    position: 1,
  });
  assert.equal((await exported({ ...spanOf(day), until: `${day}T08:00:00.100Z` })).length, 100, '`until` is exclusive');
});

/** JSON as the hash has it: members by length and then by their bytes, a space after each comma and colon. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(
    ([a], [b]) => Buffer.byteLength(a) - Buffer.byteLength(b) || Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}: ${canonical(member)}`).join(', ')}}`;
};

test('whoever keeps the lines can make the hashes, without this server', async () => {
  const day = newDay();
  await eventsOf(day, 50);
  const lines = await exported(spanOf(day));
  for (const [index, line] of lines.entries()) {
    const before = lines[index - 1];
    if (!before) continue;
    const said = [
      ...[line.v, line.id, line.at, line.action, line.actor_id, line.client_id, line.ip],
      ...[line.user_agent, line.request_id, line.trace_id, line.details],
    ];
    const hash = createHash('sha256')
      .update(Buffer.from(String(before.hash), 'hex'))
      .update(canonical(said))
      .digest('hex');
    assert.equal(line.hash, hash, `position ${line.position}`);
  }
});

test('events that are older than the chain are exported without a place', async () => {
  const day = newDay();
  await manyEventsOf(day, 3);
  const lines = await exported(spanOf(day));
  assert.deepEqual(
    lines.map(({ day, position, hash }) => [day, position, hash]),
    Array(3).fill([null, null, null]),
  );
});

test('fifty thousand events need no more memory than a few, and an export that nobody reads waits', async () => {
  const day = newDay();
  await manyEventsOf(day, 50_000);
  const url = new URL(`${server.adminUrl}/admin/audit/export?${new URLSearchParams(spanOf(day))}`);
  const first = await reads();
  const answer = await new Promise<import('node:http').IncomingMessage>((resolve, reject) =>
    request(url, { headers: { authorization: `Bearer ${server.adminKey}` } }, resolve)
      .on('error', reject)
      .end(),
  );
  // It is read until the buffers on the way are full, and then not.
  let before = -1;
  await soon(
    'the export waits',
    async () => {
      const now = await reads();
      const waits = now === before;
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return waits;
    },
    20_000,
  );
  assert.ok(before - first < 90, `${before - first} of 100 batches were read for nobody`);

  const start = process.memoryUsage().rss;
  let most = 0;
  let lines = 0;
  for await (const chunk of answer) {
    for (const byte of chunk as Buffer) if (byte === 10) lines += 1;
    most = Math.max(most, process.memoryUsage().rss - start);
  }
  assert.equal(lines, 50_000);
  assert.ok(most < 120_000_000, `${most} bytes more`); // 25 MB of lines, held by nobody
});

test('whoever goes away ends the reading', async () => {
  const day = newDay();
  await manyEventsOf(day, 20_000);
  const before = await reads();
  const abort = new AbortController();
  const response = await fetch(`${server.adminUrl}/admin/audit/export?${new URLSearchParams(spanOf(day))}`, {
    headers: { authorization: `Bearer ${server.adminKey}` },
    signal: abort.signal,
  });
  await response.body?.getReader().read();
  abort.abort();
  let last = -1;
  await soon(
    'no more reading',
    async () => {
      const now = await reads();
      const still = now === last;
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return still;
    },
    20_000,
  );
  assert.ok(last - before < 40, `${last - before} of 40 batches`);
});

test('an export that fails half way is a broken connection, not a short export', async () => {
  const day = newDay();
  await manyEventsOf(day, 50_000);
  const response = await fetch(`${server.adminUrl}/admin/audit/export?${new URLSearchParams(spanOf(day))}`, {
    headers: { authorization: `Bearer ${server.adminKey}` },
  });
  assert.equal(response.status, 200);
  await server.sql('alter table audit_chain rename to away');
  try {
    await assert.rejects(response.text(), /terminated/);
  } finally {
    await server.sql('alter table away rename to audit_chain');
  }
});

test('what is asked for wrongly is a problem, and no half an export', async () => {
  for (const query of ['since=7d', 'since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z', 'limit=3']) {
    const { status, body } = await server.adminRequest('GET', `/admin/audit/export?${query}`);
    assert.equal(status, 400, query);
    assert.equal(body.code, 'invalid_request');
  }
  const { status } = await server.adminRequest('GET', '/admin/audit/export', undefined, { authorization: undefined });
  assert.equal(status, 401);
});

test('the command writes lines to standard output or to a file of its owner, over HTTP and in process', async () => {
  const day = newDay();
  await eventsOf(day, 700);
  const { since, until } = spanOf(day);
  const span = ['--since', since, '--until', until];
  const piped = await runCli(['admin', 'audit', 'export', ...span], { env });
  assert.deepEqual([piped.code, piped.stderr], [0, ''], piped.stderr);
  const expected = await exported(spanOf(day));
  assert.deepEqual(
    piped.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    expected,
  );

  const file = join(directory, 'audit.ndjson');
  const config = await server.configFile();
  const written = await runCli(['admin', 'audit', 'export', ...span, '--to', file, '--config', config]);
  assert.deepEqual([written.code, written.stdout], [0, `exported: events=700 file=${file}\n`], written.stderr);
  assert.equal(await readFile(file, 'utf8'), piped.stdout);
  assert.equal((await stat(file)).mode & 0o777, 0o600);

  const again = await runCli(['admin', 'audit', 'export', ...span, '--to', file], { env });
  assert.match(failedWith(again, 5), /is there already/);
});

test('the command verifies, says what is wrong, and ends with 1 then', async () => {
  const day = newDay();
  await eventsOf(day, 3);
  const good = await runCli(['admin', 'audit', 'verify', '--since', day, '--until', day], { env });
  assert.equal(good.code, 0, good.stderr);
  const head = /^day=(\S+) status=ok events=3 head=([0-9a-f]{64})\n$/.exec(good.stdout);
  assert.equal(head?.[1], day, good.stdout);

  const expect = (hash: string) => ['--expect', `${day}=${hash}`];
  const words = ['admin', 'audit', 'verify', '--since', day, '--until', day];
  const config = await server.configFile();
  assert.equal((await runCli([...words, ...expect(String(head?.[2])), '--config', config])).code, 0);
  const other = await runCli([...words, ...expect('0'.repeat(64)), '--json'], { env });
  assert.equal(other.code, 1);
  assert.equal(JSON.parse(other.stdout).days[0].problem.kind, 'head_unexpected');

  await server.sql(
    `update audit_events set actor_id = 'nobody' where id = (
    select event_id from audit_chain where day = $1 and position = 2)`,
    [day],
  );
  const bad = await runCli(words, { env });
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /status=broken events=3 problem=changed position=2 event_id=\S+ detail="[^"]+" head=/);
  assert.equal(bad.stderr, '1 of 1 days are not as they were written\n');
});

test('the command reads the trail with all filters, page by page', async () => {
  const { client_id: id } = await server.admin.client.create({
    body: { client_name: 'App', redirect_uris: ['https://app.example.com/cb'] },
  });
  await server.admin.client.suspend({ id });
  const list = async (...more: string[]) => {
    const { code, stdout, stderr } = await runCli(['admin', 'audit', 'list', '--client', id, ...more], { env });
    assert.equal(code, 0, stderr);
    return stdout.trimEnd().split('\n');
  };
  assert.equal((await list('--action', 'client.*')).length, 2);
  assert.equal((await list('--all', '--limit', '1')).length, 2);
  assert.match(
    String(await list('--action', 'client.suspended')),
    /action=client\.suspended .*detail=status=active->suspended/,
  );
  assert.deepEqual(await list('--ip', '203.0.113.99'), ['no audit events found']);
  assert.deepEqual(await list('--request-id', 'none'), ['no audit events found']);
});
