import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';

const server = await startAuthServer();
const restricted = await startAuthServer({ env: { SERVER_ALLOWED_ORIGINS: 'https://app.example.com' } });
const closed = await startAuthServer({ env: { SERVER_ALLOWED_ORIGINS: '' } });

const open = [
  '/oauth/token',
  '/oauth/register',
  '/oauth/revoke',
  '/oauth/introspect',
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
  '/.well-known/jwks.json',
  '/.well-known/oauth-protected-resource/x',
];
const pages = ['/', '/oauth/authorize', '/oauth/return', '/login', '/consent', '/consent/exchange', '/logout'];
const ask = (url: string, origin: string, method: string, headers: Record<string, string> = {}) =>
  fetch(url, { method, redirect: 'manual', headers: { origin, ...headers } });
const preflight = (url: string, origin: string) =>
  ask(url, origin, 'OPTIONS', {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type,dpop,mcp-protocol-version',
  });
const corsHeaders = ({ headers }: Response) => [...headers.keys()].filter((name) => name.startsWith('access-control-'));

for (const path of open)
  for (const origin of ['https://app.example.com', 'https://evil.example', 'null'])
    test(`${path} may be called from ${origin}, without credentials (RFC 9700 §2.6) [R8414-13] [threat L11]`, async () => {
      const answer = await preflight(`${server.issuer}${path}`, origin);
      assert.equal(answer.status, 204);
      assert.equal(answer.headers.get('access-control-allow-origin'), '*');
      assert.equal(answer.headers.get('access-control-allow-credentials'), null);
      assert.match(answer.headers.get('access-control-allow-methods') ?? '', /POST/);
      const allowed = answer.headers.get('access-control-allow-headers')?.toLowerCase().split(', ') ?? [];
      for (const name of ['authorization', 'content-type', 'dpop', 'mcp-protocol-version'])
        assert.ok(allowed.includes(name), name);
      const method = path.startsWith('/oauth/') ? 'POST' : 'GET';
      const real = await ask(`${server.issuer}${path}`, origin, method, { cookie: 'authserver_session=x' });
      assert.equal(real.headers.get('access-control-allow-origin'), '*');
      assert.match(
        real.headers.get('access-control-expose-headers') ?? '',
        /WWW-Authenticate.*DPoP-Nonce.*Retry-After/,
      );
      assert.equal(real.headers.get('set-cookie'), null);
    });

for (const path of pages)
  test(`${path} is for people: no origin but our own reads it (RFC 9700 §2.6) [O21-23 R9700-06] [threat L11]`, async () => {
    for (const method of ['OPTIONS', 'GET', 'POST'])
      for (const origin of ['https://app.example.com', 'null'])
        assert.deepEqual(corsHeaders(await ask(`${server.issuer}${path}`, origin, method)), [], `${method} ${path}`);
  });

test('a list of origins is compared exactly, and answered with Vary [threat L11]', async () => {
  const url = `${restricted.issuer}/oauth/token`;
  const known = await preflight(url, 'https://app.example.com');
  assert.equal(known.headers.get('access-control-allow-origin'), 'https://app.example.com');
  assert.match(known.headers.get('vary') ?? '', /Origin/);
  for (const origin of [
    'https://evil.example',
    'null',
    'http://app.example.com',
    'https://app.example.com.evil.example',
    'https://APP.example.com',
  ]) {
    const answer = await ask(url, origin, 'POST');
    assert.equal(answer.headers.get('access-control-allow-origin'), null, origin);
    assert.match(answer.headers.get('vary') ?? '', /Origin/);
  }
});

test('an empty list allows nobody', async () => {
  for (const path of open)
    for (const method of ['OPTIONS', 'GET', 'POST'])
      assert.deepEqual(corsHeaders(await ask(`${closed.issuer}${path}`, 'https://app.example.com', method)), []);
});
