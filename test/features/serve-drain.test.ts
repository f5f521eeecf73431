/** A pod leaves under load: two token processes, and a small balancer that believes `/ready`. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createDatabase } from '../support/database.ts';
import { emptyDirectory } from '../support/server-process.ts';
import { type StartedServer, startServer } from '../support/started-server.ts';

const connections = 2_000;
const database = await createDatabase();
after(() => database.drop());
const directory = await emptyDirectory();
const env = {
  STORAGE_DRIVER: 'postgres',
  STORAGE_POSTGRES_DSN: database.dsn,
  SERVER_DRAIN_DELAY: '2s',
  SERVER_SHUTDOWN_WAIT: '20s',
  SERVER_WRITE_TIMEOUT: '1s',
  RATE_LIMIT_ENABLED: 'false',
  LOG_STDOUT: 'false',
};
const admin = await startServer({ directory, env, role: 'admin' });
const machine = await admin.client({ grantTypes: ['client_credentials'], scope: 'tools/read' });
await admin.resource({ slug: 'mcp', uri: 'https://mcp.example.com/mcp' });
const pods = await Promise.all([1, 2].map(() => startServer({ directory, env, role: 'token' })));

const body = new URLSearchParams({ grant_type: 'client_credentials', scope: 'tools/read' }).toString();

type Target = { pod: StartedServer; agent: Agent; ready: boolean };
type Sent = { status: number; close: boolean };

const send = ({ pod, agent }: Target, path: string, body?: string): Promise<Sent> =>
  new Promise((resolve, reject) => {
    const headers = { authorization: machine.basic(), 'content-type': 'application/x-www-form-urlencoded' };
    const outgoing = request(
      {
        agent,
        host: 'localhost',
        port: pod.ports.token,
        path,
        method: body ? 'POST' : 'GET',
        headers: body ? headers : {},
      },
      (response) => {
        response.resume();
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, close: response.headers.connection === 'close' }),
        );
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });

/** Sends to whoever said last that it is ready, over connections it keeps. */
const targets: Target[] = pods.map((pod) => ({
  pod,
  agent: new Agent({ keepAlive: true, maxFreeSockets: connections, scheduling: 'fifo' }),
  ready: true,
}));
const open = (target: Target) =>
  Object.values(target.agent.freeSockets).reduce((sum, sockets) => sum + (sockets?.length ?? 0), 0);

test('a pod with a thousand kept connections leaves under load, and no request fails [threat M12]', async (t) => {
  for (const target of targets)
    while (open(target) < connections / 2)
      await Promise.all(Array.from({ length: connections / 2 }, () => send(target, '/livez')));
  assert.ok(targets.every((target) => open(target) >= connections / 2));

  // The pools of the database are filled before it counts: what is measured is the leaving, not the start.
  for (const target of targets) for (let n = 0; n < 20; n += 1) await send(target, '/oauth/token', body);

  let over = false;
  const probing = targets.map(async (target) => {
    while (!over) {
      const answer = await fetch(`${target.pod.internalUrl}/ready`).catch(() => undefined);
      target.ready = answer?.status === 200;
      await setTimeout(200);
    }
  });
  const counts = { answered: 0, lastOnTheirConnection: 0, failed: [] as string[] };
  let turn = 0;
  const traffic = Array.from({ length: 12 }, async () => {
    while (!over) {
      const ready = targets.filter((target) => target.ready);
      turn += 1;
      const target = ready[turn % ready.length];
      if (!target) counts.failed.push('nobody is ready');
      else
        await send(target, '/oauth/token', body).then(
          ({ status, close }) => {
            if (status !== 200) counts.failed.push(String(status));
            counts.answered += 1;
            if (close) counts.lastOnTheirConnection += 1;
          },
          (error: NodeJS.ErrnoException) => counts.failed.push(`${error.code} of ${targets.indexOf(target)}`),
        );
    }
  });
  await setTimeout(1_500);
  const [leaving, staying] = pods as [StartedServer, StartedServer];
  const told = performance.now();
  leaving.process.signal('SIGTERM');
  const ended = await leaving.process.ended();
  const seconds = (performance.now() - told) / 1000;
  await setTimeout(500);
  over = true;
  await Promise.all([...traffic, ...probing]);

  t.diagnostic(`${counts.answered} requests, ended after ${seconds.toFixed(1)} s`);
  assert.deepEqual(counts.failed, []);
  assert.ok(counts.answered > 100);
  assert.ok(counts.lastOnTheirConnection > 0, 'whoever keeps a connection is told to leave it');
  assert.deepEqual(ended, { code: 0, signal: null });
  assert.ok(seconds > 2 && seconds < 20, `${seconds} s`);
  assert.equal((await fetch(`${staying.issuer}/ready`)).status, 200);
  for (const { agent } of targets) agent.destroy();
});

test('a reader that takes nothing is let go after server.write_timeout', async () => {
  const [, pod] = pods as [StartedServer, StartedServer];
  const socket = connect(pod.ports.token, 'localhost');
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.pause();
  // Answers to many requests at once fill both buffers; nobody empties ours.
  socket.write('GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(20_000));
  // We do not read, so only a write can show us that there is nobody any more. It reaches no one before.
  const writing = setInterval(() => socket.write('G'), 200);
  await closed;
  clearInterval(writing);
  assert.equal((await fetch(`${pod.issuer}/livez`)).status, 200);
});
