import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '@authserver/http';
import type { Store } from '@authserver/store';
import { createLogger, createMetrics } from '@authserver/telemetry';
import type { FastifyRequest } from 'fastify';
import { createFailedKeys } from './failed-keys.ts';
import { createGuard } from './guard.ts';
import { identityOf } from './identity.ts';
import { newAdminKey } from './key.ts';
import { createKeyUse } from './key-use.ts';

const away = async (): Promise<never> => {
  throw new Error('the database is away');
};
const store = {
  adminKeys: { findByHash: away, touch: away },
  adminKeyFailures: { find: away, count: away, takeEnded: away },
  transaction: away,
} as unknown as Store;
const logger = createLogger({ level: 'fatal', stdout: false });

/** A guard over a database that is away. */
const createTestGuard = (rootKey: string | undefined, max = 3) => {
  let now = Date.now();
  const clock = { now: () => new Date(now) };
  const guard = createGuard({
    ...{ rootKey, rootActor: 'admin', adminKeys: store.adminKeys, pepper: undefined, clock },
    failedKeys: createFailedKeys({ store, max, windowSeconds: 60, clock, logger, metrics: createMetrics() }),
    keyUse: createKeyUse({ adminKeys: store.adminKeys, clock, logger }),
  });
  const ask = async (authorization: string | undefined, ip = '192.0.2.1') => {
    const request = { headers: { authorization }, ip } as FastifyRequest;
    await guard(request);
    return identityOf(request);
  };
  return {
    ask,
    refused: async (status: number, authorization: string | undefined, ip?: string) =>
      assert.rejects(ask(authorization, ip), (error) => {
        assert.ok(error instanceof Problem);
        assert.equal(error.status, status, `${authorization?.slice(0, 40)}`);
        assert.ok(!error.message.includes('the-key'));
        return true;
      }),
    pass: (seconds: number) => {
      now += seconds * 1000;
    },
  };
};

test('the configured key is the owner’s, by any spelling of the scheme, even while the database is away', async () => {
  const { ask } = createTestGuard('the-key');
  for (const header of ['Bearer the-key', 'bearer the-key', 'BEARER  the-key', 'Bearer the-key '])
    assert.deepEqual(await ask(header), { actorId: 'admin', role: 'owner' });
});

test('anything else is refused with a challenge [threat K03]', async () => {
  const cases: [string | undefined, string | undefined][] = [
    ['the-key', undefined],
    ['the-key', ''],
    ['the-key', 'Bearer'],
    ['the-key', 'Bearer the-ke'],
    ['the-key', 'Bearer the-key2'],
    ['the-key', 'Bearer the-key extra'],
    ['the-key', 'Bearer the-key\0'],
    ['the-key', 'Bearer THE-KEY'],
    ['the-key', 'Bearer ｔhe-key'],
    ['the-key', `Bearer ${'the-key'.repeat(150_000)}`],
    ['the-key', 'Basic the-key'],
    [undefined, 'Bearer undefined'],
    ['', 'Bearer '],
  ];
  for (const [key, header] of cases) {
    const { ask } = createTestGuard(key);
    await assert.rejects(
      ask(header),
      (error) =>
        error instanceof Problem &&
        error.status === 401 &&
        error.headers['www-authenticate'] === 'Bearer realm="admin"' &&
        !error.message.includes('the-key'),
    );
  }
});

test('while the database is away, this process counts wrong keys by itself', async () => {
  const { ask, refused, pass } = createTestGuard('the-key');
  for (let n = 0; n < 3; n += 1) await refused(401, `Bearer wrong ${n}`);
  for (const header of ['Bearer wrong', 'Bearer the-key']) await refused(429, header);
  assert.ok(await ask('Bearer the-key', '192.0.2.2'));
  pass(61);
  assert.ok(await ask('Bearer the-key'));
});

test('a key of ours cannot be looked up then, and nobody is told that it is wrong', async () => {
  const { ask } = createTestGuard('the-key');
  await assert.rejects(ask(`Bearer ${newAdminKey()}`), /the database is away/);
});
