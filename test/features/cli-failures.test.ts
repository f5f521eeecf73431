import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { type CliOptions, failedWith, runCli } from '../support/command-line.ts';
import { emptyDirectory, freePorts } from '../support/server-process.ts';

const server = await startAuthServer({ admin: true });
const key = server.adminKey;
const url = server.adminUrl;
const cwd = await emptyDirectory();
const withKey = { cwd, env: { AUTHPLANE_ADMIN_URL: url, AUTHPLANE_ADMIN_API_KEY: key } };
const admin = (line: string, options: CliOptions = withKey) => runCli(['admin', ...line.split(' ')], options);

/** How commands end: by exit code, one line that says why, and the same as JSON. */
const ends: Record<string, [line: string, exitCode: number, status: number | undefined, detail: RegExp]> = {
  'what the server refuses is a failure': ['resource create --slug ?', 1, 400, /slug/],
  'a flag there is not is a usage error': ['client list --colour', 2, undefined, /--colour/],
  'a flag that is missing is a usage error': ['client create', 2, undefined, /--name|name/],
  'a value there is not is a usage error': ['client list --status gone', 2, undefined, /status/],
  'a number that is none is a usage error': ['client list --limit many', 2, undefined, /limit/],
  'no filter for issuances is a usage error': ['issuance list', 2, undefined, /user|client/],
  'a span that is none is a usage error': ['issuance list --user u --since soon', 2, undefined, /--since/],
  'what does not exist is not found': ['client get --id nobody', 4, 404, /no such client/],
  'a user nobody knows is not found by address': ['user get --email nobody@example.com', 4, undefined, /address/],
  'a key too young to sign is a conflict': ['key rotate', 5, 409, /Rotate again/],
};
for (const [name, [line, exitCode, status, detail]] of Object.entries(ends))
  test(`${name}: exit code ${exitCode}`, async () => {
    const told = failedWith(await admin(line), exitCode);
    assert.match(told, detail);
    const result = await admin(`${line} --json`);
    assert.equal(result.code, exitCode);
    const { error } = JSON.parse(result.stdout) as { error: Record<string, unknown> };
    assert.equal(error.status, status);
    assert.equal(typeof error.code, 'string');
    assert.match(String(error.detail), detail);
    assert.equal(result.stderr, '');
  });

test('an illegal move of state is a conflict', async () => {
  const { clientId } = await server.client();
  failedWith(await admin(`client reactivate --id ${clientId}`), 5);
});

test('a wrong key, or none, is an authentication failure that says what to set', async () => {
  for (const env of [
    { AUTHPLANE_ADMIN_URL: url },
    { AUTHPLANE_ADMIN_URL: url, AUTHPLANE_ADMIN_API_KEY: `${key}x` },
    { AUTHPLANE_ADMIN_URL: url, AUTHPLANE_ADMIN_API_KEY: key.slice(1) },
  ]) {
    const told = failedWith(await admin('stats', { cwd, env }), 3);
    assert.match(told, /AUTHPLANE_ADMIN_API_KEY/);
    assert.ok(!told.includes(key.slice(1, 20)));
  }
});

test('the key can come from a file, and is never shown', async () => {
  const file = join(cwd, 'key');
  await writeFile(file, `${key}\n`);
  const env = { AUTHPLANE_ADMIN_URL: url, AUTHPLANE_ADMIN_API_KEY_FILE: file };
  for (const line of ['stats', 'system config --json', 'client get --id nobody', 'key rotate --json']) {
    const { stdout, stderr } = await admin(line, { cwd, env });
    assert.ok(!`${stdout}${stderr}`.includes(key), line);
  }
  assert.equal((await admin('stats', { cwd, env })).code, 0);
  failedWith(await admin('stats', { cwd, env: { ...env, AUTHPLANE_ADMIN_API_KEY: key } }), 2);
  failedWith(await admin('stats', { cwd, env: { ...env, AUTHPLANE_ADMIN_API_KEY_FILE: join(cwd, 'none') } }), 2);
});

test('there is no flag for the key: it would show in the list of processes', async () => {
  for (const flag of ['--api-key', '--admin-api-key', '--key']) {
    const told = failedWith(await admin(`stats ${flag} ${key}`), 2);
    assert.ok(told.includes(flag));
    assert.ok(!told.includes(key), 'and what was mistaken for one is not repeated');
  }
});

test('the URL may be a flag, which wins', async () => {
  const env = { AUTHPLANE_ADMIN_URL: 'http://localhost:1', AUTHPLANE_ADMIN_API_KEY: key };
  assert.equal((await admin(`stats --admin-url ${url}`, { cwd, env })).code, 0);
  for (const wrong of ['localhost:9001', 'ftp://localhost', 'http://me:pw@localhost', `${url}?key=x`])
    assert.match(failedWith(await admin(`stats --admin-url ${wrong}`), 2), /--admin-url/);
});

test('a service that is down is said to be, with what to do', async () => {
  const [port] = await freePorts(1);
  const env = { AUTHPLANE_ADMIN_URL: `http://localhost:${port}`, AUTHPLANE_ADMIN_API_KEY: key };
  const told = failedWith(await admin('stats', { cwd, env }), 1);
  assert.equal(
    told,
    `cannot reach the admin service at http://localhost:${port}: is it running? (start it with: authserver serve)`,
  );
  const { stdout } = await admin('stats --json', { cwd, env });
  assert.equal(JSON.parse(stdout).error.code, 'unreachable');
});

test('the key is not taken along by a redirect', async () => {
  const seen: (string | undefined)[] = [];
  const thief = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end('{}');
  }).listen(0);
  const mover = createServer((_request, response) => {
    response.writeHead(307, { location: `http://localhost:${(thief.address() as AddressInfo).port}/` }).end();
  }).listen(0);
  after(() => {
    thief.close();
    mover.close();
  });
  const env = {
    AUTHPLANE_ADMIN_URL: `http://localhost:${(mover.address() as AddressInfo).port}`,
    AUTHPLANE_ADMIN_API_KEY: key,
  };
  failedWith(await admin('stats', { cwd, env }), 1);
  assert.deepEqual(seen, []);
});

/** What is mistyped before there is a command, and what was meant. */
const mistyped: [line: string, detail: string][] = [
  ['admin clients list', 'there is no command admin clients; did you mean: authserver admin client? (see --help)'],
  ['admin clients --help', 'there is no command admin clients; did you mean: authserver admin client? (see --help)'],
  [
    'admin client lst',
    'there is no command admin client lst; did you mean: authserver admin client list? (see --help)',
  ],
  [
    'admin:client:lst',
    'there is no command admin client lst; did you mean: authserver admin client list? (see --help)',
  ],
  ['srve', 'there is no command srve; did you mean: authserver serve? (see --help)'],
  ['something', 'there is no command something (see --help)'],
  ['help something', 'there is no command something (see --help)'],
  ['--config x', 'a command comes before its flags (see --help)'],
];
for (const [line, detail] of mistyped)
  test(`"${line}" is a usage error that says what was meant, also as JSON`, async () => {
    assert.equal(failedWith(await runCli(line.split(' '), withKey), 2), detail);
    for (const json of [['--json'], ['--output', 'json'], ['-o=json']]) {
      const { code, stdout, stderr } = await runCli([...line.split(' '), ...json], withKey);
      assert.deepEqual([code, JSON.parse(stdout), stderr], [2, { error: { code: 'usage', detail } }, '']);
    }
  });

test('a group alone shows its commands', async () => {
  const help = await runCli(['admin', 'client'], withKey);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /rotate-secret/);
});

test('every command has help with an example, and takes --config and --json', async () => {
  for (const line of ['client create', 'user create', 'resource create', 'key rotate', 'issuance list']) {
    const { code, stdout } = await admin(`${line} --help`);
    assert.equal(code, 0);
    assert.match(stdout, /\$ authserver admin /, line);
    for (const flag of ['--config', '--json', '--admin-url']) assert.ok(stdout.includes(flag), `${line} ${flag}`);
  }
});

test('an address without an admin API is not taken for an object that is gone', async () => {
  for (const wrong of [server.issuer, `${url}/admin`]) {
    const env = { AUTHPLANE_ADMIN_URL: wrong, AUTHPLANE_ADMIN_API_KEY: key };
    assert.match(failedWith(await admin('client get --id somebody', { cwd, env }), 1), /no admin API at/);
  }
});

test('a migration plan makes nothing, not even a database', async () => {
  const empty = await emptyDirectory();
  const { code, stdout } = await runCli(['migrate', '--plan'], { cwd: empty });
  assert.equal(code, 0);
  assert.match(stdout, /name=0001_changes status=pending/);
  assert.deepEqual(await readdir(empty), []);
});
