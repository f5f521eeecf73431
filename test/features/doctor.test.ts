import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';
import { startIdentityProviders } from '../support/identity-provider.ts';

const server = await startAuthServer();
const issuer = server.issuer;
const masterKey = { MASTER_KEY: 'ab'.repeat(32) };
const stored = await startAuthServer({
  secrets: masterKey,
  env: {
    SIGNING_KEY_STORE: 'postgres_key',
    DATA_ENCRYPTION_DRIVER: 'aes_master',
    DATA_ENCRYPTION_KEY_ENV: 'MASTER_KEY',
  },
});

type Finding = { side: string; status: 'ok' | 'warning' | 'problem'; detail: string; remedy?: string };
type Reply = (request: IncomingMessage, response: ServerResponse, origin: string) => void;

/** A host whose answers are written by the test; what it does not know is 404. */
const startHost = async (replies: Record<string, Reply>): Promise<string> => {
  const host = createServer((request, response) => {
    const reply = replies[(request.url ?? '').split('?')[0] ?? ''];
    if (reply) reply(request, response, origin);
    else response.writeHead(404).end();
  });
  host.listen(0, '127.0.0.1');
  await once(host, 'listening');
  after(() => host.close());
  const origin = `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
  return origin;
};

const cors = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'WWW-Authenticate' };
const json =
  (body: (origin: string) => unknown, headers: Record<string, string> = cors): Reply =>
  (_request, response, origin) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body(origin)));
  };
const challenge =
  (headers: Record<string, string> = cors): Reply =>
  (_request, response, origin) => {
    const name = `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`;
    response.writeHead(401, { 'www-authenticate': name, ...headers }).end();
  };
const metadata = json((origin) => ({ resource: `${origin}/mcp`, authorization_servers: [issuer] }));
const page: Reply = (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
};

const examine = async (...args: string[]): Promise<{ findings: Finding[]; code: number | null }> => {
  const { code, stdout } = await runCli(['doctor', ...args, '--json']);
  const { findings, problems } = JSON.parse(stdout) as { findings: Finding[]; problems: number };
  assert.equal(problems, findings.filter(({ status }) => status === 'problem').length);
  assert.equal(code, problems > 0 ? 1 : 0);
  return { findings, code };
};
const problemsOf = (findings: readonly Finding[]) =>
  findings.filter(({ status }) => status === 'problem').map(({ side, detail }) => `${side}: ${detail}`);

test('this server, its database, its keys and its issuer are found well', async () => {
  const { findings } = await examine('--config', await server.configFile());
  assert.deepEqual(problemsOf(findings), []);
  const text = JSON.stringify(findings);
  for (const part of [/PostgreSQL 1\d/, /migrations are applied/, /current .*next/, /clock agrees/, /keys at/])
    assert.match(text, part);
});

test('keys in the database are opened; a wrong master key and a waiting algorithm are told', async () => {
  const encryption = { driver: 'aes_master', aes_master: { key_env: 'MASTER_KEY' } };
  const settings = (signing: object) => ({
    signing: { key_store: 'postgres_key', ...signing },
    data_encryption: encryption,
  });
  const config = await stored.configFile(settings({ algorithm: 'RS256' }));
  const look = async (env: Record<string, string>) => {
    const { stdout } = await runCli(['doctor', '--config', config, '--json'], { env });
    const { findings } = JSON.parse(stdout) as { findings: Finding[] };
    return findings.filter(({ side }) => side === 'keys').map(({ status, detail }) => `${status} ${detail}`);
  };
  const [found, waiting, ...others] = await look(masterKey);
  assert.match(String(found), /^ok next \S+, current \S+|^ok current \S+, next \S+/);
  assert.match(String(waiting), /^warning the configuration says RS256/);
  assert.deepEqual(others, []);
  const [refused] = await look({ MASTER_KEY: 'ef'.repeat(32) });
  assert.match(
    String(refused),
    /^problem The signing key \S+ in the database cannot be opened: no configured master key/,
  );
});

test('the key that encrypts is tried on what is there; another key, and one that waits, are told', async () => {
  const encryption = { driver: 'aes_master', aes_master: { key_env: 'MASTER_KEY' } };
  const plain = await stored.configFile({ data_encryption: encryption });
  const rotating = await stored.configFile({
    data_encryption: { ...encryption, aes_master: { key_env: 'NEW_KEY', old_key_env: 'MASTER_KEY' } },
  });
  const look = async (config: string, env: Record<string, string>) => {
    const { stdout } = await runCli(['doctor', '--config', config, '--json'], { env });
    const { findings } = JSON.parse(stdout) as { findings: Finding[] };
    return findings.filter(({ side }) => side === 'encryption').map(({ status, detail }) => `${status} ${detail}`);
  };
  assert.deepEqual(await look(plain, masterKey), ['ok aes_master encrypts, and opens what is there']);
  assert.deepEqual(await look(rotating, { ...masterKey, NEW_KEY: 'cd'.repeat(32) }), [
    'ok aes_master encrypts, and opens what is there',
    'warning values of another key wait for admin crypto reencrypt',
  ]);
  const [lost] = await look(plain, { MASTER_KEY: 'ef'.repeat(32) });
  assert.match(String(lost), /^problem no configured key opens what is kept for signing-key:/);
});

test('an MCP server that names our issuer: every client gets to the sign-in page', async () => {
  const origin = await startHost({ '/mcp': challenge(), '/.well-known/oauth-protected-resource/mcp': metadata });
  const { findings } = await examine('--mcp-server', `${origin}/mcp`);
  assert.deepEqual(problemsOf(findings), []);
  const [documents, registering] = findings.filter(({ detail }) => detail.includes('sign-in page'));
  assert.match(documents?.detail ?? '', /^Claude, ChatGPT, VS Code: .*metadata document/);
  assert.match(registering?.detail ?? '', /^Cursor, MCP Inspector: .*registered itself/);
});

for (const { name, replies, side, detail } of [
  {
    name: 'a web app that answers every address with its page',
    replies: { '/mcp': challenge(), '/.well-known/oauth-protected-resource/mcp': page },
    side: 'MCP server',
    detail: /200 with text\/html, which is no JSON/,
  },
  {
    name: 'an MCP server that lets everybody in',
    replies: { '/mcp': json(() => ({ jsonrpc: '2.0' })), '/.well-known/oauth-protected-resource/mcp': metadata },
    side: 'MCP server',
    detail: /without a token: it lets everybody in/,
  },
  {
    name: 'a 401 without a challenge',
    replies: {
      '/mcp': ((_request, response) => response.writeHead(401).end()) as Reply,
      '/.well-known/oauth-protected-resource/mcp': metadata,
    },
    side: 'MCP server',
    detail: /401 without WWW-Authenticate/,
  },
  {
    name: 'a bot filter',
    replies: {
      '/mcp': ((_request, response) => response.writeHead(403, { 'content-type': 'text/html' }).end('<html>')) as Reply,
    },
    side: 'network',
    detail: /firewall or a bot filter/,
  },
  {
    name: 'a resource that is another one',
    replies: {
      '/mcp': challenge(),
      '/.well-known/oauth-protected-resource/mcp': json(() => ({
        resource: 'https://other.example.com/mcp',
        authorization_servers: [issuer],
      })),
    },
    side: 'MCP server',
    detail: /which http:.* is not below/,
  },
  {
    name: 'metadata that names no authorization server',
    replies: {
      '/mcp': challenge(),
      '/.well-known/oauth-protected-resource/mcp': json((origin) => ({ resource: `${origin}/mcp` })),
    },
    side: 'MCP server',
    detail: /authorization_servers is missing/,
  },
  {
    name: 'an issuer with a slash too many',
    replies: {
      '/mcp': challenge(),
      '/.well-known/oauth-protected-resource/mcp': json((origin) => ({
        resource: `${origin}/mcp`,
        authorization_servers: [`${issuer}/`],
      })),
    },
    side: 'authorization server',
    detail: /but it was asked for as/,
  },
] as const)
  test(`${name}: the ${side} has to act`, async () => {
    const origin = await startHost(replies);
    const problems = problemsOf((await examine('--mcp-server', `${origin}/mcp`)).findings);
    assert.ok(
      problems.some((problem) => problem.startsWith(`${side}: `) && detail.test(problem)),
      problems.join('\n'),
    );
  });

test('a server that pages may not read stops the Inspector, and only it', async () => {
  const origin = await startHost({
    '/mcp': challenge({}),
    '/.well-known/oauth-protected-resource/mcp': json(
      (origin) => ({ resource: `${origin}/mcp`, authorization_servers: [issuer] }),
      {},
    ),
  });
  const problems = problemsOf((await examine('--mcp-server', `${origin}/mcp`)).findings);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^MCP server: MCP Inspector: .*Access-Control-Allow-Origin/);
});

test('another authorization server: what it lacks is named, and who stumbles over it', async () => {
  const document = (origin: string) => ({
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    response_types_supported: ['code'],
    scopes_supported: [],
    jwks_uri: `${origin}/jwks`,
  });
  const origin = await startHost({
    '/.well-known/oauth-authorization-server': json(document),
    '/jwks': json(() => ({ keys: [{ kty: 'EC', d: 'secret' }] })),
  });
  const { findings } = await examine('--issuer', origin);
  const text = problemsOf(findings).join('\n');
  for (const part of [/no S256/, /PRIVATE key/, /Claude, ChatGPT, Cursor, VS Code.*PKCE/]) assert.match(text, part);
  assert.match(JSON.stringify(findings), /empty members: scopes_supported/);
});

test('nothing there is the network, said once', async () => {
  const { findings } = await examine('--issuer', 'http://127.0.0.1:9/');
  assert.equal(problemsOf(findings).length, 1);
  assert.equal(findings[0]?.side, 'network');
});

test('a configuration that cannot be read, and an address that is none', async () => {
  const { code, stdout } = await runCli(['doctor', '--config', '/nowhere.yaml']);
  assert.equal(code, 1);
  assert.match(stdout, /^PROBLEM {2}configuration: [^→]*nowhere\.yaml/);
  assert.match(failedWith(await runCli(['doctor', '--issuer', 'auth.example.com']), 2), /http or https URL/);
});

test('a database that is away, and Redis too', async () => {
  const file = await server.configFile({
    storage: { driver: 'postgres', postgres: { dsn: 'postgres://nobody:hunter2@127.0.0.1:9/none' } },
    redis: { url: 'redis://:hunter2@127.0.0.1:9' },
  });
  const { code, stdout } = await runCli(['doctor', '--config', file]);
  assert.equal(code, 1);
  assert.match(stdout, /PROBLEM {2}database: cannot connect to PostgreSQL at 127\.0\.0\.1:9/);
  assert.match(stdout, /PROBLEM {2}Redis: 127\.0\.0\.1:9: /);
  assert.ok(!stdout.includes('hunter2'));
});

test('an OpenID provider: one that answers, one that is another, and one that is away', async () => {
  const provider = (issuer: string) => ({
    oidc: { enabled: true, issuer, client_id: 'us', client_secret: 'a secret of the provider' },
  });
  const lookAt = async (issuer: string) => {
    const { findings } = await examine('--config', await server.configFile(provider(issuer)));
    return findings.filter(({ side }) => side === 'OpenID provider').map(({ status, detail }) => `${status} ${detail}`);
  };
  const { newIdp } = await startIdentityProviders();
  const endpoints = { authorization_endpoint: 'https://idp.example/a', token_endpoint: 'https://idp.example/t' };
  const good = newIdp({ metadata: endpoints }).issuer;
  assert.deepEqual(await lookAt(good), [`ok ${good} answers, with 2 keys for ID tokens`]);
  const other = newIdp({ metadata: { ...endpoints, issuer: 'https://evil.example' } }).issuer;
  assert.match((await lookAt(other)).join(), /^problem .*speaks for another issuer$/);
  assert.match((await lookAt('http://localhost:1')).join(), /^problem .*(could not be reached|does not go there)/);
});
