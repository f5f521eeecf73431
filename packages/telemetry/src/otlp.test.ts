import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endWithin, otlpTarget } from './otlp.ts';

const cases: [endpoint: string, insecure: boolean, protocol: 'grpc' | 'http', url: string][] = [
  ['collector:4317', true, 'grpc', 'http://collector:4317'],
  ['collector:4317', false, 'grpc', 'https://collector:4317'],
  ['grpc://collector:4317', false, 'grpc', 'https://collector:4317'],
  ['[::1]:4317', true, 'grpc', 'http://[::1]:4317'],
  ['http://collector:4318', true, 'http', 'http://collector:4318/v1/traces'],
  ['https://collector.example.com/', false, 'http', 'https://collector.example.com/v1/traces'],
  ['https://collector.example.com/otlp', false, 'http', 'https://collector.example.com/otlp/v1/traces'],
  ['https://collector.example.com/v1/traces', false, 'http', 'https://collector.example.com/v1/traces'],
];
for (const [endpoint, insecure, protocol, url] of cases)
  test(`${endpoint}${insecure ? ', insecure,' : ''} is ${url} over ${protocol}`, () =>
    assert.deepEqual(otlpTarget({ endpoint, insecure }, 'traces'), { protocol, url }));

test('the end is waited for, and not for ever', async () => {
  const started = performance.now();
  await endWithin(50, new Promise(() => {}));
  await endWithin(5_000, Promise.reject(new Error('refused')));
  assert.ok(performance.now() - started < 2_000);
});
