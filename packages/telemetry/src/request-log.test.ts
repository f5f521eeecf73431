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
      remote_addr: '127.0.0.1',
      msg: 'http request',
    },
  );
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
