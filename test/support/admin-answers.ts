import assert from 'node:assert/strict';
import type { AuthServer } from './auth-server.ts';
import type { Answer } from './test-app.ts';

const statuses = {
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  precondition_failed: 412,
  content_too_large: 413,
  unsupported_media_type: 415,
  unprocessable: 422,
  too_many_requests: 429,
  upstream_failed: 502,
  unavailable: 503,
} as const;

/** Asserts a refusal of the admin API as it looks on the wire (RFC 9457), and returns its `detail`. */
export const refused = (answer: Answer, code: keyof typeof statuses): string => {
  const { body } = answer;
  assert.equal(body.code, code, JSON.stringify(body));
  assert.equal(answer.status, statuses[code]);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  assert.equal(body.status, answer.status);
  assert.equal(body.type, 'about:blank');
  assert.equal(typeof body.title, 'string');
  const detail = String(body.detail);
  assert.ok(detail.length > 5 && detail.length < 2000, detail);
  assert.doesNotMatch(detail, /node_modules|\bat .*:\d+:\d+|select |insert |postgres/i);
  return detail;
};

export type Trace = {
  audit: { action: string; actor_id: string; ip: string; client_id: string | null; details: Record<string, unknown> }[];
  changes: { kind: string; key: string }[];
};

/** What work left in the audit trail and in the change feed. */
export const traceOf = async (server: AuthServer, work: () => Promise<unknown>): Promise<Trace> => {
  const known = await server.sql<{ id: string }>('select id from audit_events');
  const [latest] = await server.sql('select coalesce(max(version), 0) as version from changes');
  await work();
  const audit = await server.sql<Trace['audit'][number]>(
    `select action, actor_id, ip, client_id, details from audit_events where id <> all($1) order by id`,
    [known.map(({ id }) => id)],
  );
  const changes = await server.sql<Trace['changes'][number]>(
    'select kind, key from changes where version > $1 order by version',
    [latest?.version],
  );
  return { audit, changes };
};

export const nothing: Trace = { audit: [], changes: [] };
