/** The example of docs/declarative.md, applied from the command line as the page says. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';

const server = await startAuthServer({ admin: true });
const page = fileURLToPath(new URL('../../docs/declarative.md', import.meta.url));
const example = join(dirname(page), 'examples/declarative');
const secret = 'a-secret-of-the-wiki-that-is-long-enough';
const env = {
  AUTHPLANE_ADMIN_URL: server.adminUrl,
  AUTHPLANE_ADMIN_API_KEY: server.adminKey,
  WIKI_WEB_SECRET: secret,
};
const directory = await mkdtemp(join(tmpdir(), 'declarations-'));
after(() => rm(directory, { recursive: true }));

const cli = async (...args: string[]) => {
  const result = await runCli(['admin', ...args], { env });
  assert.equal(result.code, 0, result.stderr);
  assert.ok(!`${result.stdout}${result.stderr}`.includes(secret));
  return result.stdout;
};

test('the page names files that are there', async () => {
  const links = [...(await readFile(page, 'utf8')).matchAll(/\]\(([^)#]+)\)/g)].map(([, path = '']) => path);
  assert.ok(links.length > 4);
  for (const path of links) assert.ok(existsSync(join(dirname(page), path)), path);
});

test('plan shows it, apply makes it, and a second time there is nothing to do', async () => {
  const waiting = await runCli(['admin', 'plan', '-f', example, '--detailed-exitcode'], { env });
  assert.equal(waiting.code, 2, waiting.stderr);
  assert.match(waiting.stdout, /^create: kind=client key=wiki-web$/m);
  assert.deepEqual(await server.admin.client.list(), [], 'nothing is done yet');

  const kept = join(directory, 'secrets');
  const applied = await cli('apply', '-f', example, '--secrets', kept);
  assert.match(applied, /^applied: owner=default create=11 change=0 adopt=0 delete=0 unchanged=0$/m);
  assert.match(await readFile(kept, 'utf8'), /^client_id=gateway client_secret=\S{40,}\n$/);

  assert.match(await cli('apply', '-f', example, '--prune'), /^applied: .*create=0 change=0 .*unchanged=11$/m);
  await cli('plan', '-f', example, '--detailed-exitcode');
});

test('what is exported can be applied, and what changed by hand is shown', async () => {
  const exported = join(directory, 'exported');
  await cli('export', '--to', exported);
  await cli('plan', '-f', exported, '--detailed-exitcode');
  await server.admin.client.update({ id: 'wiki-web', body: { client_name: 'By hand' } });
  const plan = await cli('plan', '-f', example);
  assert.match(plan, /^change: .*key=wiki-web.* member=client_name from="By hand" to=Wiki$/m);
  assert.match(plan, /^drift: .*key=wiki-web.* what=changed/m);
});

test('a mistake is named with its file and line, and nothing is done', async () => {
  const file = join(directory, 'wrong.yaml');
  await writeFile(file, 'clients:\n  - client_id: fine\n    client_name: Fine\n    colour: blue\n');
  const before = await server.admin.client.list();
  const { code, stderr, stdout } = await runCli(['admin', 'apply', '-f', file], { env });
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /wrong\.yaml:\d+: client fine: .*colour/s);
  assert.deepEqual(await server.admin.client.list(), before);
  assert.match(failedWith(await runCli(['admin', 'apply', '-f', join(directory, 'nowhere')], { env }), 2), /no such/);
});
