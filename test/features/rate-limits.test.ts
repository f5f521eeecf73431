import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuthServer, startAuthServer } from '../support/auth-server.ts';
import { redis } from '../support/services.ts';
import { type Answer, postForm, read } from '../support/test-app.ts';

const env = {
  RATE_LIMIT_RPS: '1',
  RATE_LIMIT_BURST: '5',
  SERVER_TRUSTED_PROXIES: '127.0.0.0/8,::1',
  LOG_STDOUT: 'false',
};
const server = await startAuthServer({ env });
const direct = await startAuthServer({ env: { ...env, SERVER_TRUSTED_PROXIES: '' } });
const behindProxy = await startAuthServer({ env });
const open = await startAuthServer({ env: { ...env, RATE_LIMIT_ENABLED: 'false' } });
const fleet = await startAuthServer({
  pods: 2,
  env: { ...env, RATE_LIMIT_RPS: '0.2', REDIS_URL: (await redis()).url },
});
const machines = await startAuthServer({
  pods: 2,
  env: { ...env, RATE_LIMIT_ENABLED: 'false', REDIS_URL: (await redis()).url },
});
const own = await startAuthServer({
  env: { ...env, RATE_LIMIT_ENABLED: 'false', DCR_RATE_LIMIT: '1', DCR_RATE_LIMIT_BURST: '3' },
});
let network = 0;
const newAddress = () => {
  network += 1;
  return `198.51.${network}.1`;
};

const ask = async (
  at: AuthServer,
  path: string,
  from: string,
  init: RequestInit & { pod?: number } = {},
): Promise<Answer> =>
  read(
    await fetch(`${at.pods[init.pod ?? 0]?.url}${path}`, {
      redirect: 'manual',
      ...init,
      headers: { 'x-forwarded-for': from, ...(init.headers as Record<string, string>) },
    }),
  );
const useUp = async (at: AuthServer, from: string, path = '/.well-known/jwks.json') => {
  for (let count = 0; count < 5; count += 1) assert.notEqual((await ask(at, path, from)).status, 429, path);
};
const tooMany = (answer: Answer): void => {
  assert.equal(answer.status, 429);
  assert.equal(answer.body.error, 'slow_down');
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  assert.equal(answer.headers.get('ratelimit-policy'), '"requests";q=5;w=5');
  assert.match(answer.headers.get('ratelimit') ?? '', /^"requests";r=0;t=[1-5]$/);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
};

test('every answer says what is left; over the budget it is 429 with the wait (draft-ietf-httpapi-ratelimit-headers) [threat L10]', async () => {
  const from = newAddress();
  for (const left of [4, 3, 2, 1, 0]) {
    const answer = await ask(server, '/.well-known/oauth-authorization-server', from);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('ratelimit-policy'), '"requests";q=5;w=5');
    assert.match(answer.headers.get('ratelimit') ?? '', new RegExp(`^"requests";r=${left};t=[1-5]$`));
  }
  const refused = await ask(server, '/.well-known/oauth-authorization-server', from);
  tooMany(refused);
  await new Promise((resolve) => setTimeout(resolve, Number(refused.headers.get('retry-after')) * 1000));
  assert.equal((await ask(server, '/.well-known/oauth-authorization-server', from)).status, 200, 'Retry-After is true');
});

test('the budget is one over all public endpoints, also those that do not exist', async () => {
  for (const [path, init] of [
    ['/oauth/token', { method: 'POST', body: new URLSearchParams({ grant_type: 'refresh_token' }) }],
    ['/oauth/token', {}],
    ['/oauth/revoke', { method: 'POST', body: new URLSearchParams({ token: 'x' }) }],
    ['/oauth/introspect', { method: 'POST', body: new URLSearchParams({ token: 'x' }) }],
    ['/oauth/register', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }],
    ['/.well-known/jwks.json', {}],
    ['/.well-known/oauth-protected-resource/mcp', {}],
    ['/.well-known/nothing', {}],
    ['/nothing', {}],
  ] as [string, RequestInit][]) {
    const from = newAddress();
    await useUp(server, from, '/nothing');
    tooMany(await ask(server, path, from, init));
  }
});

test('a person gets a page, not JSON', async () => {
  for (const path of ['/login', '/', '/oauth/authorize?client_id=x', '/consent', '/device']) {
    const from = newAddress();
    await useUp(server, from);
    const answer = await ask(server, path, from, { headers: { accept: 'text/html' } });
    assert.equal(answer.status, 429, path);
    assert.match(answer.headers.get('content-type') ?? '', /^text\/html/);
    assert.match(String(answer.body.text), /Too many requests/);
    assert.ok(answer.headers.get('retry-after'));
    assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  }
});

test('health checks and preflights are never limited, and a page of another origin can read the refusal', async () => {
  const from = newAddress();
  await useUp(server, from);
  for (let count = 0; count < 10; count += 1) {
    for (const path of ['/livez', '/ready', '/health']) assert.equal((await ask(server, path, from)).status, 200);
    const preflight = await ask(server, '/oauth/token', from, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example.com', 'access-control-request-method': 'POST' },
    });
    assert.equal(preflight.status, 204);
  }
  const refused = await ask(server, '/oauth/token', from, {
    method: 'POST',
    headers: { origin: 'https://app.example.com' },
  });
  tooMany(refused);
  assert.equal(refused.headers.get('access-control-allow-origin'), '*');
  assert.match(refused.headers.get('access-control-expose-headers') ?? '', /Retry-After.*RateLimit, RateLimit-Policy/);
});

test('each address has its own budget, and no spelling of it another [threat L10]', async () => {
  const from = newAddress();
  await useUp(server, from);
  for (const spelling of [from, `::ffff:${from}`, `${from}:1234`, `203.0.113.1, ${from}`])
    tooMany(await ask(server, '/.well-known/jwks.json', spelling));
  assert.equal((await ask(server, '/.well-known/jwks.json', newAddress())).status, 200);

  const prefix = '2001:db8:77:1';
  for (let count = 1; count <= 5; count += 1)
    assert.equal((await ask(server, '/.well-known/jwks.json', `${prefix}::${count}`)).status, 200);
  tooMany(await ask(server, '/.well-known/jwks.json', `${prefix.toUpperCase()}:ffff:1:2:3`));
  assert.equal((await ask(server, '/.well-known/jwks.json', '2001:db8:77:2::1')).status, 200);
});

test('headers of somebody we do not trust are no way to another budget [R9700-12] [threat L10]', async () => {
  for (let count = 0; count < 5; count += 1) await ask(direct, '/.well-known/jwks.json', newAddress());
  for (const headers of [
    { 'x-forwarded-for': '203.0.113.7' },
    { forwarded: 'for=203.0.113.8' },
    { 'x-real-ip': '203.0.113.9' },
    { 'true-client-ip': '203.0.113.10' },
    { 'cf-connecting-ip': '203.0.113.11' },
  ] as Record<string, string>[])
    assert.equal((await ask(direct, '/.well-known/jwks.json', newAddress(), { headers })).status, 429);
});

test('an X-Forwarded-For of made-up words is one budget, that of the proxy [threat L10]', async () => {
  const seen: number[] = [];
  for (let count = 0; count < 8; count += 1)
    seen.push((await ask(behindProxy, '/.well-known/jwks.json', `made-up-${count}`)).status);
  assert.equal(seen.filter((status) => status === 429).length, 3);
});

test('enabled: false is no limit and no fields', async () => {
  for (let count = 0; count < 20; count += 1) {
    const answer = await ask(open, '/.well-known/jwks.json', '198.51.100.1');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('ratelimit'), null);
  }
});

test('with Redis the pods share the budget [threat L10]', async () => {
  const from = newAddress();
  let served = 0;
  for (let count = 0; count < 16; count += 1) {
    const answer = await ask(fleet, '/.well-known/jwks.json', from, { pod: count % 2 });
    if (answer.status === 200) served += 1;
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  assert.ok(served >= 5 && served <= 7, `${served} were served`);
});

test('wrong client credentials are told to slow down, the right ones always work [O21-16 EMA-14] [threat C10]', async () => {
  const client = await machines.client({
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    ceiling: ['tools/read'],
  });
  await machines.resource();
  const [from, other] = [newAddress(), newAddress()];
  const guess = (id: string, address: string, pod: number) =>
    postForm(
      client.url('/oauth/token', pod),
      { grant_type: 'client_credentials' },
      { authorization: `Basic ${btoa(`${id}:wrong`)}`, 'x-forwarded-for': address },
    );
  for (const id of [client.clientId, 'client_that_never_was']) {
    const seen: Answer[] = [];
    for (let count = 0; count < 50; count += 1) seen.push(await guess(id, from, count % 2));
    assert.equal(seen.filter(({ status }) => status === 401).length, 20, id);
    assert.equal(seen.filter(({ status, body }) => status === 429 && body.error === 'slow_down').length, 30, id);
    assert.ok(Number(seen.at(-1)?.headers.get('retry-after')) >= 1);
  }
  assert.equal((await client.clientCredentials({}, 0, { 'x-forwarded-for': from })).status, 200, 'the right secret');
  assert.equal((await guess(client.clientId, other, 0)).status, 401, 'elsewhere it is a new count');
});

test('a made-up client id is remembered by its beginning only, so that its length fills no memory [threat L01]', async () => {
  const from = newAddress();
  const guess = (n: number) =>
    postForm(
      `${machines.issuer}/oauth/token`,
      { grant_type: 'client_credentials', client_id: `${'x'.repeat(60_000)}${n}`, client_secret: 'wrong' },
      { 'x-forwarded-for': from },
    );
  for (let count = 0; count < 20; count += 1) assert.equal((await guess(count)).status, 401);
  assert.equal((await guess(21)).status, 429);
});

test('registrations have a budget of their own, by address (RFC 7591 §5) [threat G11]', async () => {
  const register = (from: string) =>
    ask(own, '/oauth/register', from, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['https://app.example.com/cb'] }),
    });
  const from = newAddress();
  for (let count = 0; count < 3; count += 1) assert.equal((await register(from)).status, 201);
  const refused = await register(from);
  assert.equal(refused.status, 429);
  assert.equal(refused.body.error, 'slow_down');
  assert.equal(refused.headers.get('ratelimit-policy'), '"registrations";q=3;w=3');
  assert.ok(refused.headers.get('retry-after'));
  assert.equal((await register(newAddress())).status, 201);
  assert.equal(await own.metric('authserver_rate_limited_total', { limit: 'registrations' }), 1);
});

test('an update of a registration counts like a registration: each leaves an audit event (RFC 7592 §2.2) [threat L10]', async () => {
  const from = newAddress();
  const metadata = { redirect_uris: ['https://app.example.com/cb'], token_endpoint_auth_method: 'none' };
  const send = async (method: string, path: string, body: unknown, token?: unknown) =>
    ask(own, path, from, {
      method,
      headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
      body: JSON.stringify(body),
    });
  let client = (await send('POST', '/oauth/register', metadata)).body;
  const put = () =>
    send(
      'PUT',
      `/oauth/register/${client.client_id}`,
      { ...metadata, client_id: client.client_id },
      client.registration_access_token,
    );
  const seen: number[] = [];
  for (let count = 0; count < 6; count += 1) {
    const answer = await put();
    seen.push(answer.status);
    if (answer.status === 200) client = answer.body;
  }
  assert.ok(seen.filter((status) => status === 200).length >= 2, seen.join());
  assert.ok(seen.includes(429), seen.join());
});
