import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { noPrometheus, promtoolFile, rulesDirectory } from '../support/prometheus.ts';

const run = promisify(execFile);
const promtool = async (...args: string[]): Promise<string> => {
  const { stdout, stderr } = await run(promtoolFile, args, { cwd: rulesDirectory }).catch((error) => {
    throw new Error(`promtool ${args.join(' ')}\n${error.stdout}${error.stderr}`);
  });
  return `${stdout}${stderr}`;
};

const directory = await mkdtemp(join(tmpdir(), 'authserver-promtool-'));
after(() => rm(directory, { recursive: true, force: true }));

test('each alert fires when it should, and no other one does (promtool test rules)', {
  skip: noPrometheus,
}, async () => {
  const said = await Promise.all(
    ['alerts.test.yaml', 'alerts.quarter.test.yaml'].map((file) => promtool('test', 'rules', file)),
  );
  for (const text of said) assert.match(text, /SUCCESS/);
});

test('Prometheus takes every configuration', { skip: noPrometheus }, async () => {
  const kubernetes = await readFile(join(rulesDirectory, 'prometheus.kubernetes.yml'), 'utf8');
  // Debian builds Prometheus without Kubernetes: the rest of that file is checked with targets in its place.
  const elsewhere = join(directory, 'prometheus.yml');
  const discovery = / {4}kubernetes_sd_configs:\n(?: {6,}.*\n)+/;
  assert.match(kubernetes, discovery);
  await writeFile(
    elsewhere,
    kubernetes
      .replace(discovery, '    static_configs: [{ targets: ["pod:9002"] }]\n')
      .replaceAll(/^ {2}- (\w+\.yaml)$/gm, `  - ${rulesDirectory}/$1`),
  );
  for (const file of ['prometheus.yml', 'prometheus.static.yml', elsewhere])
    assert.match(await promtool('check', 'config', '--lint=all', '--lint-fatal', file), /SUCCESS/);
});
