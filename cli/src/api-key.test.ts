import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findApiKey } from './api-key.ts';
import { CommandFailure } from './failure.ts';

const directory = await mkdtemp(join(tmpdir(), 'admin-key-'));
after(() => rm(directory, { recursive: true }));
await writeFile(join(directory, 'admin-api-key'), 'generated\n');
await writeFile(join(directory, 'mounted'), 'mounted\n');

const find = (url: string, env: Record<string, string>) => findApiKey(new URL(url), { configPath: undefined, env });
const here = { AUTHPLANE_SERVER_DATA_DIR: directory };

test('the environment comes before the generated key', async () => {
  assert.equal(await find('http://localhost:9001', here), 'generated');
  assert.equal(await find('http://localhost:9001', { ...here, AUTHPLANE_ADMIN_API_KEY: 'given' }), 'given');
  const file = join(directory, 'mounted');
  assert.equal(await find('http://localhost:9001', { ...here, AUTHPLANE_ADMIN_API_KEY_FILE: file }), 'mounted');
  const both = { AUTHPLANE_ADMIN_API_KEY: 'given', AUTHPLANE_ADMIN_API_KEY_FILE: file };
  await assert.rejects(find('http://localhost:9001', both), CommandFailure);
  await assert.rejects(find('http://localhost:9001', { AUTHPLANE_ADMIN_API_KEY_FILE: '/nowhere' }), CommandFailure);
});

test('the generated key stays on this machine', async () => {
  for (const url of ['http://127.0.0.1:9001', 'http://127.8.0.1', 'http://[::1]:9001'])
    assert.equal(await find(url, here), 'generated', url);
  for (const url of ['https://auth.example.com', 'http://localhost.example.com', 'http://127.0.0.1.example.com'])
    assert.equal(await find(url, here), undefined, url);
});
