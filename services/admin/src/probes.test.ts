import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '@authserver/config';
import { keyfileStore } from '@authserver/keys';
import { createStore, openDatabase } from '@authserver/store';
import { createLogger } from '@authserver/telemetry';
import { probeSubsystems } from './probes.ts';

test('without a database whatever lives there is unhealthy, and the rest is not', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'probes-'));
  const database = openDatabase({ dsn: 'postgres://127.0.0.1:1/none', maxConnections: 1, applicationName: 'test' });
  t.after(async () => {
    await database.end();
    await rm(directory, { recursive: true });
  });
  const subsystems = await probeSubsystems({
    config: loadConfig({ env: {} }).config,
    database,
    store: createStore(database),
    cipher: undefined,
    keyStore: keyfileStore({ directory, algorithm: 'ES256', maxTokenLifetimeSeconds: 60 }),
    ping: () => database.query('ping', 'select 1'),
    logger: createLogger({ level: 'fatal', stdout: false }),
  });
  assert.deepEqual(Object.fromEntries(subsystems.map(({ name, status }) => [name, status])), {
    storage: 'unhealthy',
    migrations: 'unhealthy',
    change_feed: 'unhealthy',
    signing: 'healthy',
    encryption: 'not_configured',
  });
  for (const { status, detail } of subsystems) if (status === 'unhealthy') assert.equal(detail, undefined);
});
