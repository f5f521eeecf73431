import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { createLogger } from './logger.ts';
import { batches, type OnDropped } from './otlp.ts';
import { startOtlpLogs } from './otlp-logs.ts';
import { startTracing } from './tracing.ts';

/** A collector that hangs at first, and then takes nothing. */
let refuse: (() => void) | undefined = () => {};
const collector = createServer((request, response) => {
  const answer = () => response.writeHead(400).end();
  request.resume().on('end', () => {
    if (refuse === undefined) return answer();
    const before = refuse;
    refuse = () => {
      before();
      answer();
    };
  });
});
await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
after(() => {
  collector.closeAllConnections();
  collector.close();
});

test('what finds the queue full and what the collector does not take is counted, each piece once', async () => {
  const dropped: Record<string, number> = {};
  const onDropped: OnDropped = (signal, reason, count) => {
    const key = `${signal} ${reason}`;
    dropped[key] = (dropped[key] ?? 0) + count;
  };
  const logger = createLogger({ level: 'silent', stdout: false });
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const options = { endpoint, insecure: true, instanceId: 'test', onDropped };
  const tracing = await startTracing({ ...options, sampleRate: 1, logger });
  const logs = await startOtlpLogs({ ...options, logger: () => logger });
  const line = JSON.stringify({ level: 'info', time: new Date().toISOString(), msg: 'here', service: 'authserver' });
  const made = batches.maxQueueSize + 1_000;
  for (let n = 0; n < made; n += 1) {
    tracing.note('work', 0.001, {});
    logs.write(line);
  }
  for (const signal of ['traces', 'logs'])
    assert.ok((dropped[`${signal} queue_full`] ?? 0) > 0, `${signal}: ${JSON.stringify(dropped)}`);
  assert.ok(!('traces not_taken' in dropped || 'logs not_taken' in dropped), 'what waits is not lost yet');

  refuse?.();
  refuse = undefined;
  await Promise.all([tracing.stop(5_000), logs.stop(5_000)]);
  for (const signal of ['traces', 'logs'])
    assert.equal((dropped[`${signal} queue_full`] ?? 0) + (dropped[`${signal} not_taken`] ?? 0), made, signal);
});
