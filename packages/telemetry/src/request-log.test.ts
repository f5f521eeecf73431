import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { createRequestLog, type RequestLine } from './request-log.ts';

const line: RequestLine = {
  level: 'info',
  requestId: 'abc-000001',
  method: 'GET',
  path: '/oauth/token',
  status: 200,
  durationMs: 1.234,
  address: '127.0.0.1',
  bytes: 42,
  userAgent: 'curl/8.0',
};

const linesOf = (level: string, write: (log: (line: RequestLine) => void) => void): Record<string, unknown>[] => {
  const written: string[] = [];
  const logger = pino(
    { level, base: { service: 'authserver' }, formatters: { level: (label) => ({ level: label }) } },
    { write: (text: string) => void written.push(text) },
  );
  write(createRequestLog(logger.child({ worker: 7 })));
  return written.map((text) => JSON.parse(text));
};

test('a request is one line, with what the logger says of itself', () => {
  const [written, ...more] = linesOf('info', (log) => log(line));
  assert.deepEqual(more, []);
  assert.ok(Date.parse(String(written?.time)) > 0);
  assert.deepEqual(
    { ...written, time: '' },
    {
      level: 'info',
      time: '',
      service: 'authserver',
      worker: 7,
      request_id: 'abc-000001',
      method: 'GET',
      path: '/oauth/token',
      status: 200,
      duration_ms: 1.23,
      bytes: 42,
      remote_addr: '127.0.0.1',
      user_agent: 'curl/8.0',
      msg: 'http request',
    },
  );
});

test('a user agent is cut, and says nothing to a terminal', () => {
  const userAgent = `"},{\u009b31m\u0000\u00e9${'x'.repeat(9_000)}`;
  const [written] = linesOf('info', (log) => log({ ...line, userAgent }));
  assert.equal(written?.user_agent, `"},{?31m??${'x'.repeat(246)}`);
});

test('what is not there is no field, and a recorded request names its span', () => {
  const [bare, traced] = linesOf('info', (log) => {
    log({ ...line, bytes: undefined, userAgent: undefined });
    log({ ...line, traceId: 'abc', spanId: 'def' });
  });
  assert.deepEqual(
    Object.keys(bare ?? {}).filter((key) => /bytes|user|trace|span/.test(key)),
    [],
  );
  assert.deepEqual([traced?.trace_id, traced?.span_id], ['abc', 'def']);
});

test('a path or an address cannot write fields or lines of its own', () => {
  const path = '/","status":200}\n{"level":"info\u2028\u0007';
  const [written, ...more] = linesOf('info', (log) => log({ ...line, status: 404, path, address: 'x"\n' }));
  assert.deepEqual(more, []);
  assert.deepEqual([written?.path, written?.status, written?.remote_addr], [path, 404, 'x"\n']);
});

test('what the level leaves out is not written', () => {
  const written = linesOf('warn', (log) => {
    log(line);
    log({ ...line, level: 'error', status: 500 });
  });
  assert.deepEqual(
    written.map(({ status }) => status),
    [500],
  );
});
