/** `admin top`: what the pods' metrics say, as a page, as JSON, and live on a real terminal made by script(1). */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { failedWith, runCli } from '../support/command-line.ts';
import { createDatabase } from '../support/database.ts';
import { cleanEnvironment, cliFile, freePorts } from '../support/server-process.ts';
import { startServer } from '../support/started-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const database = await createDatabase();
after(() => database.drop());
const server = await startServer({
  env: { STORAGE_DRIVER: 'postgres', STORAGE_POSTGRES_DSN: database.dsn, LOG_STDOUT: 'false' },
});
const client = await server.client({ grantTypes: ['client_credentials'], scope: 'tools/read' });
await server.resource({ slug: 'mcp', uri: 'https://mcp.example.com/mcp' });
const skip = spawnSync('script', ['--version']).status === 0 ? false : 'there is no script(1), so no terminal';
const [nobody = 0] = await freePorts(1);

let busy = true;
const traffic = (async () => {
  while (busy) {
    const resources = ['https://mcp.example.com/mcp', 'https://unknown.example.com/mcp'];
    await Promise.allSettled(resources.map((resource) => client.clientCredentials({ resource })));
    await setTimeout(20);
  }
})();
after(async () => {
  busy = false;
  await traffic;
  await server.stop();
});

const top = (args: string[], env: Record<string, string> = {}) => runCli(['admin', 'top', ...args], { env });

test('one page says what happened between two looks: requests, tokens, denials, pods', async () => {
  const { code, stdout, stderr } = await top(['--once', '--interval', '1s'], { AUTHPLANE_ADMIN_URL: server.adminUrl });
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(
    stdout,
    /^authserver {2}1 of 1 pod up {2}rates of \ds {2}\d\d:\d\d:\d\d UTC\n\d[\d.,]* requests\/s {2}p50 \d/,
  );
  assert.match(stdout, /\nclients 1 {2}families 0 {2}reuse 0 refresh 0 code {2}purge lag 0s\n/);
  assert.match(stdout, /\nPOD +UP +REQ\/S +P99 +LOOP +MEMORY +BEHIND +CHANNELS +VERSION\n/);
  assert.match(stdout, /\nlocalhost:\d+ +\d+s +[\d.]+ +[\d.]+ m?s +\d+% +\d+ MB +0 +ok +0\.2\.0\n/);
  assert.match(stdout, /\n\/oauth\/token +[\d.]+ +[\d.]+ m?s +[\d.]+ m?s +[\d.]+ +0\n/);
  assert.match(
    stdout,
    /\nTOKENS +\/S +SEEN +DENIALS +\/S +SEEN\nclient_credentials +[\d.]+ +\d+ +invalid_resource +[\d.]+ +\d+\n/,
  );
  assert.ok(!stdout.includes('\u001b'), 'a page in a pipe has no colours');
});

test('--json is the same for programs; a pod that is down is in it, and no failure', async () => {
  const pods = ['--pod', server.adminUrl, '--pod', `127.0.0.1:${nobody}`, '--pod', 'nowhere.invalid'];
  const { code, stdout } = await top([...pods, '--json', '--interval', '500ms']);
  const frame = JSON.parse(stdout);
  assert.equal(code, 0);
  const [up, down, unknown] = frame.pods;
  assert.deepEqual([up.status, up.version, up.changes_behind, up.channels_down], ['up', '0.2.0', 0, []]);
  assert.ok(up.uptime_seconds > 0 && up.requests_per_second > 0 && up.memory_bytes > 1e7);
  assert.deepEqual([down.pod, down.status, down.reason], [`127.0.0.1:${nobody}`, 'down', 'connection refused']);
  assert.deepEqual([unknown.pod, unknown.status], ['nowhere.invalid:9002', 'down']);
  const endpoint = frame.endpoints.find(({ path }: { path: string }) => path === '/oauth/token');
  assert.ok(endpoint.per_second > 0 && endpoint.p99_seconds >= endpoint.p50_seconds);
  assert.ok(endpoint.client_errors_per_second > 0 && endpoint.server_errors_per_second === 0);
  const [tokens] = frame.tokens;
  assert.ok(Math.abs(tokens.seen - tokens.per_second * frame.window_seconds) < 1e-6);
  assert.deepEqual([frame.active.clients, frame.reuse], [1, { refresh_tokens: 0, codes: 0 }]);
});

test('nobody to look at, or nothing to understand, is a failure of one line', async () => {
  const unreachable = failedWith(await top(['--pod', `127.0.0.1:${nobody}`, '--pod', `[::1]:${nobody}`]), 1);
  assert.match(unreachable, /^no pod shows its metrics \(127\.0\.0\.1:\d+: connection refused; \[::1\]:\d+: /);
  assert.match(failedWith(await top(['--pod', `${server.issuer}/livez`]), 1), /that is not an authserver\)$/);
  assert.match(failedWith(await top(['--pod', `${server.issuer}/metrics`]), 1), /HTTP 404\)$/);
  const json = await top(['--pod', `127.0.0.1:${nobody}`, '--json']);
  assert.deepEqual([json.code, JSON.parse(json.stdout).error.code], [1, 'unreachable']);
});

test('a command line that makes no sense is refused', async () => {
  for (const args of [
    ['--pod', 'ftp://pod'],
    ['--pod', 'http://user:secret@pod:9002'],
    ['--pod', 'http://pod:9002/metrics?a=b'],
    ['--pod', 'not a host'],
    ['--interval', '2'],
    ['--interval', '1ms'],
    ['--interval', '2h'],
    ['--admin-url', 'nowhere'],
    ['now'],
  ])
    assert.doesNotMatch(failedWith(await top(args), 2), /secret/, args.join(' '));
});

/** The view on a terminal of 80 columns and 24 rows; `before` is run by the shell first. */
const onTerminal = (args: string[], before = '') => {
  const command = `stty cols 80 rows 24; ${before} exec '${process.execPath}' '${cliFile}' admin top ${args.join(' ')}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...cleanEnvironment(), TERM: 'xterm' } });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  const ended = once(child, 'close').then(([code]) => code as number);
  const pages = () => output.split('\u001b[?2026h').slice(1);
  return {
    ended,
    output: () => output,
    type: (keys: string) => child.stdin.write(keys),
    /** Lines of the latest page, as they look. */
    page: () =>
      (pages().at(-1) ?? '')
        .split('\u001b[?2026l', 1)
        .flatMap((page) => stripVTControlCharacters(page).replaceAll('\r', '').split('\n')),
    /** Waits for a page that has it. */
    async shows(pattern: RegExp): Promise<void> {
      for (const end = performance.now() + 20_000; performance.now() < end; await setTimeout(50))
        if (pages().some((page) => pattern.test(stripVTControlCharacters(page)))) return;
      assert.fail(`${pattern} is not shown:\n${output}`);
    },
  };
};

const green = '\u001b[32m';
/** The terminal has its own screen, cursor and line ends again, and nothing was written after that. */
const isRestored = (output: string) => output.trimEnd().endsWith('\u001b[?7h\u001b[?25h\u001b[?1049l');

test('live: a page that fits, a pod that dies is down since then, a narrower terminal, and q gives it back', {
  skip,
}, async () => {
  const proxy = await startTcpProxy({ host: 'localhost', port: Number(new URL(server.adminUrl).port) });
  const view = onTerminal(
    ['--pod', server.adminUrl, '--pod', `127.0.0.1:${proxy.port}`, '--interval', '250ms'],
    '(sleep 4; stty cols 60 rows 14 <&1) &',
  );
  await view.shows(/2 of 2 pods up.*rates of \ds/);
  assert.ok(view.output().includes('\u001b[?1049h'));
  await view.shows(/\/oauth\/token +[\d.]+ +[\d.]+ m?s/);
  proxy.close();
  await view.shows(/127\.0\.0\.1:\d+ +DOWN for \d+s, since \d\d:\d\d:\d\d: connection re/);
  const fits = (columns: number, rows: number) =>
    view.page().length <= rows && view.page().every((line) => line.length <= columns);
  assert.ok(fits(80, 24), view.page().join('\n'));
  for (const end = performance.now() + 20_000; !fits(60, 14); await setTimeout(50))
    assert.ok(performance.now() < end, view.page().join('\n'));
  view.type('q');
  assert.equal(await view.ended, 0);
  assert.ok(isRestored(view.output()), JSON.stringify(view.output().slice(-80)));
});

test('live: Ctrl-C is a way to quit, SIGTERM ends it by the signal, and both give the terminal back', {
  skip,
}, async () => {
  const [quit, terminated] = [
    onTerminal(['--pod', server.adminUrl]),
    onTerminal(['--pod', server.adminUrl, '--no-color'], 'echo "pid $$"; '),
  ];
  await Promise.all([quit, terminated].map((view) => view.shows(/1 of 1 pod up/)));
  quit.type('x\u0003');
  assert.equal(await quit.ended, 0);
  assert.ok(quit.output().includes(green));
  assert.ok(!terminated.output().includes(green));
  process.kill(Number(/pid (\d+)/.exec(terminated.output())?.[1]), 'SIGTERM');
  assert.equal(await terminated.ended, 128 + 15);
  for (const view of [quit, terminated]) assert.ok(isRestored(view.output()), JSON.stringify(view.output().slice(-80)));
});

test('live: when nobody answers at the start, there is no view and the terminal stays as it is', { skip }, async () => {
  const view = onTerminal(['--pod', `127.0.0.1:${nobody}`]);
  assert.equal(await view.ended, 1);
  assert.match(view.output(), /^error: no pod shows its metrics/m);
  assert.ok(!view.output().includes('\u001b'));
});
