/** Whoever can make up label values can make up series until memory is full. A hundred thousand requests make none. */
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { METHODS } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { soon, startAuthServer } from '../support/auth-server.ts';

const requests = 100_000;
const sockets = 8;
const pipelined = 50;

const server = await startAuthServer({ env: { RATE_LIMIT_ENABLED: 'false', RATE_LIMIT_AUTH_FAIL_MAX: '0' } });
const [pod] = server.pods;
const port = Number(new URL(server.issuer).port);

const countSeries = async (): Promise<string[]> =>
  ((await pod?.metrics.render())?.body ?? '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.slice(0, line.lastIndexOf(' ')))
    .sort();

/** Something nobody has sent before. */
const word = (): string => randomBytes(6).toString('base64url');
const one = <T>(of: readonly T[]): T => of[randomInt(of.length)] as T;

const methods = METHODS.filter((method) => method !== 'CONNECT'); // it would turn the connection into a tunnel
const roots = [
  '',
  '/oauth',
  '/oauth/token',
  '/oauth/register',
  '/.well-known',
  '/admin',
  '/metrics',
  '/device',
  '/%61',
];
const ends = [() => '', () => `/${word()}`, () => `?${word()}=${word()}`, () => `%2e%2f${word()}`];
const path = (root = one(roots), end = one(ends)): string => `${root}/${word()}${end()}`;
const hosts = () => `host: ${word()}.example\r\nx-forwarded-host: ${word()}\r\norigin: https://${word()}\r\n`;
const grantType = (): string => one(['authorization_code', 'refresh_token', 'client_credentials', word()]);
const clientId = (): string => one([word(), `client_${word()}`]);

const get = (method: string, target: string): string =>
  `${method} ${target} HTTP/1.1\r\n${hosts()}user-agent: ${word()}\r\ntraceparent: ${word()}\r\n\r\n`;
const post = (to: string, fields: Record<string, string>, more = ''): string => {
  const body = new URLSearchParams(fields).toString();
  const type = 'content-type: application/x-www-form-urlencoded\r\n';
  return `POST ${to} HTTP/1.1\r\n${hosts()}${more}${type}content-length: ${body.length}\r\n\r\n${body}`;
};

const kinds: readonly (() => string)[] = [
  () => get('GET', path()),
  () => get(one(methods), path()),
  () => get('POST', path()),
  () => post('/oauth/token', { grant_type: word(), scope: word(), [word()]: word() }),
];
/** Those that look for a client in the database are fewer: it is not what is tested. */
const looking: readonly (() => string)[] = [
  () => get('GET', `/oauth/authorize?client_id=${clientId()}&scope=${word()}&state=${word()}`),
  () => post('/oauth/token', { grant_type: grantType(), client_id: clientId(), client_secret: word(), code: word() }),
];
const request = (n: number): string => one(n % 50 === 0 ? looking : kinds)();
/** Every combination of what is not made up, once: so many series there are. */
const combinations = methods.flatMap((method) =>
  roots.flatMap((root) => ends.map((end) => get(method, path(root, end)))),
);

/** Sends requests over a connection, some at a time. */
const send = async (count: number, next: (n: number) => string): Promise<void> => {
  const socket = connect(port, 'localhost');
  let answers = 0;
  let wake = (): void => {};
  let tail = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    const all = tail + text;
    answers += all.split('HTTP/1.1 ').length - 1;
    tail = all.slice(all.lastIndexOf('HTTP/1.1 ') >= 0 ? all.lastIndexOf('HTTP/1.1 ') + 9 : 0).slice(-8);
    wake();
  });
  const closed = new Promise<never>((_, reject) => {
    socket.on('error', reject).on('close', () => reject(new Error(`closed after ${answers} answers`)));
  });
  closed.catch(() => {});
  for (let n = 0; n < count; ) {
    const until = Math.min(count, n + pipelined);
    let batch = '';
    for (; n < until; n += 1) batch += next(n);
    socket.write(batch);
    while (answers < n)
      await Promise.race([
        closed,
        new Promise<void>((resolve) => {
          wake = resolve;
        }),
      ]);
  }
  socket.destroy();
};
/** What no parser of HTTP takes: the connection ends with it. */
const sendBroken = (line: string): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect(port, 'localhost', () => socket.end(`${line}\r\nhost: ${word()}\r\n\r\n`));
    socket
      .on('error', () => {})
      .on('close', () => resolve())
      .resume();
  });

test('made-up paths, methods, hosts, clients, scopes, grant types and texts add no series', async () => {
  await send(combinations.length, (n) => combinations[n] as string);
  for (const kind of [...kinds, ...looking]) await send(20, kind);
  // What connecting clients did is written a little later; and to read gauges from the database is a series as well.
  const isWritten = (series: string) => series.includes('connection_event_insert');
  await soon('the steps of clients are written', async () => (await countSeries()).some(isWritten));
  const before = new Set(await countSeries());
  await Promise.all(Array.from({ length: sockets }, () => send(requests / sockets, request)));
  for (let n = 0; n < 100; n += 1) await sendBroken(`${word()} /${word()} HTTP/1.1`);
  assert.deepEqual(
    (await countSeries()).filter((series) => !before.has(series)),
    [],
  );
  const counted = await server.metric('authserver_http_requests_total');
  assert.ok(counted >= requests - sockets, `${counted} requests were counted`);
});
