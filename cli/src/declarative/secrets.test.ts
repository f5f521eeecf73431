import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseSources } from './parse.ts';
import { resolveSecrets } from './secrets.ts';

const directory = mkdtempSync(join(tmpdir(), 'secrets-'));
writeFileSync(join(directory, 'secret'), 'from a file\n');
const env = { UPSTREAM: 'from the environment' };

const read = async (text: string) => {
  const parsed = parseSources([{ file: join(directory, 'files.yaml'), text }]);
  assert.deepEqual(parsed.problems, []);
  const problems = await resolveSecrets(parsed, env);
  const [provider] = parsed.lists.providers ?? [];
  return { problems: problems.map((problem) => problem.replace(/^.*files\.yaml/, '')), data: provider?.config_data };
};
const provider = (member: string) => `providers:\n  - slug: up\n    config_data:\n      ${member}\n`;

const kept: [member: string, data: object][] = [
  ['client_secret_ref: env:UPSTREAM', { client_secret: 'from the environment' }],
  ['client_secret_ref: file:secret', { client_secret: 'from a file' }],
  ['client_secret_ref: CONNECTOR_UP', { client_secret_ref: 'CONNECTOR_UP' }],
  ['client_id: x', { client_id: 'x' }],
];
for (const [member, data] of kept)
  test(`a provider with ${member} is sent with ${Object.keys(data)}`, async () => {
    assert.deepEqual(await read(provider(member)), { problems: [], data });
  });

const refused: [member: string, problem: RegExp][] = [
  ['client_secret: canary', /^:4: provider up: config_data.client_secret: a secret is not for files/],
  ['client_secret_ref: env:NONE', /^:4: provider up: config_data.client_secret_ref: the environment has no NONE$/],
  ['client_secret_ref: file:none', /config_data.client_secret_ref: none is empty or cannot be read/],
];
for (const [member, problem] of refused)
  test(`a provider with ${member} is not sent`, async () => {
    const { problems } = await read(provider(member));
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', problem);
    assert.ok(!problems[0]?.includes('canary'));
  });

test('what is no object is left to the server to refuse', async () => {
  assert.deepEqual((await read('providers:\n  - slug: up\n    config_data: text\n')).problems, []);
});
