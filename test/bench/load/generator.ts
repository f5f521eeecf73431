/**
 * A closed-loop load generator on raw sockets: it costs little, so it measures the server and not itself. Reads
 * `LoadOptions` as JSON from standard input and writes a `LoadResult` to standard output.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { type Conversation, startConversation } from './conversation.ts';
import type { LoadOptions, LoadResult } from './plan.ts';

const { plan, ports, connections, seconds, thinkMs = 0, ...options }: LoadOptions = JSON.parse(readFileSync(0, 'utf8'));

const latencies: number[] = [];
let errors = 0;
const startedAt = performance.now();
const end = startedAt + seconds * 1000;

const oneConnection = (conversation: Conversation, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let buffered = '';
    let startedAt = 0;
    const start = (): void => {
      startedAt = performance.now();
      socket.write(conversation.request);
    };
    socket.on('connect', start);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`port ${port} closed a connection`)));
    socket.on('data', (chunk) => {
      buffered += chunk.toString('latin1');
      if (buffered.length < lengthOf(buffered)) return;
      const { ok, complete } = conversation.hear(buffered);
      if (!ok) errors += 1;
      buffered = '';
      if (!complete) {
        socket.write(conversation.request);
        return;
      }
      const now = performance.now();
      latencies.push(now - startedAt);
      if (now >= end) {
        resolve();
        socket.destroy();
      } else if (thinkMs === 0) start();
      else setTimeout(start, thinkMs * 2 * Math.random());
    });
  });

/** The length of the answer that a text begins with; infinite while its head is not all there. */
const lengthOf = (text: string): number => {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return Number.POSITIVE_INFINITY;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd))?.[1];
  return headEnd + 4 + Number(length ?? 0);
};

const conversations = Array.from({ length: connections }, (_, index) => {
  const port = ports[index % ports.length] as number;
  return { conversation: startConversation(plan, index, port), port };
});
await Promise.all(conversations.map(({ conversation, port }) => oneConnection(conversation, port)));
const elapsed = (performance.now() - startedAt) / 1000;
const unsorted = options.latencies ? { latencies: [...latencies] } : {};
latencies.sort((a, b) => a - b);
const at = (share: number): number => Math.round((latencies[Math.floor(latencies.length * share)] ?? 0) * 100) / 100;
const result: LoadResult = {
  operations: latencies.length,
  errors,
  rate: Math.round(latencies.length / elapsed),
  p50: at(0.5),
  p99: at(0.99),
  plan:
    plan.kind === 'post'
      ? { ...plan, forms: conversations.map(({ conversation }) => conversation.form?.() ?? '') }
      : plan,
  ...unsorted,
};
process.stdout.write(JSON.stringify(result));
