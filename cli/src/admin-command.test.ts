import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../bin/authserver.js', import.meta.url));

/** Stands where the admin service stands: answers as it is told, and remembers what it was asked. */
const asked: { request: string; authorization: string | undefined; body: unknown }[] = [];
let answer: { status: number; body: unknown; location?: string } = { status: 200, body: {} };
const server = createServer(async (request, response) => {
  const body = await text(request);
  asked.push({
    request: `${request.method} ${request.url}`,
    authorization: request.headers.authorization,
    body: body === '' ? undefined : JSON.parse(body),
  });
  response.writeHead(answer.status, answer.location ? { location: answer.location } : {});
  response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
}).listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => server.close());
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const run = (args: string[], options: { adminUrl?: string; input?: string; env?: Record<string, string> } = {}) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const { PATH = '', HOME = '' } = process.env;
    const env = {
      PATH,
      HOME,
      XDG_CONFIG_HOME: '/nowhere',
      AUTHPLANE_ADMIN_URL: options.adminUrl ?? url,
      AUTHPLANE_ADMIN_API_KEY: 'the-key',
      ...options.env,
    };
    const child = execFile(process.execPath, [program, 'admin', ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
    child.stdin?.end(options.input ?? '');
  });

const answering = async (status: number, body: unknown, args: string[], options: Parameters<typeof run>[1] = {}) => {
  answer = { status, body };
  const result = await run(args, options);
  return { ...result, last: asked.at(-1) };
};

test('a client: flags become the body, the secret is output, the remark is not', async () => {
  const args = ['client', 'create', '--name', 'My App', '--redirect-uris', 'https://a.example/1,https://a.example/2'];
  const created = { client_id: 'c1', client_name: 'My App', client_secret: 's3cret' };
  const { code, stdout, stderr, last } = await answering(201, created, [
    ...args,
    ...['--scopes', 'tools/read||Read tools', '--scopes', 'tools/write', '--auth-method', 'client_secret_post'],
  ]);
  assert.deepEqual(last, {
    request: 'POST /admin/clients',
    authorization: 'Bearer the-key',
    body: {
      client_name: 'My App',
      redirect_uris: ['https://a.example/1', 'https://a.example/2'],
      scope: 'tools/read tools/write',
      token_endpoint_auth_method: 'client_secret_post',
    },
  });
  assert.equal(stdout, 'client created: id=c1 name="My App"\nclient_secret=s3cret\n');
  assert.match(stderr, /shown this once/);
  assert.equal(code, 0);
});

test('a user: the password comes from standard input', async () => {
  const user = { id: 'u1', email: 'you@example.com', role: 'user' };
  const args = ['user', 'create', '--email', user.email, '--password-stdin', '--json'];
  const { stdout, last } = await answering(201, user, args, { input: 'correct horse\n' });
  assert.deepEqual(last?.body, { email: user.email, password: 'correct horse', role: 'user' });
  assert.deepEqual(JSON.parse(stdout), user);
});

test('one policy list is changed, the others are sent back as they were', async () => {
  const policy = {
    exchange: { allowed_client_ids: ['a'] },
    runtime: { client_ids: ['b'] },
    connect: { allowed_return_urls: [] },
  };
  const args = ['resource', 'update', '--slug', 'mcp', '--policy-runtime-client-ids', 'c,d'];
  const { last } = await answering(200, { id: 'r1', slug: 'mcp', policy }, args);
  assert.equal(last?.request, 'PATCH /admin/resources/mcp');
  assert.deepEqual(last?.body, { policy: { ...policy, runtime: { client_ids: ['c', 'd'] } } });
});

test('a refusal is one line and an exit code, or an object that holds nothing else', async () => {
  const problem = { status: 404, code: 'not_found', detail: 'There is no such client.' };
  const plain = await answering(404, problem, ['client', 'get', '--id', 'x']);
  assert.deepEqual([plain.code, plain.stdout, plain.stderr], [4, '', 'error: There is no such client.\n']);
  const json = await answering(404, problem, ['client', 'get', '--id', 'x', '--json']);
  assert.deepEqual([json.code, JSON.parse(json.stdout), json.stderr], [4, { error: problem }, '']);
  const refused = await answering(401, {}, ['stats']);
  assert.equal(refused.code, 3);
  assert.ok(!refused.stderr.includes('the-key'));
});

test('a redirect is not followed: it would take the key elsewhere', async () => {
  answer = { status: 307, body: {}, location: `${url}/elsewhere` };
  const before = asked.length;
  assert.equal((await run(['stats'])).code, 1);
  assert.equal(asked.length, before + 1);
});

test('the admin URL may have a path; a port where nobody listens is said to be that', async () => {
  const { last } = await answering(200, {}, ['stats'], { adminUrl: `${url}/auth/` });
  assert.equal(last?.request, 'GET /auth/admin/stats');

  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const adminUrl = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
  await new Promise((resolve) => closed.close(resolve));
  const { code, stderr } = await run(['stats'], { adminUrl });
  assert.equal(code, 1);
  assert.ok(stderr.startsWith(`error: cannot reach the admin service at ${adminUrl}: is it running?`), stderr);
});

test('what does not exist is a usage error', async () => {
  for (const args of [
    ['client', 'bogus'],
    ['client', 'get'],
    ['client', 'get', '--nope'],
    ['issuance', 'list'],
  ])
    assert.equal((await run(args)).code, 2, args.join(' '));
});

test('what a flag does not say the environment may', async () => {
  const env = {
    AUTHSERVER_CLIENT_NAME: 'My App',
    AUTHSERVER_CLIENT_GRANT_TYPES: 'authorization_code,refresh_token',
    AUTHSERVER_CLIENT_REDIRECT_URIS: 'https://a.example/1,https://a.example/2',
    AUTHSERVER_CLIENT_SCOPE: 'a b',
    AUTHSERVER_CLIENT_AUTH_METHOD: 'client_secret_post',
  };
  const client = await answering(201, { client_id: 'c1' }, ['client', 'create', '--name', 'Other'], { env });
  assert.deepEqual(client.last?.body, {
    client_name: 'Other',
    redirect_uris: ['https://a.example/1', 'https://a.example/2'],
    grant_types: ['authorization_code', 'refresh_token'],
    scope: 'a b',
    token_endpoint_auth_method: 'client_secret_post',
  });
  const one = { env: { AUTHSERVER_CLIENT_ID: 'c1', AUTHSERVER_USER_ID: 'u1' } };
  assert.equal((await answering(200, {}, ['client', 'suspend'], one)).last?.request, 'PATCH /admin/clients/c1/suspend');
  assert.equal((await answering(200, {}, ['user', 'disable'], one)).last?.request, 'PATCH /admin/users/u1/disable');
  const user = {
    AUTHSERVER_USER_EMAIL: 'you@example.com',
    AUTHSERVER_USER_PASSWORD: 'correct horse',
    AUTHSERVER_USER_NAME: 'You',
    AUTHSERVER_USER_ROLE: 'admin',
  };
  const made = await answering(201, { id: 'u1' }, ['user', 'create'], { env: user });
  assert.deepEqual(made.last?.body, {
    email: 'you@example.com',
    password: 'correct horse',
    name: 'You',
    role: 'admin',
  });
});
