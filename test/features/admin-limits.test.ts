/** How many wrong keys and how many requests the admin API takes from one address. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '@authserver/config';
import { refused } from '../support/admin-answers.ts';
import { type AdminPlane, askAdmin } from '../support/admin-plane.ts';
import { startAuthServer } from '../support/auth-server.ts';

const limited = {
  SERVER_TRUSTED_PROXIES: '127.0.0.1/32,::1/128',
  ADMIN_AUTH_FAIL_MAX: '3',
  ADMIN_AUTH_FAIL_WINDOW: '5m',
};
const server = await startAuthServer({ admin: 2, env: limited });
const [here, there] = server.admins as [AdminPlane, AdminPlane];
const { admin } = server;

/** A look from an address, as a proxy reports it. */
const from = (ip: string, key: string | undefined, plane = here) =>
  askAdmin({ url: plane.url, key: '' }, 'GET', '/admin/stats', undefined, {
    'x-forwarded-for': ip,
    authorization: key === undefined ? undefined : `Bearer ${key}`,
  });
const wrong = (n: number) => `wrong-key-number-${n}-that-is-long-enough`;
const failUntilLimited = async (ip: string) => {
  for (const n of [1, 2, 3]) refused(await from(ip, wrong(n), n % 2 ? here : there), 'unauthorized');
};
const failuresAudited = () =>
  server.sql<{ actor_id: string | null; ip: string; details: Record<string, unknown> }>(
    `select actor_id, ip, details from audit_events where action = 'admin.auth_failed' order by id`,
  );
/** Lets windows end, and any further wrong key have what is over reported. */
const endWindows = async () => {
  server.clock.advance(301);
  refused(await from('203.0.113.250', wrong(0)), 'unauthorized');
};

test('after too many wrong keys, counted over all processes, an address has to wait [threat K03]', async () => {
  await failUntilLimited('203.0.113.1');
  for (const plane of [here, there])
    for (const key of [wrong(4), server.adminKey]) {
      const answer = await from('203.0.113.1', key, plane);
      refused(answer, 'too_many_requests'); // in the same words for the right key
      const seconds = Number(answer.headers.get('retry-after'));
      assert.ok(seconds > 0 && seconds <= 300, String(seconds));
    }
});

test('whoever guesses shuts out nobody at another address, and no bearer of a key of ours', async () => {
  await failUntilLimited('203.0.113.2');
  refused(await from('203.0.113.2', server.adminKey), 'too_many_requests');
  assert.equal((await from('203.0.113.3', server.adminKey)).status, 200);
  const { key, id } = await admin.adminKey.create({ body: { label: 'a key', role: 'viewer' } });
  for (const plane of [here, there]) assert.equal((await from('203.0.113.2', key, plane)).status, 200);
  await admin.adminKey.delete({ id });
  refused(await from('203.0.113.2', key), 'too_many_requests');
});

test('of an IPv6 address the first 64 bits count', async () => {
  for (const n of [1, 2, 3]) refused(await from(`2001:db8:0:7::${n}`, wrong(n)), 'unauthorized');
  refused(await from('2001:db8:0:7:ffff::9', server.adminKey), 'too_many_requests');
  assert.equal((await from('2001:db8:0:8::1', server.adminKey)).status, 200);
});

test('a missing key is no guess, and a right one is no failure', async () => {
  for (let n = 0; n < 10; n += 1) {
    refused(await from('203.0.113.4', undefined), 'unauthorized');
    assert.equal((await from('203.0.113.4', server.adminKey)).status, 200);
  }
  assert.equal((await from('203.0.113.4', server.adminKey)).status, 200);
});

test('a window of wrong keys becomes one audit event, which knows what the caller was not told', async () => {
  await endWindows();
  const known = (await failuresAudited()).length;
  const ip = '203.0.113.5';
  const expired = await admin.adminKey.create({ body: { label: 'expired', role: 'viewer', expires_in: 60 } });
  const revoked = await admin.adminKey.create({ body: { label: 'revoked', role: 'viewer' } });
  await admin.adminKey.delete({ id: revoked.id });
  server.clock.advance(61);
  for (const key of [wrong(1), expired.key, revoked.key]) refused(await from(ip, key), 'unauthorized');
  for (const key of [expired.key, wrong(2), server.adminKey, wrong(3)])
    refused(await from(ip, key, there), 'too_many_requests');
  assert.equal((await failuresAudited()).length, known, 'not before the window is over');

  await endWindows();
  assert.equal((await from(ip, server.adminKey)).status, 200);
  await endWindows();
  const events = (await failuresAudited()).filter(({ details }) => details.address === ip);
  assert.equal(events.length, 1);
  const [{ actor_id, details }] = events as [(typeof events)[0]];
  assert.equal(actor_id, null);
  assert.equal(events[0]?.ip, ip);
  const { since, until, key_ids: keyIds, ...counts } = details;
  assert.deepEqual(counts, { address: ip, count: 7, unknown: 1, expired: 1, revoked: 1, limited: 4 });
  assert.deepEqual([...(keyIds as string[])].sort(), [expired.id, revoked.id].sort());
  assert.equal(Date.parse(String(until)) - Date.parse(String(since)), 300_000);
  for (const secret of [wrong(1), expired.key, server.adminKey]) assert.ok(!JSON.stringify(events).includes(secret));
});

test('beyond so many addresses all others are counted together, and nobody is shut out for them', async () => {
  const now = server.clock.now();
  const count = (address: string, most: number) =>
    server.store.adminKeyFailures.count({
      ...{ address, now, most, attempt: true, reason: 'unknown', ip: address },
      ...{ endsAt: new Date(now.getTime() + 300_000), keyId: undefined, userAgent: undefined },
    });
  await count('198.51.100.1', 1000);
  assert.equal((await count('198.51.100.2', 1)).address, 'other addresses');
  assert.deepEqual(
    await Promise.all([count('198.51.100.1', 1), count('198.51.100.3', 1)]).then((rows) =>
      rows.map(({ address, attempts }) => [address, attempts]),
    ),
    [
      ['198.51.100.1', 2],
      ['other addresses', 2],
    ],
  );
  assert.equal((await from('198.51.100.2', server.adminKey)).status, 200);
});

test('0 is no limit of wrong keys', async () => {
  const open = await startAuthServer({ admin: true, env: { ADMIN_AUTH_FAIL_MAX: '0' } });
  for (let n = 0; n < 20; n += 1)
    refused(
      await open.adminRequest('GET', '/admin/stats', undefined, { authorization: `Bearer ${n}` }),
      'unauthorized',
    );
  assert.equal((await open.adminRequest('GET', '/admin/stats')).status, 200);
});

test('an address has so many requests at once, with whatever key, and its health checks besides', async () => {
  const slow = await startAuthServer({
    admin: true,
    env: { ...limited, ADMIN_REQUESTS_PER_SECOND: '0.01', ADMIN_BURST: '3' },
  });
  const ask = (ip: string, authorization: string | undefined) =>
    slow.adminRequest('GET', '/admin/stats', undefined, { 'x-forwarded-for': ip, authorization });
  const right = `Bearer ${slow.adminKey}`;
  refused(await ask('203.0.113.1', undefined), 'unauthorized');
  for (let n = 0; n < 2; n += 1) assert.equal((await ask('203.0.113.1', right)).status, 200);
  for (const authorization of [right, undefined]) {
    const answer = await ask('203.0.113.1', authorization);
    refused(answer, 'too_many_requests');
    assert.ok(Number(answer.headers.get('retry-after')) > 0);
  }
  assert.equal((await ask('203.0.113.2', right)).status, 200);
  for (let n = 0; n < 5; n += 1)
    assert.equal((await slow.adminRequest('GET', '/livez', undefined, { authorization: undefined })).status, 200);
  const metrics = await slow.adminRequest('GET', '/metrics', undefined, { authorization: undefined });
  assert.match(String(metrics.body.text), /^authserver_rate_limited_total\{limit="admin_requests"\} 2$/m);
});

test('both limits are on unless somebody switches them off', () => {
  const { admin: defaults } = loadConfig({ env: {} }).config;
  assert.ok(defaults.requests_per_second > 0 && defaults.burst > 0 && defaults.auth_fail_max > 0);
  const env = { AUTHPLANE_ADMIN_REQUESTS_PER_SECOND: '2.5', AUTHPLANE_ADMIN_BURST: '7' };
  const { admin: chosen } = loadConfig({ env }).config;
  assert.deepEqual([chosen.requests_per_second, chosen.burst], [2.5, 7]);
});
