import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type AdminRequest, type AdminTransport, createAdminClient } from '@authserver/admin-api';
import { Config } from '@oclif/core';
import { entityCommand } from './entity-command.ts';
import type { OperationId } from './operations.ts';

const directory = await mkdtemp(join(tmpdir(), 'authserver-entity-'));
after(() => rm(directory, { recursive: true, force: true }));
const config = await Config.load({ root: fileURLToPath(new URL('..', import.meta.url)) });

/** Runs the command made for an operation: what it asked for, and what it printed. */
const ran = async (id: OperationId, words: string[], answer: unknown = undefined) => {
  const asked: AdminRequest[] = [];
  const printed: string[] = [];
  const transport: AdminTransport = async (request) => {
    asked.push(request);
    return { status: answer === undefined ? 204 : 200, body: answer };
  };
  const command = entityCommand(id);
  class Recorded extends command {
    override async run() {
      const { flags } = (await this.parse(command as never)) as { flags: Record<string, unknown> };
      return this.perform(createAdminClient({ transport }), flags);
    }
    override log(_format: string, line = ''): void {
      printed.push(line);
    }
  }
  await new Recorded(words, config).run();
  return { request: asked[0], printed };
};

const flagsOf = (id: OperationId) => Object.keys(entityCommand(id).flags);

test('path parameters, query and body become flags, and those what is asked for', async () => {
  const added = await ran('policy.addExchangeClient', ['--slug', 'my-mcp', '--client-id', 'c1'], {
    allowed_client_ids: ['c1'],
  });
  assert.deepEqual(added.request, {
    method: 'POST',
    path: '/admin/resources/my-mcp/policy/exchange/allowed-clients',
    body: { client_id: 'c1' },
  });
  assert.deepEqual(added.printed, ['allowed_client_ids=[c1]']);
  const listed = await ran('client.list', ['--status', 'active', '--limit', '3'], [{ id: 'c1', name: 'My App' }]);
  assert.deepEqual(listed.request?.query, { status: 'active', limit: '3' });
  assert.deepEqual(listed.printed, ['id=c1 name="My App"']);
  assert.deepEqual((await ran('client.list', [], [])).printed, ['no oauth clients found']);
  const { request, printed } = await ran('client.delete', ['--id', 'a/b', '--force']);
  assert.deepEqual([request?.path, request?.query], ['/admin/clients/a%2Fb', { force: 'true' }]);
  assert.deepEqual(printed, ['client delete done: id=a/b']);
});

test('lists, numbers, switches and objects have their own form', async () => {
  const words = ['--client-name', 'X', '--redirect-uris', 'https://a.example/1,https://a.example/2', '--no-agent'];
  const { request } = await ran('client.create', [...words, '--jwks', '{"keys":[]}'], { client_id: 'c' });
  assert.deepEqual(request?.body, {
    client_name: 'X',
    redirect_uris: ['https://a.example/1', 'https://a.example/2'],
    agent: false,
    jwks: { keys: [] },
  });
  await assert.rejects(ran('client.create', ['--jwks', '{']), /--jwks is not JSON/);
  await assert.rejects(ran('client.create', ['--application-type', 'fridge']), /application-type/);
});

test('a body comes from a file, and flags go before its members', async () => {
  const file = join(directory, 'client.json');
  await writeFile(file, '{"client_name":"From the file","scope":"a"}');
  const { request } = await ran('client.create', ['--data', file, '--scope', 'b'], { client_id: 'c' });
  assert.deepEqual(request?.body, { client_name: 'From the file', scope: 'b' });
  await writeFile(file, '[1]');
  await assert.rejects(ran('client.create', ['--data', file, '--scope', 'b']), /no JSON object/);
  await writeFile(file, '{');
  await assert.rejects(ran('client.create', ['--data', file]), /not JSON/);
  await assert.rejects(ran('client.create', ['--data', join(directory, 'none')]), /cannot be read/);
});

test('[threat K06] a secret has no flag: it would be in the list of processes', () => {
  assert.ok(!flagsOf('user.create').includes('password'));
  assert.deepEqual(flagsOf('user.update').sort(), ['data', 'email', 'id', 'name']);
});
