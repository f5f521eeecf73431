import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { createLogger } from './logger.ts';
import { continueSpan, currentSpan, inSpan, outsideSpans, type Span, spanFields, type Tracing } from './spans.ts';
import { startTracing } from './tracing.ts';

const nobody = createServer((_request, response) => response.writeHead(200).end());
await new Promise<void>((resolve) => nobody.listen(0, '127.0.0.1', resolve));
after(() => nobody.close());
const endpoint = `http://127.0.0.1:${(nobody.address() as AddressInfo).port}`;

const tracingAt = async (sampleRate: number): Promise<Tracing> => {
  const logger = createLogger({ level: 'silent', stdout: false });
  const tracing = await startTracing({
    endpoint,
    insecure: true,
    sampleRate,
    instanceId: 'test',
    logger,
    onDropped: () => {},
  });
  after(() => tracing.stop(1_000));
  return tracing;
};
const always = await tracingAt(1);
const never = await tracingAt(0);

const theirs = '4bf92f3577b34da6a3ce929d0e0e4736';
const sampled = `00-${theirs}-00f067aa0ba902b7-01`;
const unsampled = `00-${theirs}-00f067aa0ba902b7-00`;
type Outcome = 'continued' | 'of its own' | 'not recorded';

const cases: [what: string, traceparent: string | undefined, trusted: boolean, rate: 0 | 1, outcome: Outcome][] = [
  ['no trace, chosen', undefined, false, 1, 'of its own'],
  ['no trace, not chosen', undefined, true, 0, 'not recorded'],
  ['a sampled trace by a trusted proxy', sampled, true, 0, 'continued'],
  ['a trace that a trusted proxy does not record', unsampled, true, 1, 'not recorded'],
  ['a sampled trace of anybody, not chosen', sampled, false, 0, 'not recorded'],
  ['a sampled trace of anybody, chosen', sampled, false, 1, 'of its own'],
  ['an unsampled trace of anybody, chosen', unsampled, false, 1, 'of its own'],
  ['nonsense by a trusted proxy, chosen', 'x', true, 1, 'of its own'],
  ['nonsense by a trusted proxy, not chosen', 'x', true, 0, 'not recorded'],
  ['a longer one of a later version', `cc-${theirs}-00f067aa0ba902b7-01-${'x'.repeat(70)}`, true, 0, 'continued'],
  ['one that has no end', `cc-${theirs}-00f067aa0ba902b7-01-${'x'.repeat(7_000)}`, true, 0, 'not recorded'],
];
for (const [what, traceparent, trusted, rate, outcome] of cases)
  test(`${what}: ${outcome}`, () => {
    const headers = traceparent === undefined ? {} : { traceparent };
    const span = (rate === 1 ? always : never).begin('GET /', { headers, isTrusted: () => trusted, attributes: {} });
    const found = span === undefined ? 'not recorded' : span.traceId === theirs ? 'continued' : 'of its own';
    assert.equal(found, outcome);
    span?.end();
  });

const root = (): Span =>
  always.begin('GET /', { headers: {}, isTrusted: () => false, attributes: {} }) ?? assert.fail('not recorded');

test('work is a span of the request it belongs to, however it goes on', async () => {
  const request = root();
  const seen = await continueSpan(request, () =>
    inSpan('outer', async () => {
      const outer = currentSpan();
      await new Promise(setImmediate);
      const inner = inSpan('inner', () => currentSpan());
      assert.deepEqual(spanFields(), { trace_id: request.traceId, span_id: outer?.spanId });
      return { outer, inner, elsewhere: outsideSpans(currentSpan)() };
    }),
  );
  assert.equal(seen.outer?.traceId, request.traceId);
  assert.equal(seen.inner?.traceId, request.traceId);
  assert.equal(new Set([request.spanId, seen.outer?.spanId, seen.inner?.spanId]).size, 3);
  assert.equal(seen.elsewhere, undefined);
  request.end();
});

test('a failure goes through, thrown or rejected', async () => {
  const request = root();
  const trouble = new Error('trouble');
  await continueSpan(request, async () => {
    assert.throws(
      () =>
        inSpan('thrown', () => {
          throw trouble;
        }),
      trouble,
    );
    await assert.rejects(
      inSpan('rejected', () => Promise.reject(trouble)),
      trouble,
    );
  });
  request.end();
});

test('what goes on after the answer is no part of the request', () => {
  const request = root();
  continueSpan(request, () => {
    request.end();
    assert.equal(currentSpan(), undefined);
    inSpan('late', () => assert.equal(currentSpan(), undefined));
  });
});

test('without a request there is nothing but the work', () => {
  assert.equal(
    inSpan('alone', () => currentSpan()),
    undefined,
  );
  assert.deepEqual(spanFields(), {});
});
