import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuthServer, startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { raw } from '../support/test-app.ts';

/** The address a failed sign-in is recorded under. */
const recordedAddress = async (server: AuthServer, headers: Record<string, string>): Promise<unknown> => {
  const browser = new TestBrowser(headers);
  const login = await browser.get(`${server.issuer}/login`);
  await browser.post(`${server.issuer}/login`, {
    csrf_token: login.field('csrf_token'),
    email: `nobody-${crypto.randomUUID()}@example.com`, // failures at one account are counted together
    password: 'wrong',
  });
  const [event] = await server.sql(
    `select ip from audit_events where action = 'user.login_failed' order by id desc limit 1`,
  );
  return event?.ip;
};
const loopback = /^(::1|127\.0\.0\.1|::ffff:127\.0\.0\.1)$/;
const trusting = (proxies: string) => startAuthServer({ env: { SERVER_TRUSTED_PROXIES: proxies } });

test('X-Forwarded-For of somebody we do not trust is not read', async () => {
  for (const server of [await startAuthServer(), await trusting('10.0.0.0/8')])
    for (const headers of [
      { 'x-forwarded-for': '203.0.113.7' },
      { forwarded: 'for=203.0.113.7' },
      { 'x-real-ip': '203.0.113.7' },
      { 'true-client-ip': '203.0.113.7' },
    ] as Record<string, string>[])
      assert.match(String(await recordedAddress(server, headers)), loopback);
});

test('a trusted proxy names the client; what the client wrote itself stands left of it and does not count', async () => {
  const server = await trusting('127.0.0.0/8,::1');
  assert.equal(await recordedAddress(server, { 'x-forwarded-for': '203.0.113.7' }), '203.0.113.7');
  assert.equal(await recordedAddress(server, { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' }), '203.0.113.7');
  assert.equal(
    await recordedAddress(server, { 'x-forwarded-for': '198.51.100.1, 203.0.113.7, 127.0.0.9' }),
    '203.0.113.7',
  );
  assert.match(String(await recordedAddress(server, {})), loopback);
});

test('a forwarded scheme or host changes no document and no redirect (RFC 8414 §6.2) [threat C09]', async () => {
  for (const server of [await startAuthServer(), await trusting('127.0.0.0/8,::1')]) {
    const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example', 'x-forwarded-port': '1' };
    const app = await server.client();
    const document = await raw(`${server.issuer}/.well-known/oauth-authorization-server`, { headers });
    assert.equal(JSON.parse(document.text).issuer, server.issuer);
    assert.doesNotMatch(document.text, /evil/);
    const start = await raw(app.authorizeUrl('a'.repeat(43), { scope: 'bogus' }), { headers });
    assert.equal(new URL(String(start.headers.get('location'))).searchParams.get('iss'), server.issuer);
    const login = await raw(`${server.issuer}/login`, { headers });
    assert.doesNotMatch(login.text, /evil/);
  }
});

test('a garbled X-Forwarded-For is no fault of ours', async () => {
  const server = await trusting('127.0.0.0/8,::1');
  for (const value of [
    '',
    ',',
    'unknown',
    '_hidden',
    "'; drop table users",
    'x'.repeat(4_000),
    '203.0.113.7:443',
    '[::1]:1',
  ])
    assert.match(
      String(await recordedAddress(server, { 'x-forwarded-for': value })),
      value === '203.0.113.7:443' ? /^203\.0\.113\.7$/ : loopback,
      value,
    );
});

test('many hops: the first address from the right that no trusted proxy has is the client [R9700-12]', async () => {
  const server = await trusting('127.0.0.0/8,::1,10.0.0.0/8,2001:db8:ffff::/48');
  for (const [forwardedFor, client] of [
    ['192.0.2.66, 203.0.113.7, 10.0.0.1, 10.0.0.2', '203.0.113.7'],
    ['10.0.0.66, 203.0.113.7, 10.0.0.1', '203.0.113.7'],
    ['203.0.113.7, 2001:db8::7, 2001:db8:ffff::1', '2001:db8::7'],
    ['[2001:db8::7]:4711, 10.0.0.1', '2001:db8::7'],
    ['203.0.113.7, unknown, 10.0.0.1', '10.0.0.1'],
    [`203.0.113.7${', 10.0.0.1'.repeat(300)}`, '203.0.113.7'],
  ] as const)
    assert.equal(await recordedAddress(server, { 'x-forwarded-for': forwardedFor }), client, forwardedFor.slice(0, 60));
});
