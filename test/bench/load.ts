/**
 * A closed-loop load generator on raw sockets: it costs little, so it measures the server and not itself.
 * Arguments: port, connections, seconds, path, authorization header, body. Prints one JSON object.
 *
 * A body of the form `@file` is a line of that file for each connection. A refresh token in it follows the rotation, and
 * the file has the last ones when the load ends. Environment: THINK_MS (0), the mean pause between answer and next request;
 * LATENCIES, a file for every single one.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';

const [port, connections, seconds, path, authorization, body = ''] = process.argv.slice(2);
const thinkMs = Number(process.env.THINK_MS ?? 0);
const file = body.startsWith('@') ? body.slice(1) : undefined;
const bodies = file === undefined ? [body] : readFileSync(file, 'utf8').trim().split('\n');
const requestOf = (text: string): Buffer =>
  Buffer.from(
    [
      `POST ${path} HTTP/1.1`,
      `host: localhost:${port}`,
      `authorization: ${authorization}`,
      'content-type: application/x-www-form-urlencoded',
      `content-length: ${Buffer.byteLength(text)}`,
      '',
      text,
    ].join('\r\n'),
  );

const latencies: number[] = [];
let errors = 0;
const startedAt = performance.now();
const end = startedAt + Number(seconds) * 1000;

const oneConnection = (index: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const slot = index % bodies.length;
    let request = requestOf(bodies[slot] ?? '');
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
      const next = file === undefined ? undefined : /"refresh_token":"([^"]+)"/.exec(buffered)?.[1];
      if (next !== undefined) {
        bodies[slot] = (bodies[slot] ?? '').replace(/refresh_token=[^&]+$/, `refresh_token=${next}`);
        request = requestOf(bodies[slot]);
      }
      buffered = '';
      const now = performance.now();
      latencies.push(now - sentAt);
      if (now < end) {
        if (thinkMs === 0) send();
        else setTimeout(send, thinkMs * 2 * Math.random());
      } else {
        socket.destroy();
        resolve();
      }
    });
  });

await Promise.all(Array.from({ length: Number(connections) }, (_, index) => oneConnection(index)));
const elapsed = (performance.now() - startedAt) / 1000;
if (process.env.LATENCIES) writeFileSync(process.env.LATENCIES, JSON.stringify(latencies));
if (file !== undefined) writeFileSync(file, `${bodies.join('\n')}\n`);
latencies.sort((a, b) => a - b);
const at = (share: number): number => Math.round((latencies[Math.floor(latencies.length * share)] ?? 0) * 100) / 100;
process.stdout.write(
  JSON.stringify({ rate: Math.round(latencies.length / elapsed), p50: at(0.5), p99: at(0.99), errors }),
);
