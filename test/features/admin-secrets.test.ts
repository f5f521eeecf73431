/** Secrets go in at one place each and come out nowhere: every canary is looked for in everything that was said. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import pg from 'pg';
import { createEmptyDatabase } from '../support/database.ts';
import { startServer } from '../support/started-server.ts';
import { ok, TestApp } from '../support/test-app.ts';

const canary = (name: string) => `${name}-${randomBytes(18).toString('base64url')}`;
const secrets = {
  adminKey: canary('adminkey'),
  sessionSecret: canary('sessionsecret-which-is-long-enough'),
  pepper: canary('pepper-which-is-long-enough-for-us'),
  password: canary('password'),
  nextPassword: canary('nextpassword'),
  refusedPassword: canary('refusedpassword'),
  wrongKey: canary('wrongkey'),
  stray: canary('stray'),
};
const { dsn, drop } = await createEmptyDatabase();
after(drop);
const server = await startServer({
  env: {
    STORAGE_DRIVER: 'postgres',
    STORAGE_POSTGRES_DSN: dsn,
    LOG_LEVEL: 'debug',
    ADMIN_API_KEY: secrets.adminKey,
    SESSION_SECRET: secrets.sessionSecret,
    CLIENT_SECRET_PEPPER: secrets.pepper,
  },
});

/** Everything an operator may be shown, apart from the one answer that is meant to show a secret. */
const said: string[] = [];
const ask = async (method: string, path: string, body?: unknown, key = secrets.adminKey) => {
  const response = await fetch(`${server.adminUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const answer = { status: response.status, text: `${text}${JSON.stringify([...response.headers])}` };
  return { ...answer, json: text.startsWith('{') ? (JSON.parse(text) as Record<string, string>) : {} };
};
const tell = async (...args: Parameters<typeof ask>) => {
  const answer = await ask(...args);
  said.push(answer.text);
  return answer;
};

test('nothing secret is in an answer, a log line, an audit event, a change or a metric [threat L07]', async () => {
  const email = 'ada@example.com';
  const user = await tell('POST', '/admin/users', { email, password: secrets.password });
  assert.equal(user.status, 201);
  const at = `/admin/users/${user.json.id}`;
  assert.equal((await tell('PATCH', at, { password: secrets.nextPassword })).status, 200);

  const refusedBodies: [method: string, path: string, body: unknown][] = [
    ['POST', '/admin/users', { email, password: secrets.refusedPassword }],
    ['POST', '/admin/users', { email: 'x', password: secrets.refusedPassword }],
    ['POST', '/admin/users', { email: 'x@example.com', password: [secrets.refusedPassword] }],
    ['POST', '/admin/users', { email: 'x@example.com', password: secrets.refusedPassword, role: 'x' }],
    ['POST', '/admin/users', { email: 'x@example.com', password: secrets.refusedPassword.repeat(50) }],
    ['POST', '/admin/users', `{"email":"x@example.com","password":"${secrets.refusedPassword}"`],
    ['PATCH', at, { password: { $: secrets.refusedPassword } }],
    ['PATCH', '/admin/users/nobody', { password: secrets.refusedPassword }],
    ['POST', '/admin/clients', { client_name: 'App', client_secret: secrets.stray }],
  ];
  for (const [method, path, body] of refusedBodies) assert.ok((await tell(method, path, body)).status >= 400);
  assert.equal((await tell('GET', '/admin/stats', undefined, secrets.wrongKey)).status, 401);
  assert.ok((await tell('GET', `/admin/stats?api_key=${secrets.stray}`)).status < 500);
  assert.ok((await tell('GET', `/admin/clients?token=${secrets.stray}`)).status >= 400);

  const grants = { grant_types: ['client_credentials'], token_endpoint_auth_method: 'client_secret_basic' };
  const created = await ask('POST', '/admin/clients', { client_name: 'Job', ...grants, scope: 'tools/read' });
  const clientId = String(created.json.client_id);
  const rotated = await ask('POST', `/admin/clients/${clientId}/rotate-secret`);
  const clientSecrets = [created, rotated].map(({ json }) => String(json.client_secret));
  for (const secret of clientSecrets) assert.match(secret, /^.{43,}$/);
  await tell('POST', '/admin/resources', {
    slug: 'mcp',
    uri: 'https://mcp.example.com/',
    scopes: [{ name: 'tools/read' }],
  });
  const app = (clientSecret: string | undefined) =>
    new TestApp([server.issuer], { clientId, clientSecret, authMethod: 'client_secret_basic', redirectUris: [] });
  said.push(JSON.stringify((await app(clientSecrets[0]).clientCredentials()).body));
  const job = app(clientSecrets[1]);
  const { access_token } = ok(await job.clientCredentials({ resource: 'https://mcp.example.com/' }));
  said.push(JSON.stringify((await job.introspect(access_token)).body));

  for (const path of ['/metrics', '/health', '/admin/openapi.json', '/admin/system/config', '/admin/system/status'])
    await tell('GET', path);
  for (const path of ['/admin/clients', '/admin/users', '/admin/keys', '/admin/audit', '/admin/stats', at])
    await tell('GET', path);
  await tell('GET', `/admin/issuances?client=${clientId}`);
  await tell('DELETE', `/admin/clients/${clientId}?force=true`);
  await tell('DELETE', `${at}?force=true`);
  await server.stop();

  const rows = await textOf(['audit_events', 'changes', 'settings', 'issuances', 'clients', 'users', 'client_secrets']);
  const everything = {
    answers: said.join('\n'),
    output: server.process.stdout(),
    errors: server.process.stderr(),
    rows,
  };
  assert.match(everything.output, /\/admin\/users/, 'the log was on');
  const dsnPassword = new URL(dsn).password;
  const keys = join(server.directory, 'data/keys');
  const keyFile = (await readdir(keys)).find((name) => name.endsWith('.pem'));
  const pem = await readFile(join(keys, String(keyFile)), 'utf8');
  const hidden = {
    ...secrets,
    firstClientSecret: clientSecrets[0],
    secondClientSecret: clientSecrets[1],
    accessToken: access_token,
    signingKey: pem.split('\n')[1],
    ...(dsnPassword ? { dsnPassword } : {}),
  };
  for (const [name, secret] of Object.entries(hidden)) {
    assert.ok(secret && secret.length > 20, name);
    for (const [where, text] of Object.entries(everything))
      assert.ok(!text.includes(secret), `${name} is in ${where}: ${around(text, secret)}`);
  }
  for (const [where, text] of Object.entries({ answers: everything.answers, output: everything.output }))
    assert.doesNotMatch(text, /\$argon2id|BEGIN [A-Z ]*PRIVATE KEY/, where);
});

const around = (text: string, secret: string): string => {
  const at = text.indexOf(secret);
  return text.slice(Math.max(0, at - 120), at + 20);
};

/** All rows of the tables as text. */
const textOf = async (tables: readonly string[]): Promise<string> => {
  const connection = new pg.Client({ connectionString: dsn });
  await connection.connect();
  const texts: string[] = [];
  for (const table of tables)
    for (const row of (await connection.query(`select t::text as text from ${table} t`)).rows) texts.push(row.text);
  await connection.end();
  assert.ok(texts.some((text) => text.includes('user.password_set')));
  return texts.join('\n');
};
