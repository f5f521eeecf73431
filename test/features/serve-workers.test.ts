/** `--workers`: several token processes behind one port, seen from outside as one server that does not fall over. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, readFile, rename } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { createDatabase } from '../support/database.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { emptyDirectory } from '../support/server-process.ts';
import { redis as findRedis } from '../support/services.ts';
import { launchServer, type StartedServer, startServer } from '../support/started-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { read, type TestApp } from '../support/test-app.ts';

const database = await createDatabase();
after(() => database.drop());
const directory = await emptyDirectory();
const collector = await startOtlpReceiver();
after(() => collector.close());
const env = {
  METRICS_PROVIDER: 'both',
  METRICS_OTEL_ENDPOINT: collector.grpc,
  METRICS_INSECURE: 'true',
  STORAGE_DRIVER: 'postgres',
  STORAGE_POSTGRES_DSN: database.dsn,
  SERVER_DRAIN_DELAY: '500ms',
  SERVER_SHUTDOWN_WAIT: '6s',
  RATE_LIMIT_ENABLED: 'false',
};
const server = await startServer({ directory, env, flags: ['--workers', '2'] });
const machine = await server.client({ grantTypes: ['client_credentials'], scope: 'tools/read' });
const resource = 'https://mcp.example.com/mcp';
await server.resource({ slug: 'mcp', uri: resource });

const until = async (what: string, holds: () => Promise<boolean>, seconds = 30): Promise<void> => {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await setTimeout(50))
    if (await holds()) return;
  assert.fail(`${what}: not within ${seconds} s`);
};
await until('the resource is known', async () => (await machine.clientCredentials({ resource })).status === 200);

/** The processes that serve, latest last. */
const workers = (at: StartedServer): number[] => [
  ...new Set([...at.process.stdout().matchAll(/"worker":(\d+),"msg":"serving/g)].map(([, worker]) => Number(worker))),
];
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
const living = () => workers(server).filter(isAlive);
const ready = async (place: string) => (await fetch(`${place}/ready`)).status === 200;

const metric = async (place: string, series: string): Promise<number> => {
  const text = await (await fetch(`${place}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
};
const issued = 'authserver_tokens_issued_total{grant_type="client_credentials"}';
const answered = 'authserver_http_requests_total{method="POST",path="/oauth/token",status="200"}';

const post = (app: TestApp, agent: Agent): Promise<number> =>
  new Promise((resolve, reject) => {
    const outgoing = request(
      app.url('/oauth/token'),
      {
        agent,
        method: 'POST',
        headers: { authorization: app.basic(), 'content-type': 'application/x-www-form-urlencoded' },
      },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0)).on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(new URLSearchParams({ grant_type: 'client_credentials', resource }).toString());
  });

/** Asks for tokens until it is told to stop, and counts. Its connections are kept, and none is idle for long. */
const load = (app: TestApp, concurrency: number) => {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const counts = { ok: 0, failed: [] as string[] };
  let stopped = false;
  const loops = Array.from({ length: concurrency }, async () => {
    while (!stopped)
      await post(app, agent).then(
        (status) => {
          if (status === 200) counts.ok += 1;
          else counts.failed.push(String(status));
        },
        (error: NodeJS.ErrnoException) => counts.failed.push(error.code ?? error.message),
      );
  });
  return {
    counts,
    async stop() {
      stopped = true;
      await Promise.all(loops);
      agent.destroy();
      return counts;
    },
  };
};

test('both workers answer, and one page of metrics has the exact sum', async () => {
  const before = await metric(server.adminUrl, issued);
  const requests = 150;
  for (let round = 0; round < requests / 15; round += 1) {
    const answers = await Promise.all(Array.from({ length: 15 }, () => machine.clientCredentials({ resource })));
    assert.ok(answers.every(({ status }) => status === 200));
  }
  await until('the sum', async () => (await metric(server.adminUrl, issued)) === before + requests);
  await until('as many answers', async () => (await metric(server.adminUrl, answered)) === before + requests);
  assert.equal(workers(server).length, 2);
  for (const worker of workers(server))
    assert.match(server.process.stdout(), new RegExp(`"worker":${worker},"request_id"`), 'each has answered some');
  const text = await (await fetch(`${server.adminUrl}/metrics`)).text();
  assert.equal(text.split('\n').filter((line) => line.startsWith(`${issued} `)).length, 1);
  assert.match(text, /^authserver_active_clients 1$/m, 'a gauge of the database is not added up');
  assert.match(text, /^authserver_db_operation_duration_seconds_bucket\{le="\+Inf"/m);
  assert.equal((await fetch(`${server.issuer}/metrics`)).status, 404);
});

test('what a worker stands on is neither in its command line nor in its environment', async () => {
  const secret = (await readFile(join(directory, 'data/session-secret'), 'utf8')).trim();
  for (const pid of living()) {
    if (!existsSync(`/proc/${pid}/environ`)) return; // only Linux shows it as a file
    for (const name of ['cmdline', 'environ'])
      assert.ok(!(await readFile(`/proc/${pid}/${name}`, 'utf8')).includes(secret), name);
  }
});

test('a worker that is killed costs its own requests, is replaced, and its counts stay', async () => {
  const [first = 0] = living();
  const traffic = load(machine, 8);
  await until('traffic', async () => traffic.counts.ok > 50);
  const before = await metric(server.adminUrl, issued);
  process.kill(first, 'SIGKILL');
  const seen: number[] = [before];
  const went = traffic.counts.ok;
  await until('the other one goes on', async () => traffic.counts.ok > went + 50);
  await until('it is replaced', async () => {
    seen.push(await metric(server.adminUrl, issued));
    return living().length === 2 && !living().includes(first) && (await ready(server.adminUrl));
  });
  const { failed } = await traffic.stop();
  assert.ok(failed.length <= 8, `${failed.length} of at most 8 in flight: ${failed.slice(0, 3)}`);
  seen.push(await metric(server.adminUrl, issued));
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
    'a counter never goes backwards',
  );
  assert.equal(await metric(server.adminUrl, 'authserver_worker_restarts_total'), 1);
});

test('SIGUSR2 renews every worker under load, and no request fails [threat M12]', async () => {
  const old = living();
  const before = await metric(server.adminUrl, issued);
  const traffic = load(machine, 8);
  await until('traffic', async () => traffic.counts.ok > 20);
  server.process.signal('SIGUSR2');
  await until('all are new', async () => old.every((pid) => !isAlive(pid)) && (await ready(server.adminUrl)));
  const { ok, failed } = await traffic.stop();
  assert.deepEqual(failed, []);
  await until('every token is counted', async () => (await metric(server.adminUrl, issued)) === before + ok);
  assert.equal(await metric(server.adminUrl, 'authserver_worker_restarts_total'), 1, 'that was no accident');
});

const open = async (): Promise<Socket> => {
  // One connection, and not a second one when the first address is slow.
  const socket = connect({ port: server.ports.token, host: 'localhost', autoSelectFamily: false }).setEncoding('utf8');
  await once(socket, 'connect');
  return socket.on('error', () => {});
};
/** The answer; empty when the connection ended without one. */
const ask = async (socket: Socket): Promise<string> => {
  socket.write('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const [text = ''] = await once(socket, 'data', { signal: endOf(socket) }).catch(() => []);
  return String(text);
};
const endOf = (socket: Socket): AbortSignal => {
  const end = new AbortController();
  if (socket.destroyed) end.abort();
  socket.once('close', () => end.abort());
  return end.signal;
};
/** The worker that gave this answer. */
const workerOf = async (answer: string): Promise<number> => {
  const [, id = ''] = /^x-request-id: (.+)\r$/im.exec(answer) ?? assert.fail(answer);
  const line = new RegExp(`"worker":(\\d+),"request_id":"${id}"`);
  await until('its line', async () => line.test(server.process.stdout()));
  return Number(line.exec(server.process.stdout())?.[1]);
};

test('a worker that is killed while a connection is handed to it leaves nobody waiting', async () => {
  const [stopped = 0] = living();
  process.kill(stopped, 'SIGSTOP');
  const answers = Array.from({ length: 6 }, async () => ask(await open()));
  const early = await Promise.race([Promise.all(answers), setTimeout(3_000, 'some wait')]);
  assert.equal(early, 'some wait', 'one was handed to the worker that hangs');
  process.kill(stopped, 'SIGKILL');
  const all = await Promise.race([Promise.all(answers), setTimeout(5_000)]);
  assert.ok(all, 'nobody waits');
  assert.deepEqual(all.map((text) => text.slice(9, 12)).sort(), ['', '200', '200', '200', '200', '200']);
  await until('it is replaced', async () => living().length === 2 && (await ready(server.adminUrl)));
});

const noPrlimit = spawnSync('prlimit', ['--version']).error ? 'prlimit is not here (Linux has it)' : false;
test('a worker that has run out of descriptors: another one answers', { skip: noPrlimit }, async () => {
  const [full = 0] = living();
  const limit = (descriptors: string) => spawnSync('prlimit', [`--pid=${full}`, `--nofile=${descriptors}:`]).status;
  assert.equal(limit('8'), 0);
  const answers = await Promise.all(Array.from({ length: 6 }, async () => ask(await open())));
  const seen = await Promise.all(answers.map(workerOf));
  assert.equal(seen.includes(full), false);
  assert.equal(limit('1024'), 0);
  await until('it is there again', async () => (await workerOf(await ask(await open()))) === full);
});

test('SIGUSR2: a connection that was kept without a request brings one more, wherever its worker is by now', async () => {
  const known = workers(server).length;
  const sockets = await Promise.all(Array.from({ length: 4 }, open));
  const holders = await Promise.all(sockets.map(async (socket) => workerOf(await ask(socket))));
  assert.equal(new Set(holders).size, 2, 'both have some');
  const kept = new Map(sockets.map((socket, index) => [socket, holders[index]]));
  const left = new Set<number | undefined>();
  server.process.signal('SIGUSR2');
  for (const renewed of [1, 2]) {
    await until('a new worker serves', async () => workers(server).length === known + renewed);
    const told = new Set<number | undefined>();
    const askAll = async (): Promise<boolean> => {
      for (const [socket, holder] of kept) {
        const text = await ask(socket);
        assert.match(text, /^HTTP\/1\.1 200/);
        if (!/^connection: close/im.test(text)) continue;
        told.add(holder);
        kept.delete(socket);
        socket.destroy();
      }
      return told.size > 0;
    };
    await until('somebody is told', askAll);
    await askAll();
    assert.equal(told.size, 1, 'those of the worker that leaves, and no others');
    for (const leaving of told) {
      assert.ok(!left.has(leaving));
      assert.ok(![...kept.values()].includes(leaving), 'all of them');
      left.add(leaving);
    }
  }
  await until('all are new', async () => living().length === 2 && (await ready(server.adminUrl)));
});

test('SIGTERM: not ready first, requests finish, and no process is left', async () => {
  const pids = living();
  const before = await metric(server.adminUrl, issued);
  const traffic = load(machine, 4);
  await until('traffic', async () => traffic.counts.ok > 20);
  server.process.signal('SIGTERM', 'group');
  await until('it says so', async () => !(await ready(server.issuer).catch(() => true)), 5);
  await traffic.stop();
  assert.deepEqual(
    traffic.counts.failed.filter((reason) => !/ECONNREFUSED|ECONNRESET/.test(reason)),
    [],
    'only a closed port is in the way of a client that does not look',
  );
  assert.deepEqual(await server.process.ended(), { code: 0, signal: null });
  assert.deepEqual(pids.filter(isAlive), []);
  const sums = collector.metrics().filter(({ name }) => name === 'authserver_tokens_issued_total');
  const sent = sums.filter(({ attributes }) => attributes.grant_type === 'client_credentials');
  assert.equal(sent.length, 1, 'a collector is told one sum of all workers, those that have gone included');
  const more = (sent[0]?.value ?? 0) - before;
  assert.ok(more >= traffic.counts.ok && more <= traffic.counts.ok + 4, `${more} for ${traffic.counts.ok} answers`);
});

test('the token service has workers as well, with metrics and health on its internal port', async () => {
  const redis = new URL((await findRedis()).url);
  const proxy = await startTcpProxy({ host: redis.hostname, port: Number(redis.port || 6379) });
  after(() => proxy.close());
  redis.host = `127.0.0.1:${proxy.port}`;
  const service = await startServer({
    ...{ directory, role: 'token', by: 'service', flags: ['--workers', '2'] },
    env: { ...env, SERVER_DRAIN_DELAY: '4s', REDIS_URL: redis.href },
  });
  assert.equal((await fetch(`${service.issuer}/metrics`)).status, 404);
  const { status, body } = await read(await fetch(`${service.internalUrl}/ready`));
  assert.deepEqual([status, body.checks], [200, { workers: { status: 'ok' } }]);
  const app = Array.from({ length: 30 }, () => fetch(`${service.issuer}/.well-known/jwks.json`));
  assert.ok((await Promise.all(app)).every((response) => response.status === 200));
  const series = 'authserver_http_requests_total{method="GET",path="/.well-known/jwks.json",status="200"}';
  await until('thirty', async () => (await metric(service.internalUrl, series)) === 30);

  const [one = 0] = workers(service);
  process.kill(one, 'SIGSTOP');
  await until('a worker that hangs is named', async () => {
    const answer = await read(await fetch(`${service.internalUrl}/ready`));
    return answer.status === 503 && /does not answer/.test(JSON.stringify(answer.body));
  });
  assert.equal(await metric(service.internalUrl, series), 30, 'what it said last still counts');
  process.kill(one, 'SIGCONT');
  await until('it is back', () => ready(service.internalUrl));

  proxy.cut();
  process.kill(one, 'SIGKILL');
  await until('a worker takes its place, as ready as the other is without Redis', async () => {
    const { checks } = (await read(await fetch(`${service.internalUrl}/ready`))).body as { checks: object };
    return isDeepStrictEqual(checks, {
      workers: { status: 'degraded', reason: '0: redis not connected; 1: redis not connected' },
    });
  });
  assert.ok(await ready(service.internalUrl));

  // A worker that is still starting when the end comes must not call itself ready afterwards: requests would follow it.
  service.process.signal('SIGUSR2');
  await setTimeout(100);
  service.process.signal('SIGTERM');
  await until('not ready', async () => !(await ready(service.issuer)), 5);
  const answers: boolean[] = [];
  for (let closed = false; !closed; await setTimeout(50))
    await fetch(`${service.issuer}/ready`).then(
      ({ status }) => answers.push(status === 200),
      () => {
        closed = true;
      },
    );
  assert.deepEqual(
    answers.filter((isReady) => isReady),
    [],
  );
  assert.equal((await service.process.ended()).code, 0);
});

test('where no process can be started the workers stay, and one that ends is started when it can be again', async () => {
  const node = join(await emptyDirectory(), 'node');
  await copyFile(process.execPath, node);
  const service = await startServer({ directory, env, role: 'token', by: 'service', flags: ['--workers', '2'], node });
  const said = (line: RegExp) => async () => line.test(service.process.stdout());
  await rename(node, `${node}-away`);
  service.process.signal('SIGUSR2');
  await until('it is said', said(/"place":0.*could not be renewed; the old ones stay/));
  const [one = 0, other = 0] = workers(service);
  assert.ok(isAlive(one) && isAlive(other));
  process.kill(one, 'SIGKILL');
  await until('it is said', said(/"place":\d,.*ENOENT.*trying again/));
  assert.equal((await fetch(`${service.issuer}/.well-known/jwks.json`)).status, 200);
  await rename(`${node}-away`, node);
  await until('two serve', async () => workers(service).filter(isAlive).length === 2);
  await until('it is ready', () => ready(service.internalUrl));
  service.process.signal('SIGUSR2');
  await until('all are new', async () => !isAlive(other) && workers(service).filter(isAlive).length === 2);
  service.process.signal('SIGTERM');
  assert.equal((await service.process.ended()).code, 0);
});

test('a number of workers that makes no sense is refused', async () => {
  for (const [flags, by, role] of [
    [['--workers', '0'], 'service', 'token'],
    [['--workers', 'many'], 'service', 'token'],
    [['--workers', '2'], 'service', 'admin'],
    [['--workers', '2'], 'cli', 'admin'],
    [['--workers', '-1'], 'cli', 'all'],
  ] as const) {
    const refused = await launchServer({ directory, env, flags: [...flags], by, role });
    assert.notEqual((await refused.process.ended()).code, 0, flags.join(' '));
    assert.match(refused.process.stderr(), /workers/);
  }
});
