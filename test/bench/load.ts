/**
 * A closed-loop load generator on raw sockets: it costs little, so it measures the server and not itself.
 * Arguments: port, connections, seconds, path, authorization header, body. Prints one JSON object.
 */
import { connect } from 'node:net';

const [port, connections, seconds, path, authorization, body = ''] = process.argv.slice(2);
const request = Buffer.from(
  [
    `POST ${path} HTTP/1.1`,
    `host: localhost:${port}`,
    `authorization: ${authorization}`,
    'content-type: application/x-www-form-urlencoded',
    `content-length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n'),
);

const latencies: number[] = [];
let errors = 0;
const startedAt = performance.now();
const end = startedAt + Number(seconds) * 1000;

const oneConnection = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
    let buffered = '';
    let sentAt = 0;
    const send = (): void => {
      sentAt = performance.now();
      socket.write(request);
    };
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      buffered += chunk.toString('latin1');
      const headersEnd = buffered.indexOf('\r\n\r\n');
      if (headersEnd < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(buffered.slice(0, headersEnd))?.[1] ?? 0);
      if (buffered.length < headersEnd + 4 + length) return;
      if (!buffered.startsWith('HTTP/1.1 200')) errors += 1;
      buffered = '';
      const now = performance.now();
      latencies.push(now - sentAt);
      if (now < end) send();
      else {
        socket.destroy();
        resolve();
      }
    });
  });

await Promise.all(Array.from({ length: Number(connections) }, oneConnection));
const elapsed = (performance.now() - startedAt) / 1000;
latencies.sort((a, b) => a - b);
const at = (share: number): number => Math.round((latencies[Math.floor(latencies.length * share)] ?? 0) * 100) / 100;
process.stdout.write(
  JSON.stringify({ rate: Math.round(latencies.length / elapsed), p50: at(0.5), p99: at(0.99), errors }),
);
